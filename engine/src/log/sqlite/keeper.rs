//! The keeper: a second thread that writes the witness and checkpoints beside the writer, so that neither stands in
//! the way of an acknowledgement. It decides nothing; the writer asks.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode};

use super::{Shared, database, witness::Witness};
use crate::log::LogError;

#[derive(Default)]
struct Asked {
    witness: bool,
    checkpoint: bool,
    stop: bool,
}

/// What the writer asks of it; requests that come while it works are done together.
#[derive(Default)]
pub(super) struct Keeper {
    asked: Mutex<Asked>,
    changed: Condvar,
}

impl Keeper {
    /// Asks for a new witness, and perhaps a checkpoint after it.
    pub(super) fn ask(&self, checkpoint: bool) {
        let mut asked = self.lock();
        asked.witness = true;
        asked.checkpoint |= checkpoint;
        drop(asked);
        self.changed.notify_one();
    }

    /// Lets it end after what it is doing.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_one();
    }

    /// The thread.
    pub(super) fn run(&self, db: &Connection, shared: &Arc<Shared>) {
        while let Some(checkpoint) = self.next() {
            if let Err(what) = keep(db, shared, checkpoint) {
                shared.fail(&what);
            }
        }
    }

    fn next(&self) -> Option<bool> {
        let mut asked = self.lock();
        while !asked.witness && !asked.stop {
            asked = self.changed.wait(asked).unwrap_or_else(PoisonError::into_inner);
        }
        // What was asked for is done before the end: a witness is worth most after a crash.
        if !std::mem::take(&mut asked.witness) {
            return None;
        }
        Some(std::mem::take(&mut asked.checkpoint))
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A witness that cannot be written leaves the one before it, which is still true. A checkpoint that fails may be an
/// fsync that failed: that is the end.
fn keep(db: &Connection, shared: &Shared, checkpoint: bool) -> Result<(), String> {
    let witness =
        Witness::look(db, &shared.lanes(), false).map_err(|e| format!("the witness failed: {e}"))?;
    if let Err(error) = witness.write(&shared.folder) {
        tracing::warn!(dir = shared.name, %error, "the log's witness could not be written; the one before it stays");
    }
    if !checkpoint {
        return Ok(());
    }
    match database::checkpoint(db) {
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            tracing::warn!(dir = shared.name, "the disk is full: the log's -wal file cannot be made smaller");
            Ok(())
        }
        other => other.map(|_| ()).map_err(|e| format!("a checkpoint failed: {e}")),
    }
}

/// Closes the log when the keeper ends by a panic.
pub(super) struct FailOnUnwind(pub(super) Arc<Shared>);

impl Drop for FailOnUnwind {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close(LogError::stop("the log's keeper ended: start again"));
        }
    }
}
