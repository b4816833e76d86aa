//! One PostgreSQL database for everything derived: snapshots, checkpoints, read models. Connects, keeps its tables, and
//! runs transactions side by side. Knows nothing of what they write.
//!
//! Four kinds of connections: `writers` for transactions, which nobody else ever sees; `loaders` for single statements
//! on tables of our own; readers, which users share; and one that listens, while somebody waits for another process.

mod checkpoint;
mod compare;
mod entities;
#[cfg(any(test, feature = "testing"))]
pub mod fresh;
mod migrations;
mod notify;
mod parked;
mod settings;
mod snapshots;
mod versions;
mod writers;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;

pub use settings::{Encryption, PgSettings};
pub use snapshots::PgStore;

use self::{notify::Notices, writers::Writers};
use crate::checkpoint::{ApplyError, Board, Transacted, Work};

/// How many connections load snapshots and entities.
const LOADERS: u32 = 4;
/// Who waits longer for a connection to read with is told in the log.
const SLOW: Duration = Duration::from_millis(100);

/// A PostgreSQL database of derived data. Cheap to clone.
///
/// ```no_run
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palinode::store::postgres::{PgDb, PgSettings};
/// let db = PgDb::connect(PgSettings::url("postgres://booking@127.0.0.1/booking")?).await?;
/// let snapshots: i64 =
///     sqlx::query_scalar("select count(*) from palinode_snapshot").fetch_one(db.readers()).await?;
/// db.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct PgDb(Arc<Inner>);

struct Inner {
    place: String,
    writers: Arc<Writers>,
    loaders: PgPool,
    readers: PgPool,
    notices: Notices,
    board: Board,
}

impl PgDb {
    /// Connects, and brings the tables up to date. Several processes may do so at the same time.
    ///
    /// # Errors
    /// When the settings would send clear text over a network, the server cannot be reached or is too old, or the tables
    /// were made by a newer build or from changed migrations.
    pub async fn connect(settings: PgSettings) -> Result<Self, ApplyError> {
        let options = settings.options()?;
        let writers = Arc::new(Writers::new(&settings, options.clone()));
        migrations::run(writers.connect().await?, settings.schema_name()).await?;
        let loaders = pool(&settings, LOADERS).connect_lazy_with(options.clone());
        let listener = pool(&settings, 1).connect_lazy_with(options.clone());
        Ok(Self(Arc::new(Inner {
            place: settings.place(),
            writers,
            notices: Notices::new(listener, loaders.clone()),
            loaders,
            readers: readers(&settings, options),
            board: Board::default(),
        })))
    }

    /// Where it is, for people: user, host, port, database and schema.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// Read-only connections, for queries on read models. Keep transactions on them short: while one is open, what
    /// others write cannot be tidied up, and readers are not moved from a version that it looks at.
    #[must_use]
    pub fn readers(&self) -> &PgPool {
        &self.0.readers
    }

    /// The identity of another log of this service that something in the database was built from, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn foreign(&self, service: &str, log_id: Uuid) -> Result<Option<Uuid>, ApplyError> {
        let found = sqlx::query_scalar(
            "select log_id from palinode_snapshot where service = $1 and log_id <> $2 \
             union select log_id from palinode_checkpoint where service = $1 and log_id <> $2 and state <> 'removed' \
             limit 1",
        );
        Ok(found.bind(service).bind(log_id).fetch_optional(&self.0.loaders).await?)
    }

    /// Closes the connections after the running transactions; everything later is refused.
    pub async fn close(&self) {
        self.0.notices.close().await;
        self.0.readers.close().await;
        self.0.loaders.close().await;
        self.0.writers.close().await;
    }

    /// Runs the work in a transaction of its own, beside others.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: Work<PgConnection, T>,
    ) -> BoxFuture<'static, Transacted<T>> {
        self.0.writers.run(work)
    }
}

fn pool(settings: &PgSettings, connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(settings.connect)
        .acquire_slow_threshold(SLOW)
}

/// Users may drop a query or a transaction of theirs at any moment, and a pool of sqlx 0.9.0 then hands out a session
/// that is inside a transaction (transact-rs/sqlx#4393): so every session is rolled back before anybody gets it. Nothing
/// prepared is kept, because `select *` from a view has other columns after a swap, which a kept plan does not survive.
fn readers(settings: &PgSettings, options: PgConnectOptions) -> PgPool {
    let options = options
        .statement_cache_capacity(0)
        .options([("default_transaction_read_only", "on"), ("client_min_messages", "error")]);
    pool(settings, settings.readers)
        .test_before_acquire(false)
        .before_acquire(|conn, _| {
            Box::pin(async move { sqlx::raw_sql("rollback").execute(conn).await.map(|_| true) })
        })
        .connect_lazy_with(options)
}

/// A number as PostgreSQL counts.
fn bigint(n: u64) -> Result<i64, ApplyError> {
    i64::try_from(n).map_err(|_| ApplyError::broken(format!("{n} is beyond what PostgreSQL can count")))
}

/// The same of a small one.
fn integer(n: u32) -> Result<i32, ApplyError> {
    i32::try_from(n).map_err(|_| ApplyError::broken(format!("{n} is beyond what a column can count")))
}

/// A text for people: PostgreSQL keeps every character but one.
fn text(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}
