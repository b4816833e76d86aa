//! A database of read models in maps: for simulation and tests. Transactions run one after the other; told to, their
//! end is not known.

mod parked;
mod versions;

use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{
    checkpoint::{Act, ApplyError, Board, Checkpoint, Db, Key, Transacted, Work},
    entity::panicked,
    position::Position,
    time::Micros,
};

/// What becomes of a transaction that was told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxFault {
    /// It happens and is answered `Unknown`.
    UnknownHappened,
    /// It is rolled back and answered `Unknown`.
    UnknownNot,
    /// It is rolled back as an outage.
    Outage,
}

/// A database in memory: tables of text by text. Clones share it, as nodes share a database.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use palinode::{checkpoint::{Db, Transacted}, store::memory::MemoryDb};
/// let db = MemoryDb::default();
/// let done = db.transact(Box::new(|tx| Box::pin(async move {
///     tx.put("balance", "account/1", "100");
///     Ok(())
/// })));
/// assert_eq!(done.await, Transacted::Committed(()));
/// assert_eq!(db.table("balance").await["account/1"], "100");
/// # });
/// ```
#[derive(Clone, Default)]
pub struct MemoryDb(Arc<Mutex<Inner>>, Board);

#[derive(Default)]
struct Inner {
    rows: BTreeMap<(String, String), String>,
    checkpoints: BTreeMap<Key, Kept>,
    shelves: BTreeMap<String, versions::Shelf>,
    parked: BTreeMap<(Key, String), parked::Entry>,
    acts: Vec<Act>,
    faults: VecDeque<TxFault>,
}

#[derive(Clone)]
struct Kept {
    checkpoint: Checkpoint,
    state: String,
}

impl Kept {
    /// The state of a checkpoint whose version was taken away: only its epoch is left of it.
    const REMOVED: &str = "removed";

    fn removed(&self) -> bool {
        self.state == Self::REMOVED
    }
}

/// An open transaction. What it changed is taken back unless it is committed.
pub struct MemoryTx {
    inner: OwnedMutexGuard<Inner>,
    /// How everything was before, latest last.
    undo: Vec<Undo>,
}

enum Undo {
    Row((String, String), Option<String>),
    Checkpoint(Key, Option<Kept>),
    Shelf(String, Option<versions::Shelf>),
    Parked((Key, String), Option<parked::Entry>),
    Act,
}

/// Something that a transaction has changed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed<'t> {
    /// The row of this table and key.
    Row(&'t str, &'t str),
    /// A checkpoint.
    Checkpoint(&'t Key),
    /// What this key of this checkpoint holds back.
    Parked(&'t Key, &'t str),
    /// The versions of this projection.
    Versions(&'t str),
    /// What a person did was recorded.
    Act(&'t Act),
}

impl MemoryDb {
    /// The next transaction that is not scripted yet ends like this.
    pub async fn fail_next(&self, fault: TxFault) {
        self.0.lock().await.faults.push_back(fault);
    }

    /// The rows of a table. By the name that readers use: those of the version that is active.
    pub async fn table(&self, table: &str) -> BTreeMap<String, String> {
        let inner = self.0.lock().await;
        let table = inner.shown(table);
        let rows = inner.rows.iter().filter(|((of, _), _)| *of == table);
        rows.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    /// A checkpoint, with what is said about it.
    pub async fn state(&self, key: &Key) -> Option<(Checkpoint, String)> {
        let inner = self.0.lock().await;
        inner.checkpoints.get(key).map(|kept| (kept.checkpoint.clone(), kept.state.clone()))
    }
}

impl MemoryTx {
    /// The value of a row.
    #[must_use]
    pub fn get(&self, table: &str, key: &str) -> Option<&str> {
        self.inner.rows.get(&(table.to_owned(), key.to_owned())).map(String::as_str)
    }

    /// Sets a row.
    pub fn put(&mut self, table: &str, key: &str, value: impl Into<String>) {
        let row = (table.to_owned(), key.to_owned());
        let before = self.inner.rows.insert(row.clone(), value.into());
        self.undo.push(Undo::Row(row, before));
    }

    /// Removes a row.
    pub fn remove(&mut self, table: &str, key: &str) {
        let row = (table.to_owned(), key.to_owned());
        let before = self.inner.rows.remove(&row);
        self.undo.push(Undo::Row(row, before));
    }

    /// What this transaction has changed so far, in order. The same may come several times.
    pub fn changes(&self) -> impl Iterator<Item = Changed<'_>> {
        let recorded = self.undo.iter().filter(|undo| matches!(undo, Undo::Act)).count();
        let mut acts = self.inner.acts.iter().skip(self.inner.acts.len().saturating_sub(recorded));
        self.undo.iter().filter_map(move |undo| match undo {
            Undo::Row((table, key), _) => Some(Changed::Row(table, key)),
            Undo::Checkpoint(key, _) => Some(Changed::Checkpoint(key)),
            Undo::Shelf(projection, _) => Some(Changed::Versions(projection)),
            Undo::Parked((of, key), _) => Some(Changed::Parked(of, key)),
            Undo::Act => acts.next().map(Changed::Act),
        })
    }

    fn keep(&mut self, key: &Key, kept: Kept) {
        let before = self.inner.checkpoints.insert(key.clone(), kept);
        self.undo.push(Undo::Checkpoint(key.clone(), before));
    }

    fn commit(mut self) {
        self.undo.clear();
    }
}

impl Drop for MemoryTx {
    fn drop(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Row(row, Some(before)) => drop(self.inner.rows.insert(row, before)),
                Undo::Row(row, None) => drop(self.inner.rows.remove(&row)),
                Undo::Checkpoint(key, Some(before)) => drop(self.inner.checkpoints.insert(key, before)),
                Undo::Checkpoint(key, None) => drop(self.inner.checkpoints.remove(&key)),
                Undo::Shelf(projection, Some(before)) => drop(self.inner.shelves.insert(projection, before)),
                Undo::Shelf(projection, None) => drop(self.inner.shelves.remove(&projection)),
                Undo::Parked(place, Some(before)) => drop(self.inner.parked.insert(place, before)),
                Undo::Parked(place, None) => drop(self.inner.parked.remove(&place)),
                Undo::Act => drop(self.inner.acts.pop()),
            }
        }
    }
}

impl Db for MemoryDb {
    type Tx = MemoryTx;

    fn transact<T: Send + 'static>(&self, work: Work<MemoryTx, T>) -> BoxFuture<'static, Transacted<T>> {
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let mut tx = MemoryTx { inner: inner.lock_owned().await, undo: Vec::new() };
            let fault = tx.inner.faults.pop_front();
            let told = |what: &str| ApplyError::outage(format!("told to: {what}"));
            let done = AssertUnwindSafe(async { work(&mut tx).await }).catch_unwind().await;
            match (done, fault) {
                (Err(panic), _) => {
                    Transacted::RolledBack(ApplyError::poison(panicked("a transaction", &*panic)))
                }
                (Ok(Err(why)), _) => Transacted::RolledBack(why),
                (Ok(Ok(value)), None) => {
                    tx.commit();
                    Transacted::Committed(value)
                }
                (Ok(Ok(_)), Some(TxFault::UnknownHappened)) => {
                    tx.commit();
                    Transacted::Unknown(told("unknown, and it happened"))
                }
                (Ok(Ok(_)), Some(TxFault::UnknownNot)) => {
                    Transacted::Unknown(told("unknown, and it did not happen"))
                }
                (Ok(Ok(_)), Some(TxFault::Outage)) => Transacted::RolledBack(told("an outage")),
            }
        });
        let lost = |e| ApplyError::outage(format!("a transaction's task was lost: {e}"));
        task.map(move |end| end.unwrap_or_else(|e| Transacted::Unknown(lost(e)))).boxed()
    }

    fn checkpoint<'t>(
        tx: &'t mut MemoryTx,
        key: &'t Key,
    ) -> BoxFuture<'t, Result<Option<Checkpoint>, ApplyError>> {
        let found = tx.inner.checkpoints.get(key).filter(|kept| !kept.removed());
        let found = found.map(|kept| kept.checkpoint.clone());
        std::future::ready(Ok(found)).boxed()
    }

    fn take<'t>(
        tx: &'t mut MemoryTx,
        key: &'t Key,
        start: &'t Position,
        _runner: &'t str,
    ) -> BoxFuture<'t, Result<Checkpoint, ApplyError>> {
        let found = tx.inner.checkpoints.get(key);
        let epoch = found.map_or(0, |kept| kept.checkpoint.epoch);
        let goes_on = |kept: &&Kept| !kept.removed() || zoo!("removed-version-goes-on");
        let mut taken = found.filter(goes_on).map_or_else(
            || Checkpoint { position: start.clone(), time: Micros(0), epoch },
            |k| k.checkpoint.clone(),
        );
        taken.epoch = taken.epoch.saturating_add(1);
        tx.keep(key, Kept { checkpoint: taken.clone(), state: "live".into() });
        std::future::ready(Ok(taken)).boxed()
    }

    fn advance<'t>(
        tx: &'t mut MemoryTx,
        key: &'t Key,
        from: &'t Checkpoint,
        to: &'t Position,
        time: Micros,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        let there = |kept: &&Kept| {
            let at = &kept.checkpoint;
            at.position.offset == from.position.offset && at.epoch == from.epoch
        };
        let kept = tx.inner.checkpoints.get(key).filter(there).cloned();
        let moved = kept.is_some();
        if let Some(kept) = kept {
            let checkpoint = Checkpoint { position: to.clone(), time, epoch: from.epoch };
            tx.keep(key, Kept { checkpoint, ..kept });
        }
        std::future::ready(Ok(moved)).boxed()
    }

    fn mark<'t>(
        tx: &'t mut MemoryTx,
        key: &'t Key,
        epoch: u64,
        state: &'t str,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        let kept = tx.inner.checkpoints.get(key).filter(|kept| kept.checkpoint.epoch == epoch).cloned();
        if let Some(kept) = kept {
            tx.keep(key, Kept { state: state.to_owned(), ..kept });
        }
        std::future::ready(Ok(())).boxed()
    }
}
