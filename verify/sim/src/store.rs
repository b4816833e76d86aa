//! The snapshots that all nodes share, what goes wrong with them, and a memory of everything that was saved, so that each
//! saved state can be held against the log.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use palinode::{
    Position,
    log::{LogError, memory::Chance},
    snapshots::{Head, Row, Save, Saved, Section, SnapshotStore},
    store::memory::{Copy, MemoryStore},
};

/// What goes wrong, in a thousand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct StoreFaults {
    /// A save happens or not, and nobody says.
    pub(crate) unknown: u32,
    /// A save is refused.
    pub(crate) refused: u32,
    /// A read fails.
    pub(crate) read_failed: u32,
    /// How long anything takes at most.
    pub(crate) slow: Duration,
}

/// A snapshot that was saved.
pub(crate) struct Kept {
    pub(crate) service: String,
    pub(crate) shard: u32,
    pub(crate) pseq: u64,
    pub(crate) offset: u64,
    /// States of entities that changed since the one before.
    pub(crate) rows: Vec<(String, u64, Option<Vec<u8>>)>,
}

/// The shared store.
#[derive(Clone)]
pub(crate) struct SharedStore {
    store: MemoryStore,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    faults: StoreFaults,
    chance: Chance,
    kept: Vec<Kept>,
    copies: Vec<Copy>,
    counts: BTreeMap<&'static str, u64>,
}

impl SharedStore {
    pub(crate) fn new(seed: u64) -> Self {
        let inner = Inner {
            faults: StoreFaults::default(),
            chance: Chance::new(seed),
            kept: Vec::new(),
            copies: Vec::new(),
            counts: BTreeMap::new(),
        };
        Self { store: MemoryStore::default(), inner: Arc::new(Mutex::new(inner)) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_faults(&self, faults: StoreFaults) {
        self.lock().faults = faults;
    }

    /// Keeps a backup.
    pub(crate) fn back_up(&self) {
        let copy = self.store.copy();
        self.lock().copies.push(copy);
    }

    /// Restores the last backup, when there is one.
    pub(crate) fn restore(&self) {
        if let Some(copy) = self.lock().copies.last() {
            self.store.set_back(copy);
        }
    }

    /// Everything that was saved.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        std::mem::take(&mut self.lock().kept)
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.lock().counts.clone()
    }

    fn hits(&self, what: &'static str, rate: impl Fn(&StoreFaults) -> u32) -> bool {
        let mut inner = self.lock();
        let rate = rate(&inner.faults);
        let hit = inner.chance.hits(rate);
        if hit {
            *inner.counts.entry(what).or_default() += 1;
        }
        hit
    }

    async fn take_time(&self) {
        let wait = {
            let mut inner = self.lock();
            let slow = inner.faults.slow;
            if slow.is_zero() { slow } else { inner.chance.within(slow) }
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

#[async_trait]
impl SnapshotStore for SharedStore {
    async fn load(&self, service: &str, shard: u32) -> Result<Option<(Head, Vec<Row>)>, LogError> {
        self.take_time().await;
        if self.hits("snapshot.read_failed", |f| f.read_failed) {
            return Err(LogError::retry("the database is away"));
        }
        self.store.load(service, shard).await
    }

    async fn entities(
        &self,
        service: &str,
        shard: u32,
        keys: &[String],
    ) -> Result<(Option<Position>, Vec<Option<Row>>), LogError> {
        self.take_time().await;
        if self.hits("snapshot.read_failed", |f| f.read_failed) {
            return Err(LogError::retry("the database is away"));
        }
        self.store.entities(service, shard, keys).await
    }

    async fn save(&self, service: &str, shard: u32, base: Option<&Position>, save: Save) -> Saved {
        self.take_time().await;
        if self.hits("snapshot.refused", |f| f.refused) {
            return Saved::Refused(LogError::retry("the database is busy"));
        }
        let unknown = self.hits("snapshot.unknown", |f| f.unknown);
        if unknown && self.lock().chance.hits(500) {
            return Saved::Unknown(LogError::retry("the connection broke"));
        }
        let states = save.rows.iter().filter(|row| row.section == Section::Entity);
        let kept = Kept {
            service: service.to_owned(),
            shard,
            pseq: save.head.position.pseq,
            offset: save.head.position.offset,
            rows: states.map(|row| (row.key.clone(), row.pseq, row.value.clone())).collect(),
        };
        let saved = self.store.save(service, shard, base, save).await;
        if saved == Saved::Saved {
            self.lock().kept.push(kept);
        }
        if unknown { Saved::Unknown(LogError::retry("the connection broke")) } else { saved }
    }
}
