//! How far a service's log is known to go in this process: what owners tell and readers wait for. A hint to wake up
//! by, and the witness of a log that was cut short. Knows nothing of records.

use std::sync::Arc;

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
pub struct Tail(Arc<[Teller<u64>]>);

impl Tail {
    /// The tail of a service with so many shards; nothing is known yet.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self((0..partitions).map(|_| Teller::new(0)).collect())
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
        self.0.get(usize::try_from(shard).ok()?)
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
