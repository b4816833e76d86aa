//! What a process knows of the read models that run in it on one database: which version readers see, how far each
//! running one is, and which one stands still for a moment. Told by those who know; reads no database.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::ShardStatus;
use crate::news::{Hearer, Teller};

/// The read models of one database in this process. Cheap to clone; one for all clones of a database.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<Arc<str>, Entry>>>);

/// One projection.
struct Entry {
    active: Teller<u32>,
    /// The version that writes nothing now.
    still: Teller<Option<u32>>,
    running: BTreeMap<(u32, Arc<str>), Running>,
}

/// A version that follows a service.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) shards: Vec<Hearer<ShardStatus>>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// A version stands still as long as this lives.
pub(crate) struct Still(Board, Arc<str>);

impl Drop for Still {
    fn drop(&mut self) {
        self.0.go_on(&self.1);
    }
}

/// Tells a runner whether it may write.
#[derive(Debug, Clone)]
pub(crate) struct Go {
    version: u32,
    still: Hearer<Option<u32>>,
}

impl Go {
    /// Whether the version stands still.
    pub(crate) fn stands_still(&self) -> bool {
        self.still.get() == Some(self.version)
    }

    /// Returns when the version does not stand still. May be dropped.
    pub(crate) async fn ahead(&mut self) {
        let version = self.version;
        // The board outlives its runners; if it does not, nobody makes them stand still.
        let _ = self.still.wait_for(|still| *still != Some(version)).await;
    }
}

impl Board {
    /// A version follows a service from here on.
    pub(crate) fn post(&self, projection: &str, version: u32, service: &Arc<str>, running: Running) {
        self.with(projection, version, |entry| {
            entry.running.insert((version, Arc::clone(service)), running);
        });
    }

    /// Readers see this version from here on.
    pub(crate) fn show(&self, projection: &str, active: u32) {
        self.with(projection, active, |entry| {
            entry.active.tell(|known| std::mem::replace(known, active) != active);
        });
    }

    /// The version that readers see: this one, when nothing is known of the projection.
    pub(crate) fn active(&self, projection: &str, version: u32) -> Hearer<u32> {
        self.with(projection, version, |entry| entry.active.hearer())
    }

    /// Where a shard of a running version is: news are what comes from now on.
    pub(crate) fn shard(
        &self,
        projection: &str,
        version: u32,
        service: &Arc<str>,
        shard: u32,
    ) -> Option<Hearer<ShardStatus>> {
        let entries = self.lock();
        let running = entries.get(projection)?.running.get(&(version, Arc::clone(service)))?;
        let mut status = running.shards.get(usize::try_from(shard).ok()?)?.clone();
        status.take();
        Some(status)
    }

    /// The runners of a version, in all services.
    pub(crate) fn running(&self, projection: &str, version: u32) -> Vec<Running> {
        let entries = self.lock();
        let running = entries.get(projection).into_iter().flat_map(|entry| &entry.running);
        running.filter(|((of, _), _)| *of == version).map(|(_, running)| running.clone()).collect()
    }

    /// Tells runners of a version whether they may write.
    pub(crate) fn go(&self, projection: &str, version: u32) -> Go {
        self.with(projection, version, |entry| Go { version, still: entry.still.hearer() })
    }

    /// Lets a version stand still: its runners begin no transaction that moves on.
    pub(crate) fn still(&self, projection: &str, version: u32) -> Still {
        self.with(projection, version, |entry| {
            entry.still.tell(|still| still.replace(version) != Some(version))
        });
        Still(self.clone(), projection.into())
    }

    fn go_on(&self, projection: &str) {
        if let Some(entry) = self.lock().get(projection) {
            entry.still.tell(|still| still.take().is_some());
        }
    }

    /// The entry of a projection, made when there is none: readers see `active` then.
    fn with<T>(&self, projection: &str, active: u32, then: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.lock();
        then(entries.entry(projection.into()).or_insert_with(|| Entry {
            active: Teller::new(active),
            still: Teller::new(None),
            running: BTreeMap::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_was_told_before_a_shard_is_asked_for_is_no_news() {
        let (board, service): (Board, Arc<str>) = (Board::default(), "bank".into());
        let status = Teller::new(ShardStatus::starting(0));
        let running = Running {
            shards: vec![status.hearer()],
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        board.post("balances", 1, &service, running);
        let parked = |n| {
            status.tell(|status| {
                status.parked = n;
                true
            });
        };
        parked(1);
        let mut asked = board.shard("balances", 1, &service, 0).unwrap();
        assert_eq!(asked.changed().now_or_never(), None);
        parked(2);
        assert_eq!(asked.changed().now_or_never(), Some(true));
    }
}
