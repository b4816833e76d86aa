//! Reading: a few read-only connections, used on tokio's blocking threads, each for one page of one lane at a time, so
//! that no read transaction lives long enough to keep the -wal file from starting anew. (Threads of our own would idle
//! most of the time: reads are for recovery, projections and the rare gap.)

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{
    database,
    error::read_error,
    folder::Folder,
    lane::Lane,
    row::{read, record},
};
use crate::log::{LogError, Stored};

/// Connections that read at the same time.
const READERS: usize = 4;
/// A page of records ends after so many bytes of values.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// The most records of a page.
const PAGE_RECORDS: usize = 10_000;

/// The pool of readers.
pub(super) struct Readers {
    folder: Folder,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Readers {
    pub(super) fn new(folder: Folder) -> Arc<Self> {
        Arc::new(Self { folder, idle: Mutex::default(), permits: Semaphore::new(READERS) })
    }

    /// Runs a query on a blocking thread.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let interrupted = |_| LogError::retry("the read was interrupted because the runtime is stopping");
        let _permit = self.permits.acquire().await.map_err(|_| LogError::stop("the log is closed"))?;
        let readers = Arc::clone(self);
        tokio::task::spawn_blocking(move || readers.run_here(query)).await.map_err(interrupted)?
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn run_here<T>(&self, query: impl FnOnce(&Connection) -> Result<T, LogError>) -> Result<T, LogError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let db = match waiting {
            Some(db) => db,
            None => database::open_reader(&self.folder).map_err(|e| read_error(&self.folder.name(), &e))?,
        };
        let answer = query(&db);
        if answer.is_ok() && !self.permits.is_closed() {
            idle().push(db);
        }
        answer
    }
}

/// Reads the records of a lane from an offset on, as many as are there, fit a page and are good. A damaged or missing
/// record is an error of the read that begins with it.
pub(super) fn range(db: &Connection, lane: &Lane, from: u64, limit: usize) -> Result<Vec<Stored>, LogError> {
    let known = lane.end();
    let found =
        page(db, lane, from, limit.min(PAGE_RECORDS)).map_err(|e| read_error(&lane.to_string(), &e))??;
    if found.is_empty() && from < known && limit > 0 {
        return Err(LogError::stop(format!(
            "{lane}, record {from}: it is missing, although the log reaches to {known}: restore log.db from a backup"
        )));
    }
    lane.reaches(from.saturating_add(u64::try_from(found.len()).unwrap_or(0)));
    Ok(found)
}

fn page(
    db: &Connection,
    lane: &Lane,
    from: u64,
    limit: usize,
) -> rusqlite::Result<Result<Vec<Stored>, LogError>> {
    let mut found = Vec::with_capacity(limit.min(1_024));
    let mut bytes = 0;
    let mut query = db.prepare_cached(&read(lane))?;
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = query.query([lane.id(from), lane.id_after(), rows])?;
    let mut offset = from;
    while let Some(row) = rows.next()? {
        match record(row, lane, offset) {
            Ok(record) => {
                bytes += record.value.len();
                found.push(Stored { offset, record });
            }
            Err(_) if !found.is_empty() => break,
            Err(damage) => return Ok(Err(damage)),
        }
        offset = offset.saturating_add(1);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    Ok(Ok(found))
}
