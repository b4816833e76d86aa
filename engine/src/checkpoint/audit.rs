//! The port of the audit trail: who did what to a read model, and why. Written in the transaction that does it.

use futures_util::future::BoxFuture;

use super::{ApplyError, Db};
use crate::time::Micros;

/// Who asks for something to be done, and why: it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

impl Said {
    /// By this person, for this reason.
    pub fn new(by: impl Into<String>, why: impl Into<String>) -> Self {
        Self { by: by.into(), why: why.into() }
    }
}

/// Something that a person did to a read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Micros,
    /// The projection.
    pub projection: String,
    /// Its version.
    pub version: u32,
    /// What was done: `retry`, `retry-cause`, `skip`, `discard`, `swap`, `remove`.
    pub verb: String,
    /// To what: a shard and key, an event, a version.
    pub about: String,
    /// Who, and why.
    pub said: Said,
}

/// A database that keeps an audit trail. What is recorded stays in the order of its transactions.
pub trait Audit: Db {
    /// Records what is done in this transaction.
    fn record<'t>(tx: &'t mut Self::Tx, act: &'t Act) -> BoxFuture<'t, Result<(), ApplyError>>;

    /// What was done to a projection, oldest first.
    fn acts<'t>(tx: &'t mut Self::Tx, projection: &'t str) -> BoxFuture<'t, Result<Vec<Act>, ApplyError>>;
}
