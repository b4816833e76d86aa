//! The journal of a saga, as its page describes it: what a reader of schema 1 must know of each entry. Written from that
//! page, not from the engine's types. Knows nothing of what may follow what.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{hash::Digest, record};

mod parts;
pub use parts::{How, Kept, Left, NodeTimer, SettleAsked, SkippedBy, Then, Verb};

/// What stands before the tag of every entry, whatever the definition.
const PREFIX: &str = "saga.";
/// The schema number of the entries this reader knows.
const SCHEMA: u32 = 1;

/// One entry. `node` is always a node's path.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The instance began.
    Started(Started),
    /// The end: everything was done.
    Completed {},
    /// The end: everything was taken back.
    Compensated {
        /// Nodes closed by a person instead of by an outcome.
        exceptions: u64,
    },
    /// The end: stopped by a person.
    Killed {
        /// Effect keys of what was left standing.
        standing: Vec<String>,
    },
    /// A node was asked.
    StepAsked(Box<StepAsked>),
    /// It was done.
    StepDone {
        /// The node.
        node: String,
        /// The round that was answered.
        round: u32,
        /// Replaces the undo recorded with the ask.
        undo: Option<Plan>,
    },
    /// The pivot was done.
    PivotPassed {
        /// The pivot.
        node: String,
        /// The round that was answered.
        round: u32,
    },
    /// It was definitely refused.
    StepRefused {
        /// The node.
        node: String,
        /// The round that was answered; 0 when it was never asked.
        round: u32,
    },
    /// It may have happened.
    StepUnknown {
        /// The node.
        node: String,
        /// The round.
        round: u32,
    },
    /// An attempt, or a round, did not succeed.
    AttemptFailed(AttemptFailed),
    /// The pivot may have happened.
    InDoubt {
        /// The pivot.
        node: String,
    },
    /// A node after the pivot needs a person.
    Blocked {
        /// The node.
        node: String,
    },
    /// Left out.
    Skipped {
        /// The node.
        node: String,
        /// By what.
        why: SkippedBy,
    },
    /// A wait is open, or a timer runs.
    WaitBegan {
        /// The node.
        node: String,
        /// The name of the signal it waits for; none: a timer.
        signal: Option<String>,
        /// When it ends by itself.
        timer: Timer,
    },
    /// A signal came.
    Signalled {
        /// Its name.
        name: String,
        /// Its id.
        id: String,
    },
    /// A wait took a signal, or a timer ended.
    WaitDone {
        /// The node.
        node: String,
        /// The signal's id.
        id: Option<String>,
    },
    /// No signal in time.
    TimedOut {
        /// The node.
        node: String,
        /// What follows.
        then: Then,
    },
    /// The saga turns back.
    UndoBegan {},
    /// An activity still runs while the saga is taken back.
    Draining {
        /// The node.
        node: String,
        /// When its outcome is unknown.
        timer: Timer,
    },
    /// The recorded undo was asked.
    UndoAsked {
        /// The node.
        node: String,
        /// The round.
        round: u32,
        /// The attempt inside the round.
        attempt: u32,
        /// Time of the first ask of this undo.
        at: i64,
    },
    /// The undo was done.
    Undone {
        /// The node.
        node: String,
        /// The round that was answered.
        round: u32,
    },
    /// The undo needs a person.
    UndoStuck {
        /// The node.
        node: String,
    },
    /// A cancel while the pivot is open.
    CancelAsked {},
    /// The pivot was passed before the cancel that waited for it.
    CancelTooLate {},
    /// The deadline passed when the saga could not be taken back at once.
    DeadlinePassed {},
    /// Nothing can move without a person.
    Stuck {
        /// Who needs one.
        nodes: Vec<String>,
    },
    /// An answer nobody waits for.
    LateReply {
        /// What it answers: `<node>/<do or undo>/<round>`.
        re: String,
        /// What it is.
        class: String,
    },
    /// The instance cannot be run; the input is kept.
    Parked {
        /// The input.
        input: Kept,
    },
    /// An input that came while the instance is parked or paused.
    Kept {
        /// The input.
        input: Kept,
    },
    /// A person acts on a node.
    Intervened {
        /// What is done.
        verb: Verb,
        /// The node.
        node: String,
    },
    /// The answer of an entity is awaited again.
    Awaited {
        /// The node.
        node: String,
        /// Of the ask or of its undo.
        direction: Direction,
        /// When its outcome is unknown at the latest.
        timer: Option<Timer>,
    },
    /// A pivot was taken for not done, without proof.
    Leaked {
        /// The pivot.
        node: String,
    },
    /// The participant of a pivot in doubt is asked.
    SettleAsked(SettleAsked),
    /// The probe knows nothing.
    NotKnown {
        /// The pivot.
        node: String,
    },
    /// It stands still.
    Paused {
        /// The time.
        at: i64,
        /// What is left of each timer.
        left: Vec<Left>,
    },
    /// It goes on.
    Resumed {
        /// The time.
        at: i64,
        /// The timers, set again.
        timers: Vec<NodeTimer>,
    },
    /// What was kept is taken now.
    Unparked {},
}

/// The first entry of an instance.
#[derive(Debug, Clone, Deserialize)]
pub struct Started {
    /// The definition's name.
    pub definition: String,
    /// Its version.
    pub version: u32,
    /// Its fingerprint.
    pub fingerprint: Digest,
    /// The data it began with.
    pub data: Box<RawValue>,
    /// When it is taken back.
    pub deadline: Option<Timer>,
}

/// The intent of an ask.
#[derive(Debug, Clone, Deserialize)]
pub struct StepAsked {
    /// The node.
    pub node: String,
    /// Rises only after a definite refusal.
    pub round: u32,
    /// A try inside the round.
    pub attempt: u32,
    /// Whether it is the pivot that is asked.
    #[serde(default)]
    pub pivot: bool,
    /// On the first ask: whom it is for.
    pub to: Option<To>,
    /// On the first ask, when it may be asked again: the request.
    #[serde(default, deserialize_with = "present")]
    pub request: Option<Box<RawValue>>,
    /// On the first ask: what takes it back when its outcome stays unknown.
    pub undo: Option<Plan>,
    /// On the first ask, when it may be asked again: its time.
    pub at: Option<i64>,
    /// When its outcome is unknown at the latest.
    pub timer: Option<Timer>,
}

/// A request that is there; one without fields is `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(deserializer).map(Some)
}

/// An attempt, or a round, that did not succeed.
#[derive(Debug, Clone, Deserialize)]
pub struct AttemptFailed {
    /// The node.
    pub node: String,
    /// Of the ask or of its undo.
    pub direction: Direction,
    /// The round.
    pub round: u32,
    /// The attempt.
    pub attempt: u32,
    /// How it ended.
    pub how: How,
    /// When the next one is made; none when the budget is spent.
    pub timer: Option<Timer>,
}

/// A timer of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Timer {
    /// Which setting.
    pub serial: u64,
    /// Not before this time.
    pub due: i64,
}

/// Whom an ask is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// An entity, by a message.
    Entity(Address),
    /// A participant outside the log, by this activity.
    Activity(String),
}

/// An entity of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Address {
    /// The service.
    pub service: String,
    /// The kind.
    pub kind: String,
    /// The id.
    pub id: String,
}

/// A recorded undo. It goes to the `to` of its step.
#[derive(Debug, Clone, Deserialize)]
pub struct Plan {
    /// The activity, when the step is one.
    pub activity: Option<String>,
    /// What is asked.
    pub data: Box<RawValue>,
}

/// Forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The ask of a node.
    Do,
    /// Its undo.
    Undo,
    /// Whether the pivot happened.
    Probe,
    /// The demand never to do it.
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

impl Entry {
    /// Reads an event; `None` when it belongs to no journal.
    ///
    /// # Errors
    /// What is wrong with it, when it is an entry that the page does not describe.
    pub fn read(event: &record::Event) -> Option<Result<Self, String>> {
        let tag = event.name.strip_prefix(PREFIX)?;
        if event.schema != SCHEMA {
            return Some(Err(format!("{} of schema {}", event.name, event.schema)));
        }
        let tagged = format!("{{{tag:?}:{}}}", event.data);
        Some(serde_json::from_str(&tagged).map_err(|why| format!("{}: {why}", event.name)))
    }
}
