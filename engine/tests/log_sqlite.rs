//! The embedded log keeps the contract, and its own promises about files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;

use async_trait::async_trait;
use palinode::{
    Log, SystemClock,
    log::{conformance::Harness, sqlite::SqliteLog},
};

/// A folder that is removed at the end.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[async_trait]
impl Harness for Folder {
    async fn open(&self) -> Arc<dyn Log> {
        Arc::new(SqliteLog::open(self.0.path(), Arc::new(SystemClock)).unwrap())
    }
}

palinode::log_conformance!(Folder::new());
