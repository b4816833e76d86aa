//! The port of a database that read models live in: transactions that nobody can drop half way, and the checkpoint
//! that moves in the same transaction as the rows. Knows nothing of events or of what the rows mean.
//!
//! # The contract
//!
//! C1. `transact` runs its work in one transaction: all of it happens or nothing. Dropping the returned future neither
//!     stops nor splits it.
//! C2. An error or a panic of the work rolls back. `RolledBack` means that nothing happened and nothing will.
//! C3. `Unknown` is an outcome: it may have happened; it is decided by the time of the answer. Read the checkpoint.
//! C4. `take` raises the epoch by one and never lowers it; where there is no checkpoint it begins at the one given.
//! C5. `advance` moves the checkpoint if it stands at the old offset in the caller's epoch, and else changes nothing
//!     and says so.

mod audit;
mod bell;
mod board;
mod entities;
mod parked;
mod status;
mod tables;
mod versions;

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use thiserror::Error;

pub use audit::{Act, Audit, Said};
pub use bell::{About, Bell, News};
pub use board::Board;
pub(crate) use board::{Go, Running};
pub use entities::{EntityRow, EntityTable};
pub use parked::{Held, Parked, Parking};
pub use status::{ShardStatus, State};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "testing"))]
pub(crate) use tables::versioned;
pub use tables::{Sql, Tables};
pub use versions::{Difference, Version, Versions};

use crate::{
    log::{Advice, LogError},
    position::Position,
    time::Micros,
    trace::names::value,
};

/// What may be done after an error; fixed where the error is born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The database, the disk or the network is away or busy: try again, without limit. Never the event's fault.
    Outage,
    /// The data cannot be taken: a constraint, a shape, a panic of user code. Trying again gives the same.
    Poison,
    /// Another runner has taken over.
    Superseded,
    /// The database or the log cannot be trusted: stop.
    Broken,
}

impl Class {
    /// Its name, for metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Poison => "poison",
            Self::Superseded => "superseded",
            Self::Broken => "broken",
        }
    }
}

/// Why something could not be read from or written to a read model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct ApplyError {
    /// What may be done about it.
    pub class: Class,
    /// What went wrong and where.
    pub what: Arc<str>,
}

impl ApplyError {
    /// An error of this class.
    pub fn new(class: Class, what: impl Into<Arc<str>>) -> Self {
        Self { class, what: what.into() }
    }

    /// The database is away or busy.
    pub fn outage(what: impl Into<Arc<str>>) -> Self {
        Self::new(Class::Outage, what)
    }

    /// The data cannot be taken.
    pub fn poison(what: impl Into<Arc<str>>) -> Self {
        Self::new(Class::Poison, what)
    }

    /// Nothing here can be trusted.
    pub fn broken(what: impl Into<Arc<str>>) -> Self {
        Self::new(Class::Broken, what)
    }
}

impl From<serde_json::Error> for ApplyError {
    fn from(e: serde_json::Error) -> Self {
        Self::poison(e.to_string())
    }
}

impl From<LogError> for ApplyError {
    fn from(e: LogError) -> Self {
        let class = match e.advice {
            Advice::Retry => Class::Outage,
            Advice::Stop => Class::Broken,
        };
        Self { class, what: e.what }
    }
}

impl From<ApplyError> for LogError {
    fn from(e: ApplyError) -> Self {
        match e.class {
            Class::Outage => Self::retry(e.what),
            Class::Poison | Class::Superseded | Class::Broken => Self::stop(e.what),
        }
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a transaction may have been rolled back, or its outcome may be unknown"]
pub enum Transacted<T> {
    /// It happened.
    Committed(T),
    /// Nothing happened.
    RolledBack(ApplyError),
    /// It may have happened (C3).
    Unknown(ApplyError),
}

/// What is done inside a transaction.
pub type Work<Tx, T> = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, ApplyError>> + Send>;

/// Whose checkpoint: one row of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The projection's name.
    pub projection: Arc<str>,
    /// Its version.
    pub version: u32,
    /// The service it reads.
    pub service: Arc<str>,
    /// The shard.
    pub shard: u32,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {} on {}/{}", self.projection, self.version, self.service, self.shard)
    }
}

/// How far a projection has come in a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last record that counted and is in the tables.
    pub position: Position,
    /// Time of the last commit; zero before the first.
    pub time: Micros,
    /// How often the shard was taken over; only the latest epoch may write.
    pub epoch: u64,
}

/// A database that read models live in. See the module's contract C1 to C5.
pub trait Db: Clone + Send + Sync + 'static {
    /// An open transaction, as a projection's SQL sees it.
    type Tx: Send;

    /// What telemetry calls a database of this sort: a `db.system.name` of OpenTelemetry.
    const SYSTEM: &'static str = value::OTHER_SQL;

    /// Runs this work in one transaction (C1 to C3).
    fn transact<T: Send + 'static>(&self, work: Work<Self::Tx, T>) -> BoxFuture<'static, Transacted<T>>;

    /// The checkpoint, if there is one.
    fn checkpoint<'t>(
        tx: &'t mut Self::Tx,
        key: &'t Key,
    ) -> BoxFuture<'t, Result<Option<Checkpoint>, ApplyError>>;

    /// Takes over for `runner` (C4): the checkpoint in its new epoch. `start` is where a new one begins.
    fn take<'t>(
        tx: &'t mut Self::Tx,
        key: &'t Key,
        start: &'t Position,
        runner: &'t str,
    ) -> BoxFuture<'t, Result<Checkpoint, ApplyError>>;

    /// Moves the checkpoint from the offset of `from`, in its epoch, to this position and time (C5). `false`: it was
    /// somewhere else.
    fn advance<'t>(
        tx: &'t mut Self::Tx,
        key: &'t Key,
        from: &'t Checkpoint,
        to: &'t Position,
        time: Micros,
    ) -> BoxFuture<'t, Result<bool, ApplyError>>;

    /// Writes why a shard stands still, or `live`, for people who read the table; only in the caller's epoch.
    fn mark<'t>(
        tx: &'t mut Self::Tx,
        key: &'t Key,
        epoch: u64,
        state: &'t str,
    ) -> BoxFuture<'t, Result<(), ApplyError>>;

    /// Says to whoever waits, in this process and in others, that a checkpoint has moved: a hint, which may be lost.
    fn ring(&self, _about: About) {}

    /// Hears of what others [`ring`](Db::ring) for, where the database can tell.
    fn news(&self, _about: &About) -> Option<News> {
        None
    }
}

/// A database that read models can live in, with all that belongs to them.
pub trait ReadDb: Versions + Parking + Audit {}

impl<D: Versions + Parking + Audit> ReadDb for D {}
