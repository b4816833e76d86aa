//! The parts of journal entries.

use std::sync::Arc;

use palinode::Micros;
use serde::{Deserialize, Serialize};

use crate::outcome::{Answer, Raw};

/// A recorded undo. It has no address: it goes to where the step went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The activity that takes the step back, when the step is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Arc<str>>,
    /// What it is asked.
    pub data: Raw,
}

/// A timer of an instance. A firing with another serial is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which setting: rises with every timer of the instance.
    pub serial: u64,
    /// When it fires, not before.
    pub due: Micros,
}

/// What was left of a timer when its instance was paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its node; `@deadline` for the saga's.
    pub node: Arc<str>,
    /// How long it would still have run.
    pub micros: u64,
}

/// A timer and what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeTimer {
    /// Its node; `@deadline` for the saga's.
    pub node: Arc<str>,
    /// The timer.
    #[serde(flatten)]
    pub timer: Timer,
}

/// Forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The ask of a node.
    Do,
    /// Its undo.
    Undo,
    /// The question whether the pivot happened.
    Probe,
    /// The demand that the pivot be done or never happen.
    Void,
}

impl Direction {
    /// The word for it in an effect key.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
            Self::Probe => "probe",
            Self::Void => "void",
        }
    }

    /// Of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Do, Self::Undo, Self::Probe, Self::Void].into_iter().find(|d| d.word() == word)
    }
}

/// How an attempt or a round failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// A definite no: the next ask is a new round.
    Refused,
    /// It certainly did not happen.
    Transient,
    /// It may have happened.
    Unknown,
    /// A person is needed.
    Fatal,
    /// The owner that ran it is gone.
    Lost,
}

/// What left a node out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkippedBy {
    /// Its condition did not hold.
    When,
    /// The saga is taken back, and the node changes nothing.
    Undo,
    /// A person.
    Person,
}

/// What a late answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// The outcome is recorded already.
    Duplicate,
    /// The answer to an ask whose undo was asked meanwhile (U9): the undo answers for it.
    AfterUndo,
    /// Done, by a participant that has already said that it was undone (U9): its fence broke.
    Leak,
    /// The instance has ended.
    Ended,
    /// The saga is taken back, and nobody needs the answer.
    NotNeeded,
    /// Nothing like it was ever asked.
    Unexpected,
}

/// Why a saga is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// A node was refused.
    Refused {
        /// The node.
        node: Arc<str>,
        /// For programs.
        code: Arc<str>,
        /// For people.
        text: Arc<str>,
    },
    /// The outcome of a node is unknown.
    Unknown {
        /// The node.
        node: Arc<str>,
        /// Why.
        text: Arc<str>,
    },
    /// A wait ended without its signal.
    TimedOut {
        /// The node.
        node: Arc<str>,
    },
    /// Somebody asked for it.
    Cancelled {
        /// Their reason.
        reason: Arc<str>,
        /// Who.
        by: Arc<str>,
    },
    /// It took too long.
    Deadline,
}

/// An input as it is kept for a parked instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// A message.
    Message {
        /// What it is.
        name: Arc<str>,
        /// The payload.
        data: Raw,
        /// The trace context of the call that brought it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<Arc<str>>,
    },
    /// An answer.
    Reply {
        /// What it answers.
        re: Arc<str>,
        /// The payload.
        data: Raw,
    },
    /// A timer.
    Timer {
        /// The node.
        node: Arc<str>,
        /// The serial.
        serial: u64,
    },
    /// The outcome of an attempt.
    Attempt {
        /// The effect key.
        key: Arc<str>,
        /// The round.
        round: u32,
        /// The attempt.
        attempt: u32,
        /// How it ended.
        answer: Answer,
    },
}
