//! What metrics are counted from: small facts, borrowed from where they happened. Everything in them that becomes an
//! attribute of a metric has few values; ids have no place here.

use std::time::Duration;

use super::Query;
use crate::{address::Topic, log::Append, machine::fold::Dead, measure::Measured};

/// Something that happened in a service.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Fact<'a> {
    /// A client has the answer to a message.
    Answered {
        /// The kind that was asked; `_OTHER` until an owner has taken it for one.
        kind: &'a str,
        /// What the answer was.
        answer: AnswerKind,
        /// From the call to the answer.
        took: Duration,
    },
    /// Inputs were stepped through, so long after they arrived.
    Waited(&'a [Duration]),
    /// The log said what became of an append.
    Appended(Appending),
    /// Commits became effective, together.
    Effective(&'a [Committed]),
    /// A record was met that does not count.
    Dead(Dead),
    /// The log was read because a report could not tell whether commits count.
    GapRead,
    /// A claim was appended, and counts or does not.
    Claimed {
        /// Whether it counts.
        counts: bool,
    },
    /// A phase of a take-over is over.
    TakenOver {
        /// Which.
        phase: Phase,
        /// How long it took.
        took: Duration,
    },
    /// A timer has fired, so long after it was due.
    Fired(Duration),
    /// Something was met that must never be.
    Violated {
        /// Which promise was broken.
        invariant: &'static str,
    },
    /// An attempt of an activity has ended.
    Ran {
        /// The activity.
        activity: &'a str,
        /// How: a word of few.
        outcome: &'static str,
        /// How long it took.
        took: Duration,
    },
    /// An attempt of an activity was not begun.
    NotRun {
        /// The activity.
        activity: &'a str,
        /// Which limit was reached: a word of few.
        reason: &'static str,
    },
    /// A projection has ended a batch.
    Projected {
        /// Its name.
        projection: &'a str,
        /// Whether its rows were: written, refused, unknown.
        result: &'static str,
        /// How many events it holds.
        events: usize,
        /// How long it took to write.
        took: Duration,
    },
    /// Messages were handed to what carries them: the log, or this process itself.
    Sent {
        /// What carries them.
        system: &'static str,
        /// Where they go.
        topic: &'a Topic,
        /// How many they are.
        messages: usize,
        /// What became of all of them.
        outcome: Appending,
    },
    /// Messages were handled and that is effective, or batches of them were.
    Processed {
        /// What carried them.
        system: &'static str,
        /// Where they came from.
        topic: &'a Topic,
        /// How long each took.
        took: &'a [Duration],
        /// What went wrong: a word of few.
        error: Option<&'static str>,
    },
    /// A database was asked something.
    Queried {
        /// Which sort of database.
        system: &'static str,
        /// What it was asked.
        query: Query,
        /// How long it took.
        took: Duration,
        /// What went wrong: a word of few.
        error: Option<&'static str>,
    },
    /// What something above the engine measured.
    Measured(&'a Measured),
}

/// A commit that became effective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Since it was sent to the log.
    pub took: Duration,
    /// How many events it holds.
    pub events: usize,
    /// How long its value is.
    pub bytes: usize,
}

/// What a client's message was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnswerKind {
    /// Done.
    Accepted,
    /// A business no.
    Rejected,
    /// Another version.
    Conflict,
    /// The engine's own no.
    Invalid,
    /// The id is too old to be remembered.
    Expired,
    /// Too much waits.
    Overloaded,
    /// The entity is set aside.
    Parked,
    /// Nobody knows.
    Unknown,
}

impl AnswerKind {
    /// Its name in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
            Self::Overloaded => "overloaded",
            Self::Parked => "parked",
            Self::Unknown => "unknown",
        }
    }
}

/// What the log said of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Appending {
    /// It is there.
    Appended,
    /// It is not.
    Refused,
    /// Nobody knows.
    Unknown,
}

impl Appending {
    /// Its name in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Appended => "appended",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl From<&Append> for Appending {
    fn from(append: &Append) -> Self {
        match append {
            Append::Appended(_) => Self::Appended,
            Append::Refused(_) => Self::Refused,
            Append::Unknown(_) => Self::Unknown,
        }
    }
}

/// A part of taking a shard over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// From its last owner's last sign in the log to the beginning of the recovery.
    Detect,
    /// From the beginning to the state at the end of the log.
    Recover,
    /// From there to the own claim, read.
    Claim,
}

impl Phase {
    /// Its name in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Recover => "recover",
            Self::Claim => "claim",
        }
    }
}
