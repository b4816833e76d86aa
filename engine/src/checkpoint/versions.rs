//! The port of versions side by side: which tables each version of a projection keeps, and which of them readers see.
//! Knows names and numbers, no rows.
//!
//! # The contract
//!
//! V1. `register` keeps which tables a version has. The first version of a projection becomes the active one: what
//!     readers ask by the stable names is its tables. A table belongs to one projection, and a version keeps its tables.
//! V2. `switch` moves readers from one version to another in the caller's transaction, by compare-and-set on the active
//!     version, and else changes nothing and says so.
//! V3. `remove` takes away a version that is not active: its tables, its parked keys. Its checkpoints begin anew, and
//!     their epochs do not: a runner that is late changes nothing.
//! V4. `active` tells which version readers see, and it stays so until the caller's transaction ends.
//! V5. `lock` waits for all transactions of the projection that locked it or asked for `active`, and lets none do so until
//!     the caller's ends: what is read after it is where versions stand when readers are moved.

use futures_util::future::BoxFuture;

use super::{ApplyError, Board, Checkpoint, Db, Key, Tables};

/// A version of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number.
    pub version: u32,
    /// Whether readers see it.
    pub active: bool,
    /// Its tables, by the names that readers use.
    pub tables: Vec<String>,
    /// How far it is, in every shard of every service that it reads.
    pub at: Vec<(Key, Checkpoint)>,
    /// The shards of it that stand still, and why.
    pub still: Vec<(Key, String)>,
}

/// How the same table of two versions differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its name, as readers use it.
    pub table: String,
    /// How many rows each has.
    pub rows: (u64, u64),
    /// Columns that only one has; they are not compared.
    pub columns: (Vec<String>, Vec<String>),
    /// How many rows only one has.
    pub only: (u64, u64),
    /// Some of these rows, as text.
    pub examples: (Vec<String>, Vec<String>),
}

impl Difference {
    /// Whether both hold the same.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.only == (0, 0)
            && self.rows.0 == self.rows.1
            && self.columns.0.is_empty()
            && self.columns.1.is_empty()
    }
}

/// A database that keeps several versions of a projection. See the module's contract V1 to V5.
pub trait Versions: Db {
    /// Keeps which tables a version has, and answers with the active version (V1).
    fn register<'t>(
        tx: &'t mut Self::Tx,
        projection: &'t str,
        tables: &'t Tables,
    ) -> BoxFuture<'t, Result<u32, ApplyError>>;

    /// The version that readers see (V4); `None` when there is none.
    fn active<'t>(
        tx: &'t mut Self::Tx,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Option<u32>, ApplyError>>;

    /// Keeps all others from the projection's versions until the transaction ends (V5). Where transactions run one after
    /// the other there is nothing to do.
    fn lock<'t>(tx: &'t mut Self::Tx, projection: &'t str) -> BoxFuture<'t, Result<(), ApplyError>> {
        let _ = (tx, projection);
        Box::pin(std::future::ready(Ok(())))
    }

    /// All versions, by number, as they are at one moment.
    fn versions<'t>(
        tx: &'t mut Self::Tx,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Vec<Version>, ApplyError>>;

    /// Moves readers (V2). `false`: `from` was not the active version.
    fn switch<'t>(
        tx: &'t mut Self::Tx,
        projection: &'t str,
        from: u32,
        to: u32,
    ) -> BoxFuture<'t, Result<bool, ApplyError>>;

    /// Takes a version away (V3). `false`: it is the active one, or there is none of this number.
    fn remove<'t>(
        tx: &'t mut Self::Tx,
        projection: &'t str,
        version: u32,
    ) -> BoxFuture<'t, Result<bool, ApplyError>>;

    /// Compares the same table of two versions at one moment, with so many examples a side.
    fn compare<'d>(
        &'d self,
        table: &'d str,
        left: u32,
        right: u32,
        examples: usize,
    ) -> BoxFuture<'d, Result<Difference, ApplyError>>;

    /// What this process knows of the read models on this database.
    fn board(&self) -> &Board;
}
