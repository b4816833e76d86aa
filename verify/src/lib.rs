//! A checker of logs that shares no line with the engine that wrote them: it reads the records, applies the fold rule by
//! a version of its own, computes every digest again and says what must not be.
//!
//! - [`check`] a whole log, from its file ([`Log`]), from memory ([`Records`]) or from Kafka (`KafkaLog`, feature
//!   `kafka`), the journals of its sagas too;
//! - [`check_with`] the [`Graph`]s of definitions, which say more about the order of their nodes than a journal can;
//! - read the effective [`commits`] of a shard, or of a service merged by time ([`commits_by_time`]), to compute from
//!   them whatever a program claims to know.
//!
//! It must never name the engine: what both have in common would hide a mistake from both.

pub mod fold;
pub mod hash;
pub mod journal;
pub mod record;

mod check;
mod graph;
mod invariants;
#[cfg(feature = "kafka")]
mod kafka;
mod log;
mod reader;
mod report;
mod source;

pub use check::{check, check_with};
pub use graph::Graph;
#[cfg(feature = "kafka")]
pub use kafka::KafkaLog;
pub use log::Log;
pub use reader::{ByTime, Effective, Reader, Stop, commits, commits_by_time};
pub use report::{Counts, Finding, KEPT, OpenSend, Report, Rule, Stage, Unfinished};
pub use source::{CannotRead, Partition, Records, Source, Stored};
