//! The snapshot store in a map, and in `db` the read models: for simulation and tests. Obeys the contract to the letter and, told to, behaves worse
//! than a database: a save whose outcome is not known, a lost race, a store that goes back in time.

mod db;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

pub use db::{Changed, MemoryDb, MemoryTx, TxFault};

use crate::{
    log::LogError,
    position::Position,
    snapshots::{Head, Row, Save, Saved, Section, SnapshotStore, backward},
};

/// What becomes of a save that was told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It happens and is answered `Unknown`.
    UnknownHappened,
    /// It does not happen and is answered `Unknown`.
    UnknownNot,
    /// It does not happen and is answered `Lost`.
    Lost,
    /// It does not happen and is answered `Refused`.
    Refused,
}

/// A snapshot store in memory. Clones share it, as nodes share a database.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palinode::{snapshots::SnapshotStore, store::memory::MemoryStore};
/// let store = MemoryStore::default();
/// assert_eq!(store.load("hotel", 0).await, Ok(None));
/// # });
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    shards: Shards,
    faults: VecDeque<Fault>,
}

type Shards = BTreeMap<(String, u32), Shard>;

#[derive(Clone)]
struct Shard {
    head: Head,
    rows: BTreeMap<(Section, String), Row>,
}

/// Everything a store held at some moment.
#[derive(Clone)]
pub struct Copy(Shards);

impl MemoryStore {
    /// The next save that is not scripted yet ends like this.
    pub fn fail_next_save(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Everything it holds now.
    #[must_use]
    pub fn copy(&self) -> Copy {
        Copy(self.lock().shards.clone())
    }

    /// Sets the whole store back to an earlier moment, as a restored backup or a stale replica does.
    pub fn set_back(&self, to: &Copy) {
        self.lock().shards.clone_from(&to.0);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SnapshotStore for MemoryStore {
    async fn load(&self, service: &str, shard: u32) -> Result<Option<(Head, Vec<Row>)>, LogError> {
        let inner = self.lock();
        Ok(inner.shards.get(&(service.to_owned(), shard)).map(|found| {
            let rows = found.rows.values().filter(|row| row.section != Section::Entity);
            (found.head.clone(), rows.cloned().collect())
        }))
    }

    async fn entities(
        &self,
        service: &str,
        shard: u32,
        keys: &[String],
    ) -> Result<(Option<Position>, Vec<Option<Row>>), LogError> {
        let inner = self.lock();
        let Some(found) = inner.shards.get(&(service.to_owned(), shard)) else {
            return Ok((None, vec![None; keys.len()]));
        };
        let rows = keys.iter().map(|key| found.rows.get(&(Section::Entity, key.clone())).cloned());
        Ok((Some(found.head.position.clone()), rows.collect()))
    }

    async fn save(&self, service: &str, shard: u32, base: Option<&Position>, save: Save) -> Saved {
        let mut inner = self.lock();
        let told = |what: &str| LogError::retry(format!("told to: {what}"));
        match inner.faults.pop_front() {
            None => inner.replace(service, shard, base, save),
            Some(Fault::UnknownHappened) => {
                let happened = inner.replace(service, shard, base, save);
                Saved::Unknown(told(&format!("unknown, and it is {happened:?}")))
            }
            Some(Fault::UnknownNot) => Saved::Unknown(told("unknown, and it did not happen")),
            Some(Fault::Lost) => Saved::Lost,
            Some(Fault::Refused) => Saved::Refused(told("refused")),
        }
    }
}

impl Inner {
    fn replace(&mut self, service: &str, shard: u32, base: Option<&Position>, save: Save) -> Saved {
        if let Some(why) = base.and_then(|base| backward(base, &save.head.position)) {
            return Saved::Refused(why);
        }
        let key = (service.to_owned(), shard);
        if self.shards.get(&key).map(|found| &found.head.position) != base {
            return Saved::Lost;
        }
        let found = self
            .shards
            .entry(key)
            .or_insert_with(|| Shard { head: save.head.clone(), rows: BTreeMap::new() });
        found.head = save.head;
        for row in save.rows {
            let key = (row.section, row.key.clone());
            if row.value.is_some() {
                found.rows.insert(key, row);
            } else {
                found.rows.remove(&key);
            }
        }
        Saved::Saved
    }
}
