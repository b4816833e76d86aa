//! The database of the simulated read models: the one in memory with faults in front of it, and a memory of every commit,
//! so that the rows can be held against the log as they were at each of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use palinode::{
    Micros, Position,
    checkpoint::{
        Act, ApplyError, Audit, Board, Checkpoint, Db, Difference, Held, Key, Parked, Parking, Tables,
        Transacted, Version, Versions, Work,
    },
    log::memory::Chance,
    store::memory::{MemoryDb, MemoryTx},
};

type Answer<'t, T> = BoxFuture<'t, Result<T, ApplyError>>;

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
    /// Whose checkpoint moved, from which record to which.
    pub(crate) moved: Option<(Key, u64, u64)>,
    /// The epoch that wrote it.
    pub(crate) epoch: u64,
    /// All rows after it.
    pub(crate) rows: BTreeMap<(String, String), Option<String>>,
}

/// The database as one process has it. Clones share everything.
#[derive(Clone)]
pub(crate) struct SimDb {
    db: MemoryDb,
    inner: Arc<Mutex<Inner>>,
    board: Board,
}

struct Inner {
    faults: SqlFaults,
    chance: Chance,
    commits: Vec<Committed>,
    counts: BTreeMap<&'static str, u64>,
    /// The checkpoints there can be.
    keys: Vec<Key>,
    /// The rows there can be: tables and keys.
    rows: Vec<(String, String)>,
    positions: BTreeMap<Key, u64>,
}

impl SimDb {
    /// With these checkpoints and rows.
    pub(crate) fn new(seed: u64, keys: Vec<Key>, rows: Vec<(String, String)>) -> Self {
        let inner = Inner {
            faults: SqlFaults::default(),
            chance: Chance::new(seed),
            commits: Vec::new(),
            counts: BTreeMap::new(),
            keys,
            rows,
            positions: BTreeMap::new(),
        };
        Self { db: MemoryDb::default(), inner: Arc::new(Mutex::new(inner)), board: Board::default() }
    }

    /// The same database, in another process.
    pub(crate) fn of_process(&self) -> Self {
        Self { board: Board::default(), ..self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The record each checkpoint stands at.
    pub(crate) fn positions(&self) -> BTreeMap<Key, u64> {
        self.lock().positions.clone()
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

async fn checkpoints(tx: &mut MemoryTx, keys: &[Key]) -> Result<Vec<Option<Checkpoint>>, ApplyError> {
    let mut all = Vec::new();
    for key in keys {
        all.push(MemoryDb::checkpoint(tx, key).await?);
    }
    Ok(all)
}

/// What a transaction will have done, seen before it is committed.
async fn look(
    tx: &mut MemoryTx,
    keys: &[Key],
    rows: &[(String, String)],
    before: Vec<Option<Checkpoint>>,
) -> Result<Committed, ApplyError> {
    let after = checkpoints(tx, keys).await?;
    let mut committed = Committed { moved: None, epoch: 0, rows: BTreeMap::new() };
    for ((key, before), after) in keys.iter().zip(before).zip(after) {
        let (Some(before), Some(after)) = (before, after) else { continue };
        if before.position.offset != after.position.offset {
            committed.moved = Some((key.clone(), before.position.offset, after.position.offset));
            committed.epoch = after.epoch;
        }
    }
    for (table, key) in rows {
        let value = tx.get(table, key).map(str::to_owned);
        committed.rows.insert((table.clone(), key.clone()), value);
    }
    Ok(committed)
}

impl Db for SimDb {
    type Tx = MemoryTx;

    fn transact<T: Send + 'static>(&self, work: Work<MemoryTx, T>) -> BoxFuture<'static, Transacted<T>> {
        let db = self.clone();
        // A task of the database: dropping the caller neither stops nor splits it.
        let task = tokio::spawn(async move {
            let wait = db.wait();
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            if db.hits("sql.outage", |f| f.outage) {
                return Transacted::RolledBack(ApplyError::outage("the database is away"));
            }
            let unknown = db.hits("sql.unknown", |f| f.unknown);
            let vanishes = unknown && db.lock().chance.hits(500);
            let (keys, rows) = {
                let inner = db.lock();
                (inner.keys.clone(), inner.rows.clone())
            };
            let seen = Arc::new(Mutex::new(None));
            let look_at = Arc::clone(&seen);
            let broke = || ApplyError::outage("the connection broke");
            let work: Work<MemoryTx, T> = Box::new(move |tx| {
                Box::pin(async move {
                    let before = checkpoints(tx, &keys).await?;
                    let value = work(tx).await?;
                    let committed = look(tx, &keys, &rows, before).await?;
                    if vanishes {
                        return Err(broke());
                    }
                    *look_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(committed);
                    Ok(value)
                })
            });
            match db.db.transact(work).await {
                Transacted::Committed(value) => {
                    let committed = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
                    let mut inner = db.lock();
                    if let Some((key, _, to)) = committed.as_ref().and_then(|c| c.moved.clone()) {
                        inner.positions.insert(key, to);
                    }
                    inner.commits.extend(committed);
                    if unknown { Transacted::Unknown(broke()) } else { Transacted::Committed(value) }
                }
                Transacted::RolledBack(_) if vanishes => Transacted::Unknown(broke()),
                other => other,
            }
        });
        let lost = |_| Transacted::Unknown(ApplyError::outage("a transaction's task was lost"));
        task.map(move |end| end.unwrap_or_else(lost)).boxed()
    }

    fn checkpoint<'t>(tx: &'t mut MemoryTx, key: &'t Key) -> Answer<'t, Option<Checkpoint>> {
        MemoryDb::checkpoint(tx, key)
    }

    fn take<'t>(
        tx: &'t mut MemoryTx,
        key: &'t Key,
        start: &'t Position,
        runner: &'t str,
    ) -> Answer<'t, Checkpoint> {
        MemoryDb::take(tx, key, start, runner)
    }

    fn advance<'t>(
        tx: &'t mut MemoryTx,
        key: &'t Key,
        from: &'t Checkpoint,
        to: &'t Position,
        time: Micros,
    ) -> Answer<'t, bool> {
        MemoryDb::advance(tx, key, from, to, time)
    }

    fn mark<'t>(tx: &'t mut MemoryTx, key: &'t Key, epoch: u64, state: &'t str) -> Answer<'t, ()> {
        MemoryDb::mark(tx, key, epoch, state)
    }
}

impl Parking for SimDb {
    fn park<'t>(tx: &'t mut MemoryTx, of: &'t Key, parked: &'t Parked) -> Answer<'t, ()> {
        MemoryDb::park(tx, of, parked)
    }

    fn hold<'t>(tx: &'t mut MemoryTx, of: &'t Key, key: &'t str, events: &'t [Held]) -> Answer<'t, ()> {
        MemoryDb::hold(tx, of, key, events)
    }

    fn parked<'t>(tx: &'t mut MemoryTx, of: &'t Key) -> Answer<'t, Vec<Parked>> {
        MemoryDb::parked(tx, of)
    }

    fn held<'t>(tx: &'t mut MemoryTx, of: &'t Key, key: &'t str, limit: usize) -> Answer<'t, Vec<Held>> {
        MemoryDb::held(tx, of, key, limit)
    }

    fn release<'t>(
        tx: &'t mut MemoryTx,
        of: &'t Key,
        key: &'t str,
        upto: Held,
    ) -> Answer<'t, Option<(Held, u64)>> {
        MemoryDb::release(tx, of, key, upto)
    }

    fn holder<'t>(tx: &'t mut MemoryTx, of: &'t Key, pseq: u64) -> Answer<'t, Option<String>> {
        MemoryDb::holder(tx, of, pseq)
    }
}

impl Versions for SimDb {
    fn register<'t>(tx: &'t mut MemoryTx, projection: &'t str, tables: &'t Tables) -> Answer<'t, u32> {
        MemoryDb::register(tx, projection, tables)
    }

    fn versions<'t>(tx: &'t mut MemoryTx, projection: &'t str) -> Answer<'t, Vec<Version>> {
        MemoryDb::versions(tx, projection)
    }

    fn switch<'t>(tx: &'t mut MemoryTx, projection: &'t str, from: u32, to: u32) -> Answer<'t, bool> {
        MemoryDb::switch(tx, projection, from, to)
    }

    fn remove<'t>(tx: &'t mut MemoryTx, projection: &'t str, version: u32) -> Answer<'t, bool> {
        MemoryDb::remove(tx, projection, version)
    }

    fn compare<'d>(
        &'d self,
        table: &'d str,
        left: u32,
        right: u32,
        examples: usize,
    ) -> Answer<'d, Difference> {
        self.db.compare(table, left, right, examples)
    }

    fn board(&self) -> &Board {
        &self.board
    }
}

impl Audit for SimDb {
    fn record<'t>(tx: &'t mut MemoryTx, act: &'t Act) -> Answer<'t, ()> {
        MemoryDb::record(tx, act)
    }

    fn acts<'t>(tx: &'t mut MemoryTx, projection: &'t str) -> Answer<'t, Vec<Act>> {
        MemoryDb::acts(tx, projection)
    }
}
