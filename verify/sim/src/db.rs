//! The database of the simulated read models: rows and checkpoints in maps, transactions one after the other, faults,
//! and a memory of every commit, so that the rows can be held against the log as they were at each of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use palinode::{
    Micros, Position,
    checkpoint::{ApplyError, Checkpoint, Db, Key, Transacted, Work},
    log::memory::Chance,
};

/// What goes wrong, in a thousand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SqlFaults {
    pub(crate) unknown: u32,
    pub(crate) outage: u32,
    pub(crate) slow: Duration,
}

/// A transaction that was committed.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    /// Whose checkpoint moved, and to which record; none: it only took the checkpoint over, or made tables.
    pub(crate) moved: Option<(Key, u64, u64)>,
    /// The epoch that wrote it.
    pub(crate) epoch: u64,
    /// Rows that changed.
    pub(crate) rows: BTreeMap<(String, String), Option<String>>,
}

/// The database. Clones share it.
#[derive(Clone)]
pub(crate) struct SimDb(Arc<Mutex<Inner>>, Arc<tokio::sync::Mutex<()>>);

struct Inner {
    rows: BTreeMap<(String, String), String>,
    checkpoints: BTreeMap<Key, Checkpoint>,
    faults: SqlFaults,
    chance: Chance,
    commits: Vec<Committed>,
    counts: BTreeMap<&'static str, u64>,
}

/// An open transaction: what it will change.
pub(crate) struct SimTx {
    db: SimDb,
    rows: BTreeMap<(String, String), Option<String>>,
    checkpoints: BTreeMap<Key, Checkpoint>,
    moved: Option<(Key, u64, u64)>,
    epoch: u64,
}

impl SimDb {
    pub(crate) fn new(seed: u64) -> Self {
        let inner = Inner {
            rows: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            faults: SqlFaults::default(),
            chance: Chance::new(seed),
            commits: Vec::new(),
            counts: BTreeMap::new(),
        };
        Self(Arc::new(Mutex::new(inner)), Arc::default())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_faults(&self, faults: SqlFaults) {
        self.lock().faults = faults;
    }

    pub(crate) fn commits(&self) -> Vec<Committed> {
        self.lock().commits.clone()
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.lock().counts.clone()
    }

    /// How far each checkpoint has come.
    pub(crate) fn checkpoints(&self) -> BTreeMap<Key, Checkpoint> {
        self.lock().checkpoints.clone()
    }

    fn hits(&self, what: &'static str, rate: impl Fn(&SqlFaults) -> u32) -> bool {
        let mut inner = self.lock();
        let rate = rate(&inner.faults);
        let hit = inner.chance.hits(rate);
        if hit {
            *inner.counts.entry(what).or_default() += 1;
        }
        hit
    }

    fn wait(&self) -> Duration {
        let mut inner = self.lock();
        let slow = inner.faults.slow;
        if slow.is_zero() { slow } else { inner.chance.within(slow) }
    }
}

impl SimTx {
    pub(crate) fn get(&self, table: &str, key: &str) -> Option<String> {
        let row = (table.to_owned(), key.to_owned());
        match self.rows.get(&row) {
            Some(changed) => changed.clone(),
            None => self.db.lock().rows.get(&row).cloned(),
        }
    }

    pub(crate) fn put(&mut self, table: &str, key: &str, value: impl Into<String>) {
        self.rows.insert((table.to_owned(), key.to_owned()), Some(value.into()));
    }

    fn checkpoint(&self, key: &Key) -> Option<Checkpoint> {
        self.checkpoints.get(key).cloned().or_else(|| self.db.lock().checkpoints.get(key).cloned())
    }

    fn commit(self) {
        let Self { db, rows, checkpoints, moved, epoch } = self;
        let mut inner = db.lock();
        for (row, value) in &rows {
            match value {
                Some(value) => drop(inner.rows.insert(row.clone(), value.clone())),
                None => drop(inner.rows.remove(row)),
            }
        }
        inner.checkpoints.extend(checkpoints);
        inner.commits.push(Committed { moved, epoch, rows });
    }
}

impl Db for SimDb {
    type Tx = SimTx;

    fn transact<T: Send + 'static>(&self, work: Work<SimTx, T>) -> BoxFuture<'static, Transacted<T>> {
        let db = self.clone();
        // A task of the database: dropping the caller neither stops nor splits it.
        let task = tokio::spawn(async move {
            let wait = db.wait();
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let one = Arc::clone(&db.1);
            let _one = one.lock().await;
            if db.hits("sql.outage", |f| f.outage) {
                return Transacted::RolledBack(ApplyError::outage("the database is away"));
            }
            let (rows, checkpoints) = (BTreeMap::new(), BTreeMap::new());
            let mut tx = SimTx { db: db.clone(), rows, checkpoints, moved: None, epoch: 0 };
            let value = match work(&mut tx).await {
                Ok(value) => value,
                Err(why) => return Transacted::RolledBack(why),
            };
            let unknown = db.hits("sql.unknown", |f| f.unknown);
            if unknown && db.lock().chance.hits(500) {
                return Transacted::Unknown(ApplyError::outage("the connection broke"));
            }
            tx.commit();
            if unknown {
                return Transacted::Unknown(ApplyError::outage("the connection broke"));
            }
            Transacted::Committed(value)
        });
        let lost = |_| Transacted::Unknown(ApplyError::outage("a transaction's task was lost"));
        task.map(move |end| end.unwrap_or_else(lost)).boxed()
    }

    fn checkpoint<'t>(
        tx: &'t mut SimTx,
        key: &'t Key,
    ) -> BoxFuture<'t, Result<Option<Checkpoint>, ApplyError>> {
        std::future::ready(Ok(tx.checkpoint(key))).boxed()
    }

    fn take<'t>(
        tx: &'t mut SimTx,
        key: &'t Key,
        start: &'t Position,
        _runner: &'t str,
    ) -> BoxFuture<'t, Result<Checkpoint, ApplyError>> {
        let blank = || Checkpoint { position: start.clone(), time: Micros(0), epoch: 0 };
        let mut taken = tx.checkpoint(key).unwrap_or_else(blank);
        taken.epoch += 1;
        tx.epoch = taken.epoch;
        tx.checkpoints.insert(key.clone(), taken.clone());
        std::future::ready(Ok(taken)).boxed()
    }

    fn advance<'t>(
        tx: &'t mut SimTx,
        key: &'t Key,
        from: &'t Checkpoint,
        to: &'t Position,
        time: Micros,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        let there = tx.checkpoint(key);
        let moved =
            there.is_some_and(|at| at.position.offset == from.position.offset && at.epoch == from.epoch);
        if moved {
            let next = Checkpoint { position: to.clone(), time, epoch: from.epoch };
            tx.checkpoints.insert(key.clone(), next);
            tx.moved = Some((key.clone(), from.position.offset, to.offset));
            tx.epoch = from.epoch;
        }
        std::future::ready(Ok(moved)).boxed()
    }

    fn mark<'t>(
        _tx: &'t mut SimTx,
        _key: &'t Key,
        _epoch: u64,
        _state: &'t str,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        std::future::ready(Ok(())).boxed()
    }
}
