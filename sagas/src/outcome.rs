//! The outcomes a saga knows. `Unknown` may have happened: it is neither a failure nor a success.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A payload, shared between the journal and the state.
pub type Raw = Arc<RawValue>;

/// Reads an optional payload that is there. What has no fields is written as `null`, and serde takes that for absent.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Raw>, D::Error> {
    Raw::deserialize(deserializer).map(Some)
}

/// The largest payload of a saga: data, request, reply, undo or signal. Three of them fit into one journal event.
pub const MAX_PAYLOAD: usize = 80 * 1024;

/// Refuses what would not fit into the journal.
pub(crate) fn fits(what: &str, payload: &RawValue) -> Result<(), String> {
    let bytes = payload.get().len();
    if bytes <= MAX_PAYLOAD {
        return Ok(());
    }
    Err(format!("{what} of {bytes} bytes; at most {MAX_PAYLOAD}: keep it elsewhere and send a reference"))
}

/// What is known of a step when its undo is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a, R> {
    /// It was done, with this reply.
    Done(&'a R),
    /// It may have been done: the undo must be right in both cases.
    Unknown,
}

/// What the probe of a pivot may say. There is no "did not happen": the attempt may still land.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probed<R> {
    /// It happened, with this reply.
    Happened(R),
    /// The participant knows nothing of it.
    NotKnown,
}

/// What a participant says that was told to do a pivot never again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voided<R> {
    /// It was done before, with this reply.
    Done(R),
    /// It was not done, and a tombstone refuses it from now on.
    Never,
}

/// How a participant answered an ask, or failed to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done, with its reply.
    Done(Raw),
    /// A definite no: it did not happen, and will not under this round.
    Refused(Refused),
    /// It certainly did not happen: try again.
    Transient(Arc<str>),
    /// It may have happened.
    Unknown(Arc<str>),
    /// A person is needed.
    Fatal(Arc<str>),
    /// The owner that ran the attempt is gone.
    Lost,
}

/// A definite no.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// For programs.
    pub code: Arc<str>,
    /// For people.
    pub text: Arc<str>,
    /// The rejection itself, when an aggregate gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Raw>,
}

impl Refused {
    pub(crate) fn new(code: &str, text: impl Into<Arc<str>>) -> Self {
        Self { code: code.into(), text: text.into(), data: None }
    }
}
