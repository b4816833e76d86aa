//! The log port: ordered partitions of records, and who is suggested to own which shard. What counts in a partition
//! is decided above it, by the fold; an adapter knows bytes and offsets only.
//!
//! # The contract
//!
//! L1. `append` takes the records in the order in which it is *called*: when the call returns, they are queued behind
//!     everything called before on that partition. The future only waits for the outcome; dropping it withdraws nothing.
//! L2. Offsets of a partition are dense from zero, and a record once readable never changes and never moves.
//! L3. `Appended` names one offset a record, in order, or `None` where the adapter cannot say. An appended record is
//!     durable: it survives the death of every process and (embedded) the loss of power.
//! L4. `Refused`: nothing of these records is, or will ever be, in the log.
//! L5. `Unknown`: any subset may have landed, may land later, and may land twice. A record is never altered.
//! L6. `read` returns records in offset order beginning with the first at or above `from`, perhaps fewer than there
//!     are; it may lag behind appends, and what it returned once stays true.
//! L7. `end` is a hint: it may lie behind the true end, never before what this process already read.
//! L8. `create` makes the topics of a service and writes genesis to each partition of its events (a log that one process
//!     alone can open needs no replies); on a service that has one it changes nothing and answers with what is there. Two racing creates leave one genesis first on every partition, or
//!     `Unknown`.
//! L9. `join` suggests shards to this member. A suggestion is no permission; only the fold fences.
//! L10. An adapter fails stop: after an error that leaves it unable to keep L2 to L4 it refuses everything.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{address::Topic, commit::Genesis, record::Record};

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
#[cfg(feature = "sqlite")]
pub mod sqlite;

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Append {
    /// All records landed; an offset each, `None` where it is not known.
    Appended(Vec<Option<u64>>),
    /// Nothing landed, nothing will.
    Refused(LogError),
    /// Any subset may have landed or may land later.
    Unknown(LogError),
}

/// A record as read, with its place.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its offset in the partition.
    pub offset: u64,
    /// The record.
    pub record: Record,
}

/// What `create` found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The log is there, with this genesis; `fresh` when this call wrote it.
    Ready {
        /// The genesis on every partition.
        genesis: Genesis,
        /// Whether this call created it.
        fresh: bool,
    },
    /// It cannot be created, and nothing was written.
    Refused(LogError),
    /// It may have been created, in whole or in part: ask again.
    Unknown(LogError),
}

/// Why the log did not do what was asked. `retry` says what the caller may do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct LogError {
    /// What went wrong, where, and what to do, in one sentence.
    pub what: Arc<str>,
    /// What the caller may do.
    pub advice: Advice,
}

/// What the caller of a port may do after an error; fixed where the error is born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Try the same again later.
    Retry,
    /// Stop: this adapter, or this log, cannot go on.
    Stop,
}

impl LogError {
    /// An error after which the caller may try again.
    pub fn retry(what: impl Into<Arc<str>>) -> Self {
        Self { what: what.into(), advice: Advice::Retry }
    }

    /// An error after which the caller must stop.
    pub fn stop(what: impl Into<Arc<str>>) -> Self {
        Self { what: what.into(), advice: Advice::Stop }
    }
}

/// The log. See the module's contract L1 to L10.
#[async_trait]
pub trait Log: Send + Sync + 'static {
    /// Queues records at the end of a partition (L1) and says what became of them (L3 to L5).
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append>;

    /// Reads from an offset on, at most `limit` records (L6); an empty batch at the end.
    ///
    /// # Errors
    /// When nothing could be read, or a record that is there cannot be trusted: then it names that record.
    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError>;

    /// The offset after the last record (L7).
    ///
    /// # Errors
    /// When it cannot be told.
    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError>;

    /// Creates the log of a service with so many partitions, unless it is there (L8). `log_id` is used when it is new.
    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created;

    /// Joins the members that share a service's shards (L9).
    ///
    /// # Errors
    /// When the group cannot be joined.
    async fn join(&self, service: &str) -> Result<Box<dyn Membership>, LogError>;
}

/// A member of a service's group.
#[async_trait]
pub trait Membership: Send {
    /// The next change of what is suggested to this member; `None` when the membership has ended.
    async fn next(&mut self) -> Option<Assignment>;

    /// A handle to confirm with, for the owners of the suggested shards.
    fn confirmer(&self) -> Arc<dyn Confirm>;
}

/// Says whether a shard is still suggested to this member.
#[async_trait]
pub trait Confirm: Send + Sync {
    /// Asks the group itself, not a memory of it.
    async fn confirm(&self, shard: u32) -> Confirmed;

    /// Whether the group has other members, who might be given what this one gives back. `None` when that cannot be told.
    async fn others(&self) -> Option<bool>;
}

/// The answer to a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// Still ours.
    Yes,
    /// No longer ours: rejoin.
    Refused,
    /// Cannot be told now: try again while assigned.
    Unknown,
}

/// A change of what is suggested.
#[derive(Debug)]
pub enum Assignment {
    /// Take this shard.
    Assigned(u32),
    /// Another member shall have it: dropping `done` says that this one may claim. The owner serves on until it meets that
    /// claim.
    Revoked {
        /// The shard.
        shard: u32,
        /// Dropped when the next owner may come.
        done: mpsc::Sender<()>,
    },
    /// It is already somebody else's.
    Lost(u32),
    /// The group cannot be followed for now, and why. What was suggested before stays; the next news says that it is over.
    Hindered(Arc<str>),
    /// The group is followed again, and suggests nothing new.
    Settled,
}
