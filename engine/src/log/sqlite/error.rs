//! What can be wrong with a folder when it is opened, and what the writer may promise after an error of SQLite. Each
//! text says what is wrong, where, and what to do.

use std::{io, path::Path};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::log::LogError;

/// Why a log folder cannot be opened. Nothing was changed that an older state could miss.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "{dir}: locked by pid {pid}: stop that process, or use another folder; one process at a time writes a log"
    )]
    Locked {
        /// The folder.
        dir: String,
        /// Who holds it, as far as the folder tells.
        pid: String,
    },
    /// Nothing can be written there.
    #[error(
        "{path}: cannot be written ({why}): make the folder writable for this user, or open the log read-only"
    )]
    ReadOnly {
        /// The folder or file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// There is no room.
    #[error("{path}: the disk is full: free some space and start again; nothing was lost")]
    Full {
        /// The folder or file.
        path: String,
    },
    /// There is no log to read.
    #[error("{dir}: there is no log here: give the folder that holds log.db")]
    Missing {
        /// The folder.
        dir: String,
    },
    /// The file is something else.
    #[error("{path}: not a log of ours ({why}): give another folder, or restore the file from a backup")]
    Foreign {
        /// The file.
        path: String,
        /// How it can be told.
        why: String,
    },
    /// What is there is not what was written.
    #[error("{path}: damaged: {what}: restore the folder from a backup; the damaged file is left as it is")]
    Damaged {
        /// The file.
        path: String,
        /// What does not fit.
        what: String,
    },
    /// A newer build wrote it.
    #[error(
        "{path}: newer format: it has migration {found}, this build knows up to {known}: run a newer build"
    )]
    Newer {
        /// The file.
        path: String,
        /// The newest migration there.
        found: u32,
        /// The newest of this build.
        known: u32,
    },
    /// A released migration is not the one that was applied.
    #[error(
        "{path}: migration {number} is {found} here and {expected} in this build: run the build that created it"
    )]
    Changed {
        /// The file.
        path: String,
        /// The migration.
        number: u32,
        /// Name and checksum in the file.
        found: String,
        /// Name and checksum in this build.
        expected: String,
    },
    /// It does not reach as far as it once did.
    #[error(
        "{dir}: the log is shorter than its witness: {what}. Acknowledged records are missing: restore log.db together \
         with its -wal file, or a backup. To accept the log as it is, and rebuild everything derived from it, remove \
         log.witness"
    )]
    Shorter {
        /// The folder.
        dir: String,
        /// Which part, and how far it should reach.
        what: String,
    },
    /// The linked SQLite must not be used.
    #[error("SQLite {version} can lose data: link 3.51.3 or newer, but not 3.52.0")]
    Version {
        /// What it calls itself.
        version: String,
    },
    /// The clock is behind the log.
    #[error("{path}: its last record is {seconds} s ahead of this machine's clock: set the clock, or wait")]
    Ahead {
        /// The file.
        path: String,
        /// How far.
        seconds: u64,
    },
    /// Anything else that the system or SQLite refuses.
    #[error("{path}: cannot be opened: {why}: remove the cause and start again")]
    Other {
        /// The folder or file.
        path: String,
        /// What the system or SQLite says.
        why: String,
    },
}

impl OpenError {
    /// From an error of the file system.
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        let (path, why) = (path.display().to_string(), error.to_string());
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, why }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Other { path, why },
        }
    }

    /// From an error of SQLite.
    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, why) = (path.display().to_string(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign { path, why },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: why },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path, why },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            _ => Self::Other { path, why },
        }
    }
}

/// An error of a read: damage and trouble of the disk stop, what passes by itself is tried again.
pub(super) fn read_error(place: &str, error: &rusqlite::Error) -> LogError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OutOfMemory) => {
            LogError::retry(format!("{place} cannot be read now ({error}): try again"))
        }
        _ => LogError::stop(format!(
            "{place} cannot be read ({error}): check the disk, and restore the folder from a backup if it is damaged"
        )),
    }
}

/// An error before `COMMIT`, after which nothing of the transaction is in the log.
pub(super) enum Before {
    /// It passes: the next append may succeed.
    Passing(LogError),
    /// The disk or the file cannot be trusted any more.
    Fatal(String),
}

/// What an error before `COMMIT` means. A full disk passes: whoever frees space need not start anything again.
pub(super) fn before_commit(dir: &str, error: &rusqlite::Error) -> Before {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Before::Passing(LogError::retry(format!(
            "{dir}: the disk is full, nothing was written: free some space and try again"
        ))),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Before::Passing(LogError::retry(format!(
                "{dir}: another program holds a write lock on log.db, nothing was written: close it and try again"
            )))
        }
        _ => Before::Fatal(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_file_system_say_what_to_do() {
        let dir = Path::new("/data/log");
        for (kind, says) in [
            (io::ErrorKind::PermissionDenied, "make the folder writable"),
            (io::ErrorKind::ReadOnlyFilesystem, "make the folder writable"),
            (io::ErrorKind::StorageFull, "free some space"),
            (io::ErrorKind::NotADirectory, "remove the cause"),
        ] {
            let text = OpenError::io(dir, &kind.into()).to_string();
            assert!(text.starts_with("/data/log: ") && text.contains(says), "{text}");
        }
    }
}
