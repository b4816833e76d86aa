//! The guests' desk: tells a guest when everything is held and the trip waits for a decision. It reads the log as it
//! grows, which is sooner than any read model, and needs nothing of the engine: a guest may be another program.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use palinode::{Clock, SystemClock};
use palinode_verify::{CannotRead, Log, Partition, Source};
use serde::Deserialize;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{domain::TripId, read};

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// What stands in a commit after which a trip waits.
const WAITS: &[u8] = br#""saga.wait_began""#;
/// No partition is longer than this.
const OPEN_END: u64 = 1 << 39;

/// Watches the trips of one folder. Stops when it is dropped.
pub(crate) struct Desk {
    asked: Arc<Asked>,
    waiting: BTreeSet<TripId>,
    looking: JoinHandle<()>,
}

type Asked = Mutex<BTreeMap<TripId, oneshot::Sender<()>>>;

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
    /// Opens the log of this folder; the read models tell which trips wait already.
    ///
    /// # Errors
    /// When log or read models cannot be opened.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let log = Log::open(folder)?;
        let waiting = read::waiting(&read::open(folder)?)?;
        let trips = log.partitions().into_iter().filter(|p| &*p.service == "trip");
        let shards = trips.map(|p| Shard { next: p.end, of: Partition { end: OPEN_END, ..p } }).collect();
        let asked = Arc::new(Asked::default());
        let looking = tokio::spawn(look(Reader { log, shards }, Arc::clone(&asked)));
        Ok(Self { asked, waiting, looking })
    }

    /// Takes a place for the guest of this trip. To be taken before the trip is started.
    pub(crate) fn watch(&self, trip: TripId) -> Watch {
        if self.waiting.contains(&trip) {
            return Watch(None);
        }
        let (tell, told) = oneshot::channel();
        lock(&self.asked).insert(trip, tell);
        Watch(Some(told))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

fn lock(asked: &Asked) -> std::sync::MutexGuard<'_, BTreeMap<TripId, oneshot::Sender<()>>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn look(mut reader: Reader, asked: Arc<Asked>) {
    loop {
        SystemClock.wait_until(SystemClock.now().plus(LOOK)).await;
        let looked = tokio::task::spawn_blocking(move || {
            let waiting = reader.news();
            (reader, waiting)
        });
        let Ok((back, waiting)) = looked.await else { return };
        reader = back;
        let mut asked = lock(&asked);
        match waiting {
            Ok(trips) => {
                for tell in trips.iter().filter_map(|trip| asked.remove(trip)) {
                    // Its guest may have left.
                    let _ = tell.send(());
                }
            }
            // The file is busy: the next look reads the same.
            Err(e) => tracing::debug!("the desk cannot look: {e}"),
        }
        asked.retain(|_, tell| !tell.is_closed());
    }
}

struct Reader {
    log: Log,
    shards: Vec<Shard>,
}

struct Shard {
    of: Partition,
    next: u64,
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

impl Reader {
    /// Trips that began to wait since the last look. A record that does not count in the end may be among them: then
    /// the guest is told a little early.
    fn news(&mut self) -> Result<Vec<TripId>, CannotRead> {
        let mut waiting = Vec::new();
        for Shard { of, next } in &mut self.shards {
            loop {
                let page = self.log.page(of, *next)?;
                let Some(last) = page.last() else { break };
                *next = last.offset + 1;
                let began =
                    page.iter().filter(|record| record.value.windows(WAITS.len()).any(|w| w == WAITS));
                let commits = began.filter_map(|record| serde_json::from_slice::<Commit>(&record.value).ok());
                waiting.extend(commits.map(|commit| commit.entity.id));
            }
        }
        Ok(waiting)
    }
}
