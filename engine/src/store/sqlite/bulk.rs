//! The other writing connection: transactions of many small rows, bound where they are. The way through the asynchronous
//! driver copies every value and costs more than writing it (docs/performance.md). It is used while the first writing
//! connection is held, so that the two never wait for each other. Knows nothing of what is written.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rusqlite::{Connection, OpenFlags};

use super::BUSY;
use crate::checkpoint::{ApplyError, Transacted};

/// Opened when it is first needed.
pub(super) struct Bulk {
    path: PathBuf,
    open: Mutex<Option<Connection>>,
}

impl Bulk {
    /// To this file, which has its tables.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), open: Mutex::default() }
    }

    /// Runs the work in a transaction, on the calling thread. After anything but a clean end the connection is opened
    /// anew.
    pub(super) fn transact<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, ApplyError>,
    ) -> Transacted<T> {
        let mut slot = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let db = match slot.take().map_or_else(|| connect(&self.path), Ok) {
            Ok(db) => db,
            Err(e) => return Transacted::RolledBack(e.into()),
        };
        let (outcome, clean) = transaction(&db, work);
        *slot = clean.then_some(db);
        outcome
    }

    /// Closes it.
    pub(super) fn close(&self) {
        drop(self.open.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// One transaction, and whether the connection can be used again.
fn transaction<T>(
    db: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, ApplyError>,
) -> (Transacted<T>, bool) {
    let run = |sql| db.prepare_cached(sql)?.execute([]).map(drop);
    if let Err(e) = run("begin immediate") {
        return (Transacted::RolledBack(e.into()), false);
    }
    match work(db) {
        Ok(value) => match run("commit") {
            Ok(()) => (Transacted::Committed(value), true),
            Err(e) => (Transacted::Unknown(e.into()), false),
        },
        // After some errors SQLite has rolled back by itself.
        Err(why) => (Transacted::RolledBack(why), db.is_autocommit() || run("rollback").is_ok()),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY)?;
    db.execute_batch(
        "pragma synchronous = normal; pragma trusted_schema = off; pragma temp_store = memory;",
    )?;
    Ok(db)
}
