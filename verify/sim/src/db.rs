//! The database of the simulated read models as one process has it: the one in memory with faults in front of it, its
//! process's death and freezing among them, and a memory of every commit, so that everything can be held against the
//! log as it was at each of them.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    store::memory::{Changed, MemoryDb, MemoryTx},
};

use crate::control::{Control, Cut};

type Answer<'t, T> = BoxFuture<'t, Result<T, ApplyError>>;
/// A table and a key.
pub(crate) type Row = (String, String);

/// How long a process that is cut off waits for its database.
const AWAY: Duration = Duration::from_secs(2);

/// What goes wrong, in a thousand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SqlFaults {
    pub(crate) unknown: u32,
    pub(crate) outage: u32,
    pub(crate) slow: Duration,
}

/// Where a checkpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) offset: u64,
    pub(crate) pseq: u64,
    pub(crate) epoch: u64,
}

/// A transaction that was committed, and what it left of what it touched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Committed {
    /// Rows.
    pub(crate) rows: BTreeMap<Row, Option<String>>,
    /// Checkpoints; none: taken away.
    pub(crate) at: BTreeMap<Key, Option<At>>,
    /// What keys of checkpoints hold back; nothing: the key is free.
    pub(crate) held: BTreeMap<(Key, String), Vec<Held>>,
    /// The versions of projections, and whether readers see them.
    pub(crate) versions: BTreeMap<String, BTreeMap<u32, bool>>,
    /// What people did.
    pub(crate) acts: Vec<Act>,
}

/// The database as one process has it. Clones share everything.
#[derive(Clone)]
pub(crate) struct SimDb {
    db: MemoryDb,
    inner: Arc<Mutex<Inner>>,
    board: Board,
    process: Option<Control>,
}

struct Inner {
    faults: SqlFaults,
    chance: Chance,
    commits: Vec<Committed>,
    counts: BTreeMap<&'static str, u64>,
    positions: BTreeMap<Key, u64>,
    parked: BTreeSet<(Key, String)>,
}

impl SimDb {
    pub(crate) fn new(seed: u64) -> Self {
        let inner = Inner {
            faults: SqlFaults::default(),
            chance: Chance::new(seed),
            commits: Vec::new(),
            counts: BTreeMap::new(),
            positions: BTreeMap::new(),
            parked: BTreeSet::new(),
        };
        let inner = Arc::new(Mutex::new(inner));
        Self { db: MemoryDb::default(), inner, board: Board::default(), process: None }
    }

    /// The same database, in this process.
    pub(crate) fn of_process(&self, process: Control) -> Self {
        Self { board: Board::default(), process: Some(process), ..self.clone() }
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

    /// How many transactions were committed.
    pub(crate) fn age(&self) -> usize {
        self.lock().commits.len()
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.lock().counts.clone()
    }

    /// The record each checkpoint stands at.
    pub(crate) fn positions(&self) -> BTreeMap<Key, u64> {
        self.lock().positions.clone()
    }

    /// Whether any key of any version is parked.
    pub(crate) fn holds_back(&self) -> bool {
        !self.lock().parked.is_empty()
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

    fn keep(&self, committed: Committed) {
        let mut inner = self.lock();
        for (key, at) in &committed.at {
            match at {
                Some(at) => drop(inner.positions.insert(key.clone(), at.offset)),
                None => drop(inner.positions.remove(key)),
            }
        }
        for (place, held) in &committed.held {
            match held.is_empty() {
                true => drop(inner.parked.remove(place)),
                false => drop(inner.parked.insert(place.clone())),
            }
        }
        inner.commits.push(committed);
    }

    /// A transaction at the database, whoever asked for it.
    async fn carry_out<T: Send + 'static>(self, work: Work<MemoryTx, T>) -> Transacted<T> {
        let wait = self.wait();
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        if self.hits("sql.outage", |f| f.outage) {
            return Transacted::RolledBack(ApplyError::outage("the database is away"));
        }
        let unknown = self.hits("sql.unknown", |f| f.unknown);
        let vanishes = unknown && self.lock().chance.hits(500);
        let broke = || ApplyError::outage("the connection broke");
        let db = self.clone();
        let work: Work<MemoryTx, T> = Box::new(move |tx| {
            Box::pin(async move {
                let value = work(tx).await?;
                if vanishes {
                    return Err(broke());
                }
                // The last thing that can fail: what is kept here is committed.
                let committed = look(tx).await?;
                db.keep(committed);
                Ok(value)
            })
        });
        match self.db.transact(work).await {
            Transacted::Committed(_) if unknown => Transacted::Unknown(broke()),
            Transacted::RolledBack(_) if vanishes => Transacted::Unknown(broke()),
            other => other,
        }
    }
}

/// What a transaction will have done, seen before it is committed.
async fn look(tx: &mut MemoryTx) -> Result<Committed, ApplyError> {
    let (mut rows, mut keys, mut held) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut projections, mut acts) = (BTreeSet::new(), Vec::new());
    for changed in tx.changes() {
        match changed {
            Changed::Row(table, key) => drop(rows.insert((table.to_owned(), key.to_owned()))),
            Changed::Checkpoint(key) => drop(keys.insert(key.clone())),
            Changed::Parked(of, key) => drop(held.insert((of.clone(), key.to_owned()))),
            Changed::Versions(projection) => drop(projections.insert(projection.to_owned())),
            Changed::Act(act) => acts.push(act.clone()),
        }
    }
    let mut committed = Committed { acts, ..Committed::default() };
    for (table, key) in rows {
        let value = tx.get(&table, &key).map(str::to_owned);
        committed.rows.insert((table, key), value);
    }
    for key in keys {
        let at = MemoryDb::checkpoint(tx, &key).await?.map(|at| At {
            offset: at.position.offset,
            pseq: at.position.pseq,
            epoch: at.epoch,
        });
        committed.at.insert(key, at);
    }
    for (of, key) in held {
        let events = MemoryDb::held(tx, &of, &key, usize::MAX).await?;
        committed.held.insert((of, key), events);
    }
    for projection in projections {
        let versions = MemoryDb::versions(tx, &projection).await?;
        committed.versions.insert(projection, versions.iter().map(|v| (v.version, v.active)).collect());
    }
    Ok(committed)
}

impl Db for SimDb {
    type Tx = MemoryTx;

    fn transact<T: Send + 'static>(&self, work: Work<MemoryTx, T>) -> BoxFuture<'static, Transacted<T>> {
        let db = self.clone();
        let lost = |_| Transacted::Unknown(ApplyError::outage("a transaction's task was lost"));
        async move {
            let process = db.process.clone();
            let entered = match &process {
                Some(process) => match process.enter() {
                    Some(entered) => Some(entered),
                    None => return std::future::pending().await,
                },
                None => None,
            };
            let cut = process.as_ref().and_then(Control::store_cut);
            let end = if cut == Some(Cut::Requests) {
                tokio::time::sleep(AWAY).await;
                Transacted::RolledBack(ApplyError::outage("no way to the database"))
            } else {
                // A task of the database: dropping the caller neither stops nor splits it.
                let end = tokio::spawn(db.carry_out(work)).await.unwrap_or_else(lost);
                if cut == Some(Cut::Replies) {
                    tokio::time::sleep(AWAY).await;
                    Transacted::Unknown(ApplyError::outage("no word from the database"))
                } else {
                    end
                }
            };
            if let (Some(process), Some(entered)) = (&process, entered) {
                process.leave(entered).await;
            }
            end
        }
        .boxed()
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

    fn active<'t>(tx: &'t mut MemoryTx, projection: &'t str) -> Answer<'t, Option<u32>> {
        MemoryDb::active(tx, projection)
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
