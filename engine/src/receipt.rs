//! How a command is answered: the durable receipt, and every other end it can have. Pure vocabulary.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;
use uuid::Uuid;

use crate::{commit::Outcome, position::Token, time::Micros};

/// The durable answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt<R> {
    /// The reply, or the rejection.
    pub reply: R,
    /// The entity's version after it.
    pub version: u64,
    /// Where to wait for its effects.
    pub token: Token,
    /// The commit's time.
    pub time: Micros,
}

/// Every way a command can end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a command may have been rejected, or its outcome may be unknown"]
pub enum Answer<R, N> {
    /// Done, and durable.
    Accepted(Receipt<R>),
    /// A definite business no, and durable.
    Rejected(Receipt<N>),
    /// The entity had another version than expected; durable.
    Conflict {
        /// What the caller expected.
        expected: u64,
        /// What it was.
        actual: u64,
        /// Where the answer is recorded.
        token: Token,
    },
    /// The engine's own definite no.
    Invalid(Invalid),
    /// The id is older than the window: *cannot tell* whether it was executed. Never a refusal.
    Expired,
    /// Too much is waiting; nothing was done. Ask again later, with the same id.
    Overloaded,
    /// The entity is set aside; the command was not executed.
    Parked {
        /// Why.
        why: Arc<str>,
    },
    /// It may have happened. Asking again with this id gives the answer.
    Unknown {
        /// The id to ask again with.
        id: Uuid,
    },
}

impl<R, N> Answer<R, N> {
    /// The receipt of an accepted command.
    ///
    /// # Errors
    /// Itself, when it ended in any other way.
    pub fn accepted(self) -> Result<Receipt<R>, Self> {
        match self {
            Self::Accepted(receipt) => Ok(receipt),
            other => Err(other),
        }
    }
}

/// Why the engine will never execute this command.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalid {
    /// Its commit would be too large, it panicked, or it cannot be decoded by its kind; recorded.
    #[error("{text}")]
    Bug {
        /// What is wrong.
        text: Arc<str>,
    },
    /// No service, or no kind, of this name is served here.
    #[error("{what} {name:?} is not served here; served: {known}")]
    NotServed {
        /// `service` or `kind`.
        what: Arc<str>,
        /// What was asked for.
        name: Arc<str>,
        /// What there is.
        known: String,
    },
    /// The entity lives on another shard.
    #[error("{entity} lives on shard {expected}, not {found}: the sender uses another partitioner")]
    Misrouted {
        /// The entity.
        entity: String,
        /// Where it lives.
        expected: u32,
        /// Where the message went.
        found: u32,
    },
    /// The id was used with another payload.
    #[error("message id {id} was already used with another payload: draw a new id for a new command")]
    IdReused {
        /// The id.
        id: Uuid,
    },
    /// The id is not a UUIDv7, so its birth is not known.
    #[error("message id {id} is not a UUIDv7")]
    NotBorn {
        /// The id.
        id: Uuid,
    },
    /// The id was born further ahead than clocks may differ.
    #[error("message id {id} was born {lead_ms} ms ahead of this shard's time: check the clocks")]
    BornAhead {
        /// The id.
        id: Uuid,
        /// By how much.
        lead_ms: u64,
    },
    /// The address cannot be one. To another process this travels as [`Invalid::Bug`].
    #[error(transparent)]
    #[serde(skip)]
    Name(#[from] crate::address::BadName),
}

/// An answer with its payload undecoded, as the owner gives it.
#[derive(Debug, Clone)]
pub enum Told {
    /// A commit says so.
    Recorded {
        /// How it ended.
        outcome: Outcome,
        /// The reply, or a [`crate::message::Refusal`].
        answer: Box<RawValue>,
        /// Version, token and time.
        receipt: Receipt<()>,
    },
    /// Refused without a commit.
    Invalid(Invalid),
    /// The id is older than the window.
    Expired,
    /// The queue is full.
    Overloaded,
    /// The entity is set aside.
    Parked(Arc<str>),
    /// It may have happened.
    Unknown,
}
