//! Projections: read models that follow the log. What a user writes to describe one; the shell that runs it is in
//! `projection/`. A projection has no side effects but its own tables, so it can be deleted and built again.
//!
//! Rows and checkpoint change in one transaction, the checkpoint first and by compare-and-set: a runner that was
//! replaced changes nothing. A row should be fed by one shard only; sums over shards belong in a view.
//!
//! An event that cannot be taken parks its key, and the rest flows ([`ReadModel::parked`]). A new version is built beside
//! the one that readers see, and swapped in ([`ReadModel::swap`]).

mod batch;
mod desk;
mod elsewhere;
mod entities;
mod events;
mod footing;
mod levels;
mod meter;
mod parking;
mod poison;
mod read_model;
mod resume;
mod runner;
mod start;
mod swap;
mod telling;
mod versions;
mod watch;

use std::sync::Arc;

pub use crate::checkpoint::{
    Act, ApplyError, Class, Db, Difference, Held, Parked, ReadDb, Said, ShardStatus, Sql, State, Tables,
    Version,
};
pub use entities::{Any, Entities};
pub use events::{EventSet, Of};
pub use read_model::{ReadModel, Waited};
pub use start::{Source, start};
pub use versions::Ready;
pub use watch::Watch;

use crate::{address::EntityKey, time::Micros};

/// A read model of one service, in a database of type `D`.
///
/// ```
/// # use palinode::{Aggregate, Context};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default, Serialize, Deserialize)] struct Account;
/// # #[derive(Serialize, Deserialize)]
/// # #[serde(tag = "type", content = "data", rename_all = "snake_case")]
/// # enum Event { Deposited(i64), Withdrawn(i64) }
/// # impl Aggregate for Account {
/// #     const SERVICE: &'static str = "bank"; const KIND: &'static str = "account";
/// #     type Command = (); type Event = Event; type Reply = (); type Rejection = String;
/// #     fn decide(&self, _: &(), _: &Context) -> Result<Vec<Event>, String> { Ok(vec![]) }
/// #     fn evolve(&mut self, _: &Event) {}
/// #     fn reply(&self, _: &()) {}
/// # }
/// use std::collections::BTreeMap;
/// use palinode::projection::{ApplyError, Of, Projection, Recorded, Tables};
/// use palinode::store::sqlite::SqliteDb;
/// use sqlx::SqliteConnection;
///
/// /// One row an account: its balance.
/// struct Balances;
///
/// impl Projection<SqliteDb> for Balances {
///     const NAME: &'static str = "balances";
///     const VERSION: u32 = 1;
///     const TABLES: &'static [&'static str] = &["balance"];
///     type Event = Of<Account>;
///     type Batch = BTreeMap<String, i64>;
///
///     async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
///         let sql = "create table if not exists {balance} (account text primary key, cents integer) strict";
///         sqlx::raw_sql(tables.sql(sql)).execute(tx).await?;
///         Ok(())
///     }
///
///     fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Account>>) -> Result<(), ApplyError> {
///         let cents = match *e.event {
///             Event::Deposited(n) => n,
///             Event::Withdrawn(n) => -n,
///         };
///         *batch.entry(e.entity.id.to_string()).or_default() += cents;
///         Ok(())
///     }
///
///     async fn write(
///         &self, tx: &mut SqliteConnection, tables: &Tables, batch: Self::Batch,
///     ) -> Result<(), ApplyError> {
///         let sql = "insert into {balance} values (?1, ?2) on conflict do update set cents = cents + ?2";
///         for (account, cents) in batch {
///             sqlx::query(tables.sql(sql)).bind(account).bind(cents).execute(&mut *tx).await?;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Projection<D: Db>: Send + Sync + 'static {
    /// Its name: stable, stored; 1 to 64 of `a-z`, `0-9` and `-`.
    const NAME: &'static str;
    /// Raised when its tables must be built again from the beginning: every version has tables and checkpoints of its
    /// own, and is built beside the one that readers see.
    const VERSION: u32;
    /// Its tables and views, by the names that readers use: `taken` is a view of `taken_v2` while version 2 is active.
    const TABLES: &'static [&'static str];
    /// The events it subscribes to; others only move its position.
    type Event: EventSet;
    /// What a batch of events means for its tables.
    type Batch: Default + Send + 'static;

    /// Creates its tables where they are not there. Runs in one transaction at every start, so it must be idempotent.
    /// What they are called says `tables`, never the code.
    ///
    /// # Errors
    /// When that fails: the projection does not start.
    fn prepare(
        &self,
        tx: &mut D::Tx,
        tables: &Tables,
    ) -> impl Future<Output = Result<(), ApplyError>> + Send {
        let _ = (tx, tables);
        async { Ok(()) }
    }

    /// The unit of parking: when an event cannot be taken, it and all later events of its key are held back, in order,
    /// and the rest flows. By default its entity. A row that is fed by several entities, in an order that matters, needs
    /// a key that they share.
    ///
    /// Told by where an event stands, so that one that cannot be read has a key too. Pure.
    fn key(&self, event: &Recorded<()>) -> String {
        event.entity.to_string()
    }

    /// Takes an event into the batch. Pure: the same events may be folded again, in batches of another size.
    ///
    /// # Errors
    /// When the event cannot be taken: its key is parked, and nothing is skipped.
    fn fold(&self, batch: &mut Self::Batch, event: &Recorded<Self::Event>) -> Result<(), ApplyError>;

    /// Writes a batch, in the transaction that moves the checkpoint past it. Never commits or rolls back itself.
    ///
    /// # Errors
    /// When it cannot be written. An error of class [`Class::Outage`] is tried again, without limit; one of class
    /// [`Class::Poison`], or a panic, parks the key of the event that it comes with when it is written alone; any other
    /// stops the shard. Errors of sqlx become the right class by `?`; an error must not be swallowed, because SQLite may
    /// have ended the transaction with it.
    fn write(
        &self,
        tx: &mut D::Tx,
        tables: &Tables,
        batch: Self::Batch,
    ) -> impl Future<Output = Result<(), ApplyError>> + Send;
}

/// An event and where it is recorded.
#[derive(Debug, Clone)]
pub struct Recorded<E> {
    /// The event.
    pub event: E,
    /// Its stable name, `kind.tag`.
    pub name: Arc<str>,
    /// The service whose log holds it.
    pub service: Arc<str>,
    /// The shard.
    pub shard: u32,
    /// Number of its commit in the shard.
    pub pseq: u64,
    /// Its index in the commit.
    pub idx: u32,
    /// The entity it happened to.
    pub entity: EntityKey,
    /// The entity's version after it: 1 for its first event.
    pub version: u64,
    /// Time of its commit.
    pub time: Micros,
}

impl<E> Recorded<E> {
    /// Its id, the same for ever: `service/shard/pseq/idx`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}/{}/{}", self.service, self.shard, self.pseq, self.idx)
    }

    /// The same place with another event.
    pub(crate) fn with<T>(&self, event: T) -> Recorded<T> {
        Recorded {
            event,
            name: Arc::clone(&self.name),
            service: Arc::clone(&self.service),
            shard: self.shard,
            pseq: self.pseq,
            idx: self.idx,
            entity: self.entity.clone(),
            version: self.version,
            time: self.time,
        }
    }
}
