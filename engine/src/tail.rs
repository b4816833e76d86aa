//! How far a service's log is known to go in this process: what owners tell and readers wait for. A hint to wake up
//! by, and the witness of a log that was cut short. Knows nothing of records.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::news::{Hearer, Teller};

/// The ends of the shards of one service, as far as owners in this process know them. Cheap to clone.
///
/// ```
/// use palinode::tail::Tail;
/// let tail = Tail::new(8);
/// tail.advance(3, 17);
/// tail.advance(3, 12); // older news
/// assert_eq!((tail.next(3), tail.next(4)), (Some(17), None));
/// ```
#[derive(Debug, Clone)]
pub struct Tail {
    ends: Arc<[Teller<u64>]>,
    /// Which shards are owned in this process, when several processes share the work.
    owned: Option<Arc<[AtomicBool]>>,
}

impl Tail {
    /// The tail of a service with so many shards; nothing is known yet.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self { ends: (0..partitions).map(|_| Teller::new(0)).collect(), owned: None }
    }

    /// The same of a service whose shards several processes share: readers are to follow those that are owned here, and
    /// none is yet.
    #[must_use]
    pub fn shared(partitions: u32) -> Self {
        Self {
            owned: Some((0..partitions).map(|_| AtomicBool::new(false)).collect()),
            ..Self::new(partitions)
        }
    }

    /// The same news for readers who follow all shards, whoever owns them.
    #[must_use]
    pub fn of_all(&self) -> Self {
        Self { ends: Arc::clone(&self.ends), owned: None }
    }

    /// Whether several processes share the shards.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.owned.is_some()
    }

    /// Whether a reader of this process is to follow this shard.
    #[must_use]
    pub fn is_mine(&self, shard: u32) -> bool {
        let Some(owned) = &self.owned else { return true };
        let one = usize::try_from(shard).ok().and_then(|n| owned.get(n));
        one.is_some_and(|one| one.load(Ordering::SeqCst))
    }

    /// The shard is owned in this process from now on, or no longer.
    pub(crate) fn own(&self, shard: u32, mine: bool) {
        let one = self.owned.as_ref().and_then(|owned| owned.get(usize::try_from(shard).ok()?));
        if let Some(one) = one {
            one.store(mine, Ordering::SeqCst);
        }
        if let Some(teller) = self.at(shard) {
            teller.tell(|_| true);
        }
    }

    /// The shard's owner knows that the record before `next` is its own and counts. Lower news than what is known are
    /// dropped.
    ///
    /// Must be told only after an append of this process below `next` was acknowledged: a reader that finds less than
    /// that takes the log for truncated.
    pub fn advance(&self, shard: u32, next: u64) {
        if let Some(teller) = self.at(shard) {
            teller.tell(|known| {
                let news = next > *known;
                if news {
                    *known = next;
                }
                news
            });
        }
    }

    /// The offset after the last record known to count; `None` while no owner here has told.
    #[must_use]
    pub fn next(&self, shard: u32) -> Option<u64> {
        self.at(shard).map(Teller::get).filter(|next| *next > 0)
    }

    /// A waiter for news of one shard.
    #[must_use]
    pub fn watch(&self, shard: u32) -> TailWatch {
        TailWatch(self.at(shard).map(Teller::hearer))
    }

    fn at(&self, shard: u32) -> Option<&Teller<u64>> {
        self.ends.get(usize::try_from(shard).ok()?)
    }
}

/// Waits for news of one shard.
#[derive(Debug)]
pub struct TailWatch(Option<Hearer<u64>>);

impl TailWatch {
    /// Forgets the news so far: [`TailWatch::changed`] waits for later ones. To be called *before* the log is read.
    pub fn seen(&mut self) {
        if let Some(hearer) = &mut self.0 {
            hearer.take();
        }
    }

    /// Returns when there are news since [`TailWatch::seen`]; never when all owners are gone. May be dropped.
    pub async fn changed(&mut self) {
        let news = match &mut self.0 {
            Some(hearer) => hearer.changed().await,
            None => false,
        };
        if !news {
            std::future::pending::<()>().await;
        }
    }
}
