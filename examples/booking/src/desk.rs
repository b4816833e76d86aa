//! The guests' desk: tells a guest when everything is held and the trip waits for a decision. It reads the log as it
//! grows, which is sooner than any read model, and needs nothing of the engine: a guest may be another program. Where the
//! log is know the rooms beside it.

mod file;
mod topic;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Deserialize;
use tokio::sync::oneshot;

use crate::{
    domain::TripId,
    place::Place,
    read::{self, tables::Tables},
};

/// What stands in a commit after which a trip waits.
const WAITS: &[u8] = br#""saga.wait_began""#;

/// Watches the trips of one place. Stops when it is dropped.
pub(crate) struct Desk {
    asked: Arc<Asked>,
    waiting: BTreeSet<TripId>,
}

/// Those who wait to be told, until the desk closes.
#[derive(Default)]
struct Asked {
    trips: Mutex<BTreeMap<TripId, oneshot::Sender<()>>>,
    closed: AtomicBool,
}

/// A guest's place in the queue.
pub(crate) struct Watch(Option<oneshot::Receiver<()>>);

impl Watch {
    /// Returns when the trip waits for its guest; never, when it never does. May be dropped.
    pub(crate) async fn waits(self) {
        let Some(told) = self.0 else { return };
        if told.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Desk {
    /// Looks at the log from now on; the read models tell which trips wait already.
    ///
    /// # Errors
    /// When log or read models cannot be read.
    pub(crate) async fn open(place: &Place, tables: &Tables) -> anyhow::Result<Self> {
        let asked = Arc::new(Asked::default());
        match place.servers() {
            None => file::watch(place.folder(), Arc::clone(&asked))?,
            Some(servers) => topic::watch(servers.clone(), Arc::clone(&asked)).await?,
        }
        let mut desk = Self { asked, waiting: BTreeSet::new() };
        desk.waiting = read::waiting(tables).await?;
        Ok(desk)
    }

    /// Takes a place for the guest of this trip. To be taken before the trip is started.
    pub(crate) fn watch(&self, trip: TripId) -> Watch {
        if self.waiting.contains(&trip) {
            return Watch(None);
        }
        let (tell, told) = oneshot::channel();
        self.asked.trips().insert(trip, tell);
        Watch(Some(told))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.asked.closed.store(true, Ordering::Relaxed);
    }
}

impl Asked {
    fn trips(&self) -> MutexGuard<'_, BTreeMap<TripId, oneshot::Sender<()>>> {
        self.trips.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody wants to be told any more.
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Tells the guests of the trips that began to wait with these records. One that does not count in the end may be
    /// among them: then the guest is told a little early.
    fn tell<'a>(&self, records: impl Iterator<Item = &'a [u8]>) {
        let mut asked = self.trips();
        for trip in records.filter_map(waits) {
            if let Some(tell) = asked.remove(&trip) {
                // Its guest may have left.
                let _ = tell.send(());
            }
        }
        asked.retain(|_, tell| !tell.is_closed());
    }
}

/// The part of a commit that says whose it is.
#[derive(Deserialize)]
struct Commit {
    entity: Entity,
}

#[derive(Deserialize)]
struct Entity {
    id: TripId,
}

/// The trip that began to wait with this record, if one did.
fn waits(record: &[u8]) -> Option<TripId> {
    let began = record.windows(WAITS.len()).any(|window| window == WAITS);
    let commit: Option<Commit> = if began { serde_json::from_slice(record).ok() } else { None };
    commit.map(|commit| commit.entity.id)
}
