//! One SQLite file for everything derived: snapshots, checkpoints, read models. Opens it, keeps its tables, and runs
//! transactions on its writing connections, one at a time. Knows nothing of what they write.
//!
//! A transaction runs in a task of its own that nobody aborts, because a driver's transaction must not be dropped half
//! way (transact-rs/sqlx#4385). After anything but a clean end the connection is closed and opened anew.
//!
//! The file is derived from the log, so it is written with `synchronous=NORMAL`: a loss of power may take the last
//! transactions, and their checkpoints go with them.

mod bulk;
mod checkpoint;
mod compare;
mod entities;
mod errors;
mod migrations;
mod parked;
mod snapshots;
mod versions;

use std::{
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;
use uuid::Uuid;

pub use snapshots::SqliteStore;

use super::driver::lost;
use crate::{
    checkpoint::{ApplyError, Board, Transacted, Work},
    entity::panicked,
};

/// The file's name inside a node's folder.
pub const FILE: &str = "read.db";

/// How long a statement waits for a lock that another program holds on the file.
const BUSY: Duration = Duration::from_secs(5);
/// How many connections read at the same time.
const READERS: u32 = 4;

/// A SQLite file of derived data. Cheap to clone.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palinode::store::sqlite::SqliteDb;
/// let folder = tempfile::tempdir()?;
/// let db = SqliteDb::open(folder.path().join("read.db")).await?;
/// let snapshots: i64 =
///     sqlx::query_scalar("select count(*) from palinode_snapshot").fetch_one(db.readers()).await?;
/// assert_eq!(snapshots, 0);
/// db.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct SqliteDb(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Mutex<Writer>,
    /// Used only by whoever holds the writer.
    bulk: bulk::Bulk,
    readers: SqlitePool,
    board: Board,
}

/// The connection that writes.
enum Writer {
    Open(SqliteConnection),
    /// Closed after a failure, or taken by the transaction that is running.
    Away,
    /// Closed for good.
    Closed,
}

impl SqliteDb {
    /// Opens the file, creating it and bringing its tables up to date.
    ///
    /// # Errors
    /// When it cannot be opened, the linked SQLite is one that can corrupt files, or the tables were made by a newer
    /// build or from changed migrations.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, ApplyError> {
        let path = path.as_ref().to_owned();
        let mut writer = connect(&path).await?;
        check_version(&version(&mut writer).await?)?;
        migrations::run(&mut writer).await?;
        // sqlx asks for the columns of a statement when it is prepared. A connection prepares by the schema that it saw
        // last, so after a swap `select *` from a view could give more columns than that, which ends the connection's
        // thread with a panic. So nothing prepared is kept, and the schema is looked at before each use.
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .read_only(true)
            .statement_cache_capacity(0)
            .busy_timeout(BUSY);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .before_acquire(|conn, _| Box::pin(seen(conn)))
            .connect_lazy_with(options.disable_statement_logging());
        Ok(Self(Arc::new(Inner {
            bulk: bulk::Bulk::new(&path),
            path,
            writer: Mutex::new(Writer::Open(writer)),
            readers,
            board: Board::default(),
        })))
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Read-only connections, for queries on read models. Keep transactions on them short: while one is open, the
    /// write-ahead log grows.
    #[must_use]
    pub fn readers(&self) -> &SqlitePool {
        &self.0.readers
    }

    /// The identity of another log of this service that something in the file was built from, if there is one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) async fn foreign(&self, service: &str, log_id: Uuid) -> Result<Option<String>, ApplyError> {
        let found = sqlx::query_scalar(
            "select found from (select json_extract(position, '$.log_id') as found from palinode_snapshot where service = ?1 \
             union select log_id from palinode_checkpoint where service = ?1) where found <> ?2 limit 1",
        );
        Ok(found.bind(service.to_owned()).bind(log_id.to_string()).fetch_optional(&self.0.readers).await?)
    }

    /// Closes the file after the running transaction; everything later is refused. The write-ahead log is folded into
    /// the file when nobody else reads it.
    pub async fn close(&self) {
        self.0.readers.close().await;
        let mut slot = self.0.writer.lock().await;
        self.0.bulk.close();
        if let Writer::Open(mut conn) = std::mem::replace(&mut *slot, Writer::Closed) {
            let fold = sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut conn).await;
            if let Err(e) = fold.and(conn.close().await) {
                tracing::warn!(file = %self.0.path.display(), error = %e, "closing the read database");
            }
        }
    }

    /// Runs the work in a transaction of its own that takes the write lock at once. Transactions run one after the
    /// other, in the order in which they were asked for.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: Work<SqliteConnection, T>,
    ) -> BoxFuture<'static, Transacted<T>> {
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let mut slot = inner.writer.lock().await;
            let mut conn = match std::mem::replace(&mut *slot, Writer::Away) {
                Writer::Open(conn) => conn,
                Writer::Away => match connect(&inner.path).await {
                    Ok(conn) => conn,
                    Err(e) => return Transacted::RolledBack(e),
                },
                Writer::Closed => {
                    *slot = Writer::Closed;
                    return Transacted::RolledBack(inner.closed());
                }
            };
            let (outcome, clean) = transaction(&mut conn, work).await;
            if clean {
                *slot = Writer::Open(conn);
            } else if let Err(e) = conn.close_hard().await {
                tracing::debug!(file = %inner.path.display(), error = %e, "closing a failed connection");
            }
            outcome
        });
        task.map(|end| end.unwrap_or_else(lost)).boxed()
    }

    /// The same for a transaction of many rows, on a thread that may wait for the disk.
    pub(crate) fn bulk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, ApplyError> + Send + 'static,
    ) -> BoxFuture<'static, Transacted<T>> {
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let slot = inner.writer.lock().await;
            if matches!(*slot, Writer::Closed) {
                return Transacted::RolledBack(inner.closed());
            }
            let run = Arc::clone(&inner);
            tokio::task::spawn_blocking(move || run.bulk.transact(work)).await.unwrap_or_else(lost)
        });
        task.map(|end| end.unwrap_or_else(lost)).boxed()
    }
}

impl Inner {
    fn closed(&self) -> ApplyError {
        ApplyError::broken(format!("{} is closed: its node has stopped", self.path.display()))
    }
}

/// One transaction, and whether the connection can be used again.
async fn transaction<T>(
    conn: &mut SqliteConnection,
    work: Work<SqliteConnection, T>,
) -> (Transacted<T>, bool) {
    let mut tx = match conn.begin_with("begin immediate").await {
        Ok(tx) => tx,
        Err(e) => return (Transacted::RolledBack(e.into()), false),
    };
    match AssertUnwindSafe(async { work(&mut tx).await }).catch_unwind().await {
        Ok(Ok(value)) => match tx.commit().await {
            Ok(()) => (Transacted::Committed(value), true),
            Err(e) => (Transacted::Unknown(e.into()), false),
        },
        Ok(Err(why)) => {
            let clean = tx.rollback().await.is_ok();
            (Transacted::RolledBack(why), clean)
        }
        Err(panic) => (Transacted::RolledBack(ApplyError::poison(panicked("a transaction", &*panic))), false),
    }
}

async fn connect(path: &Path) -> Result<SqliteConnection, ApplyError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY)
        .disable_statement_logging();
    options.connect().await.map_err(|e| {
        let e = ApplyError::from(e);
        ApplyError::new(e.class, format!("cannot open {}: {e}", path.display()))
    })
}

async fn version(conn: &mut SqliteConnection) -> Result<String, ApplyError> {
    Ok(sqlx::query_scalar("select sqlite_version()").fetch_one(conn).await?)
}

/// Looks at the file, so that the connection knows its tables and views as they are now.
async fn seen(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    sqlx::query("select 1 from sqlite_schema limit 1").fetch_optional(conn).await.map(|_| true)
}

/// Versions of SQLite before 3.51.3 can corrupt a file in WAL mode (the WAL-reset bug); 3.52.0 was withdrawn.
fn check_version(text: &str) -> Result<(), ApplyError> {
    let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    let version = (next(), next(), next());
    if version >= (3, 51, 3) && version != (3, 52, 0) {
        return Ok(());
    }
    Err(ApplyError::broken(format!(
        "SQLite {text} can corrupt a file in WAL mode: link 3.51.3 or newer, not 3.52.0 (feature sqlite-bundled)"
    )))
}

/// A number as SQLite counts.
fn integer(n: u64) -> Result<i64, ApplyError> {
    i64::try_from(n).map_err(|_| ApplyError::broken(format!("{n} is beyond what SQLite can count")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_that_can_corrupt_files_is_refused() {
        for good in ["3.51.3", "3.52.1", "3.53.0", "4.0.0"] {
            assert!(check_version(good).is_ok(), "{good}");
        }
        for bad in ["3.46.0", "3.51.2", "3.52.0", "", "what"] {
            assert!(check_version(bad).is_err(), "{bad}");
        }
    }
}
