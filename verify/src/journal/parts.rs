//! The parts of entries: how attempts fail, what leaves nodes out, what persons, pauses and pivots in doubt bring about.

use serde::Deserialize;

use super::{Direction, Timer};

/// What a person does to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Asked again.
    Retry,
    /// Left out.
    Skip,
    /// Taken for done.
    MarkDone,
    /// Taken for not done.
    MarkNotDone,
    /// Undone once more.
    UndoAgain,
}

/// An input that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// A message.
    Message {
        /// What it is.
        name: String,
    },
    /// The answer of an entity.
    Reply {
        /// What it answers.
        re: String,
    },
    /// A timer.
    Timer {
        /// Its node.
        node: String,
        /// Its setting.
        serial: u64,
    },
    /// How an attempt ended.
    Attempt {
        /// The effect key.
        key: String,
        /// The round.
        round: u32,
        /// The attempt.
        attempt: u32,
    },
}

/// What was left of a timer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Left {
    /// Its node, or `@deadline`.
    pub node: String,
    /// For how long.
    pub micros: u64,
}

/// A timer and its node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NodeTimer {
    /// Its node, or `@deadline`.
    pub node: String,
    /// The timer.
    #[serde(flatten)]
    pub timer: Timer,
}

/// The intent of a probe or a void.
#[derive(Debug, Clone, Deserialize)]
pub struct SettleAsked {
    /// The pivot.
    pub node: String,
    /// Probe or void.
    pub direction: Direction,
    /// The round that is in doubt.
    pub round: u32,
    /// A try of this direction.
    pub attempt: u32,
    /// When it was first asked.
    pub at: i64,
}

/// How an attempt or a round failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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
    /// Its owner is gone.
    Lost,
}

/// What left a node out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkippedBy {
    /// Its condition.
    When,
    /// The saga turned back, and the node is without effect.
    Undo,
    /// A person.
    Person,
}

/// What follows a wait that ended without its signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The saga turns back.
    Undo,
    /// It goes on.
    GoOn,
    /// A person must decide.
    Block,
}
