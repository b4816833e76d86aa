//! Lanes: one partition of one topic each. Knows what it is called on the cluster and how far it is known to reach, never
//! what is in it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::{reader::Stream as Reading, settings::KafkaSettings};
use crate::{
    address::{Stream, Topic},
    commit::Genesis,
    log::LogError,
};

/// One partition of one topic.
pub(super) struct Lane {
    /// What the topic is for.
    pub(super) stream: Stream,
    /// The topic's name on the cluster.
    pub(super) topic: Arc<str>,
    /// The partition, as the driver counts.
    pub(super) number: i32,
    /// The offset after the last record that was acknowledged to this process, read by it, or told to it.
    reached: AtomicU64,
    /// The offset after the last record that was acknowledged to this process.
    delivered: AtomicU64,
    /// How often in turn nothing came though there was something.
    silent: AtomicU32,
    /// Where the last read of this process began, plus one; zero before the first.
    asked: AtomicU64,
    /// Readings that nobody uses at the moment.
    idle: Mutex<Vec<Reading>>,
    /// Of its service.
    doubt: Arc<Notify>,
}

impl Lane {
    fn new(stream: Stream, topic: &Arc<str>, number: i32, doubt: &Arc<Notify>) -> Self {
        Self {
            stream,
            topic: Arc::clone(topic),
            number,
            reached: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            silent: AtomicU32::new(0),
            asked: AtomicU64::new(0),
            idle: Mutex::default(),
            doubt: Arc::clone(doubt),
        }
    }

    /// The topic may not be what it was: its service is to be looked at again, soon.
    pub(super) fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// How far it is known to reach.
    pub(super) fn reached(&self) -> u64 {
        self.reached.load(Ordering::Acquire)
    }

    /// It reaches at least to here.
    pub(super) fn reaches(&self, end: u64) {
        self.reached.fetch_max(end, Ordering::AcqRel);
    }

    /// A record of this process was acknowledged, and ends here.
    pub(super) fn delivers(&self, end: u64) {
        self.delivered.fetch_max(end, Ordering::Relaxed);
        self.reaches(end);
    }

    /// Where the last record ends that was acknowledged to this process.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// It reached further, and its leader shows only so much: late, or cut.
    pub(super) fn shows_only(&self, end: u64) {
        self.reached.store(end, Ordering::Release);
    }

    /// Records came.
    pub(super) fn comes(&self) {
        self.silent.store(0, Ordering::Relaxed);
    }

    /// Nothing came though there is something: so often in turn.
    pub(super) fn comes_not(&self) -> u32 {
        self.silent.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Somebody reads from here on.
    pub(super) fn asked(&self, from: u64) {
        self.asked.store(from.saturating_add(1), Ordering::Relaxed);
    }

    /// Where the last read of this process began.
    pub(super) fn last_asked(&self) -> Option<u64> {
        self.asked.load(Ordering::Relaxed).checked_sub(1)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reading>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reading that goes on exactly here.
    pub(super) fn take(&self, from: u64) -> Option<Reading> {
        let mut idle = self.idle();
        let found = idle.iter().position(|reading| reading.next() == from)?;
        Some(idle.swap_remove(found))
    }

    /// A reading that may go on later.
    pub(super) fn put(&self, reading: Reading) {
        self.idle().push(reading);
    }

    /// Ends readings that nobody used for so many sweeps.
    pub(super) fn sweep(&self, sweeps: u32) {
        let old: Vec<Reading> = {
            let mut idle = self.idle();
            idle.iter_mut().for_each(Reading::grow_older);
            idle.extract_if(.., |reading| reading.age() > sweeps).collect()
        };
        drop(old);
    }

    /// Ends the reading that was used longest ago, if nobody uses it.
    pub(super) fn evict(&self) {
        let oldest = {
            let mut idle = self.idle();
            let oldest = idle.iter().enumerate().max_by_key(|(_, reading)| reading.age()).map(|(nth, _)| nth);
            oldest.map(|nth| idle.swap_remove(nth))
        };
        drop(oldest);
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// A service that was looked at and found fit.
pub(super) struct Served {
    pub(super) genesis: Genesis,
    lanes: BTreeMap<Stream, Vec<Arc<Lane>>>,
    doubt: Arc<Notify>,
    /// Why it must not be used any more.
    ended: Mutex<Option<LogError>>,
}

impl Served {
    pub(super) fn new(settings: &KafkaSettings, genesis: Genesis) -> Self {
        let partitions = i32::try_from(genesis.partitions).unwrap_or(0);
        let doubt = Arc::default();
        let lanes = [Stream::Events, Stream::Inbox, Stream::Replies].map(|stream| {
            let topic = Topic { service: Arc::clone(&genesis.service), stream };
            let name: Arc<str> = settings.named(topic).into();
            (stream, (0..partitions).map(|n| Arc::new(Lane::new(stream, &name, n, &doubt))).collect())
        });
        Self { genesis, lanes: lanes.into(), doubt, ended: Mutex::default() }
    }

    /// Refuses everything from now on.
    pub(super) fn end(&self, why: LogError) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    /// Returns when there is a reason to look at its topics again.
    pub(super) async fn doubted(&self) {
        self.doubt.notified().await;
    }

    fn open_still(&self) -> Result<(), LogError> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.as_ref().map_or(Ok(()), |why| Err(why.clone()))
    }

    /// A lane of it.
    pub(super) fn lane(&self, stream: Stream, partition: u32) -> Result<Option<Arc<Lane>>, LogError> {
        self.open_still()?;
        let nth = usize::try_from(partition).ok();
        let lane = self.lanes.get(&stream).zip(nth).and_then(|(lanes, nth)| lanes.get(nth));
        Ok(lane.map(Arc::clone))
    }

    /// Its lanes of one topic.
    pub(super) fn lanes(&self, stream: Stream) -> &[Arc<Lane>] {
        self.lanes.get(&stream).map_or(&[], Vec::as_slice)
    }
}

/// The services that this process knows.
#[derive(Default)]
pub(super) struct Known(RwLock<BTreeMap<Arc<str>, Arc<Served>>>);

impl Known {
    pub(super) fn get(&self, service: &str) -> Option<Arc<Served>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(service).map(Arc::clone)
    }

    /// Makes it known, and says whether it is news; the one that was known before stays.
    pub(super) fn add(&self, served: Served) -> (Arc<Served>, bool) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match known.entry(Arc::clone(&served.genesis.service)) {
            Entry::Occupied(there) => (Arc::clone(there.get()), false),
            Entry::Vacant(place) => (Arc::clone(place.insert(Arc::new(served))), true),
        }
    }
}
