//! The files of a log folder, and the lock that keeps a second process out. Knows nothing of what is in them.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::error::OpenError;

/// The paths of a log folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    dir: PathBuf,
}

/// Held as long as this process may write. Released when it is dropped, or when the process dies.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Closing the file is too little: a program that is being started beside us has a copy of it for a moment.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the log's lock was not released; it is when this process ends");
        }
    }
}

impl Folder {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    pub(super) fn name(&self) -> String {
        self.dir.display().to_string()
    }

    pub(super) fn database(&self) -> PathBuf {
        self.dir.join("log.db")
    }

    pub(super) fn wal(&self) -> PathBuf {
        self.dir.join("log.db-wal")
    }

    pub(super) fn witness(&self) -> PathBuf {
        self.dir.join("log.witness")
    }

    /// Creates the folder if need be and takes the lock. The pid stands in a file of its own, because a locked file
    /// cannot be read everywhere.
    pub(super) fn lock(&self) -> Result<Lock, OpenError> {
        self.create().map_err(|e| OpenError::io(&self.dir, &e))?;
        let path = self.dir.join("log.lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|e| OpenError::io(&path, &e))?;
        let pid = self.dir.join("log.pid");
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&pid).unwrap_or_else(|_| "(unknown)".into());
                return Err(OpenError::Locked { dir: self.name(), pid: holder.trim().into() });
            }
            Err(TryLockError::Error(e)) => return Err(OpenError::io(&path, &e)),
        }
        fs::write(&pid, format!("{}\n", std::process::id())).map_err(|e| OpenError::io(&pid, &e))?;
        Ok(Lock { file })
    }

    /// A folder lasts when the one it stands in was synced, and so on upwards. Before there is a log, all are: an
    /// earlier start may have made some of them and failed.
    fn create(&self) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        if self.database().exists() {
            return Ok(());
        }
        for above in fs::canonicalize(&self.dir)?.ancestors().skip(1) {
            match sync(above) {
                // One that we may not open, or that cannot be synced, is not one that we made.
                Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Makes new and renamed files of the folder last.
    pub(super) fn sync(&self) -> io::Result<()> {
        sync(&self.dir)
    }
}

/// Makes the names in a folder last.
fn sync(dir: &Path) -> io::Result<()> {
    // Windows has no such call and needs none.
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}
