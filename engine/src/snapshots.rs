//! The snapshot port: effective states at a position, replaced by compare-and-set. A snapshot is derived from the log
//! and can be deleted at any time; losing it costs only the time to fold the log again.
//!
//! # The contract
//!
//! S1. `save` replaces exactly the base it names (or none), together with its rows, or changes nothing.
//! S2. `Unknown` is an outcome: the save may or may not have happened, and may not happen later.
//! S3. `load` and `rows` answer from one consistent state: the base they return belongs to the rows they return.
//! S4. What is loaded is what was saved, or an error; damaged rows are never returned.
//! S5. A save that goes back, behind the base it names or to another log, is refused ([`backward`]).

use async_trait::async_trait;

use crate::{log::LogError, position::Position};

pub use crate::machine::rows::{Head, Row, Save, Section};

/// What became of a save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// It is the snapshot now.
    Saved,
    /// The base is another one: somebody else saved, or the database went back. Nothing changed.
    Lost,
    /// It may have happened (S2).
    Unknown(LogError),
    /// It did not happen.
    Refused(LogError),
}

/// The snapshot store of all shards. See the module's contract S1 to S5.
#[async_trait]
pub trait SnapshotStore: Send + Sync + 'static {
    /// The head and every row outside [`Section::Entity`], or nothing when there is no snapshot.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn load(&self, service: &str, shard: u32) -> Result<Option<(Head, Vec<Row>)>, LogError>;

    /// The base's position and the rows of these entities, in the same statement; `None` where there is no row.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn entities(
        &self,
        service: &str,
        shard: u32,
        keys: &[String],
    ) -> Result<(Option<Position>, Vec<Option<Row>>), LogError>;

    /// Replaces the snapshot at `base` by the next one (S1).
    async fn save(&self, service: &str, shard: u32, base: Option<&Position>, save: Save) -> Saved;
}

/// Why a snapshot at `next` must not replace the one at `base`: snapshots only go forward (S5).
#[must_use]
pub fn backward(base: &Position, next: &Position) -> Option<LogError> {
    let forward = base.log_id == next.log_id && base.offset <= next.offset && base.pseq <= next.pseq;
    (!forward).then(|| {
        LogError::stop(format!(
            "a snapshot goes back: from record {} (commit {}) of log {} to record {} (commit {}) of log {}; delete \
             the snapshot if the log was replaced on purpose",
            base.offset, base.pseq, base.log_id, next.offset, next.pseq, next.log_id
        ))
    })
}
