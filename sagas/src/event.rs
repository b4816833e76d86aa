//! The journal: what is recorded of an instance, in the order in which it happened. Every ask, attempt and refusal is
//! visible here with its reason; `docs/journal.md` lists the fields for readers that share no code with us.

use std::sync::Arc;

use palinode::{Digest, Micros, activity::To};
use serde::{Deserialize, Serialize};

use crate::{
    outcome::{Answer, Raw, present},
    verb::Verb,
};

mod parts;
mod record;

pub use parts::{Direction, How, Kept, Late, Left, NodeTimer, Plan, SkippedBy, Timer, Why};

/// What stands before the tag in the name of every journal event, whatever the definition.
pub const PREFIX: &str = "saga";

/// One entry of the journal. `node` is always a node's path.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The instance began.
    Started {
        /// The definition's name.
        definition: Arc<str>,
        /// Its version: the instance is pinned to it.
        version: u32,
        /// Its fingerprint.
        fingerprint: Digest,
        /// The data it began with, as it was sent.
        data: Raw,
        /// When it is taken back if it is not past the pivot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timer>,
    },
    /// A node was asked: the intent, committed before the effect.
    StepAsked {
        /// The node.
        node: Arc<str>,
        /// Rises only after a definite refusal.
        round: u32,
        /// A try within the round.
        attempt: u32,
        /// True when the node is the pivot.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pivot: bool,
        /// On the first ask: whom it is for. The undo goes there too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<To>,
        /// On the first ask, when it may have to be sent again: the request. The bytes of all attempts are equal.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        request: Option<Raw>,
        /// On the first ask: the undo for the case that the outcome stays unknown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<Plan>,
        /// On the first ask, when a budget counts from it: its time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Micros>,
        /// When its outcome is unknown at the latest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timer: Option<Timer>,
    },
    /// It was done.
    StepDone {
        /// The node.
        node: Arc<str>,
        /// The round that was answered.
        round: u32,
        /// The reply.
        reply: Raw,
        /// The data after `save`, when it changed.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        data: Option<Raw>,
        /// The undo built from the reply, when it differs from the one recorded with the ask.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<Plan>,
        /// True when the outcome was taken for unknown before (U8).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
    },
    /// The pivot was done: nothing is taken back any more.
    PivotPassed {
        /// The pivot.
        node: Arc<str>,
        /// The round that was answered.
        round: u32,
        /// The reply.
        reply: Raw,
        /// The data after `save`, when it changed.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        data: Option<Raw>,
    },
    /// It was definitely refused.
    StepRefused {
        /// The node.
        node: Arc<str>,
        /// The round that was answered.
        round: u32,
        /// Why, for programs.
        code: Arc<str>,
        /// Why, for people.
        text: Arc<str>,
        /// The rejection itself, when an aggregate gave one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Raw>,
        /// True when the outcome was taken for unknown before (U8).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        late: bool,
    },
    /// Its outcome is not known: it may have happened.
    StepUnknown {
        /// The node.
        node: Arc<str>,
        /// The round.
        round: u32,
        /// Why.
        why: Arc<str>,
    },
    /// An attempt, or a round, did not succeed and the node is not closed by it.
    AttemptFailed {
        /// The node.
        node: Arc<str>,
        /// Of the ask or of its undo.
        direction: Direction,
        /// The round.
        round: u32,
        /// The attempt.
        attempt: u32,
        /// How it ended.
        how: How,
        /// Why.
        why: Arc<str>,
        /// When the next attempt (after a refusal: the next round) is made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timer: Option<Timer>,
    },
    /// A node after the pivot needs a person.
    Blocked {
        /// The node.
        node: Arc<str>,
        /// Why.
        why: Arc<str>,
    },
    /// The pivot may have happened, and nobody may guess.
    InDoubt {
        /// The pivot.
        node: Arc<str>,
        /// Why.
        why: Arc<str>,
    },
    /// The node was left out.
    Skipped {
        /// The node.
        node: Arc<str>,
        /// By what.
        why: SkippedBy,
    },
    /// A wait is open, or a timer runs.
    WaitBegan {
        /// The node.
        node: Arc<str>,
        /// The name of the signal that a wait waits for; none: a timer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<Arc<str>>,
        /// When it ends without a signal.
        timer: Timer,
    },
    /// A signal came. It is kept until a wait takes it.
    Signalled {
        /// The signal's name.
        name: Arc<str>,
        /// Its id: the same id again is dropped.
        id: Arc<str>,
        /// What it says.
        data: Raw,
        /// The trace context of the call that brought it, when nothing takes it at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<Arc<str>>,
    },
    /// A wait took the oldest signal of its name, or a timer ended.
    WaitDone {
        /// The node.
        node: Arc<str>,
        /// The signal's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Arc<str>>,
        /// The data after `save`, when it changed.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        data: Option<Raw>,
    },
    /// A wait ended without its signal.
    TimedOut {
        /// The node.
        node: Arc<str>,
        /// What follows.
        then: crate::definition::Then,
    },
    /// The saga is taken back from here on: no forward ask follows.
    UndoBegan {
        /// Why.
        why: Why,
    },
    /// An activity is still running while the saga is taken back: it has this long to say how it ended.
    Draining {
        /// The node.
        node: Arc<str>,
        /// When its outcome is unknown.
        timer: Timer,
    },
    /// The recorded undo was asked.
    UndoAsked {
        /// The node.
        node: Arc<str>,
        /// Rises only after a definite refusal.
        round: u32,
        /// A try within the round.
        attempt: u32,
        /// Time of the first ask of this undo.
        at: Micros,
    },
    /// The undo was done.
    Undone {
        /// The node.
        node: Arc<str>,
        /// The round that was answered.
        round: u32,
    },
    /// The undo needs a person.
    UndoStuck {
        /// The node.
        node: Arc<str>,
        /// Why.
        why: Arc<str>,
    },
    /// An answer nobody waits for. Nothing follows from it here.
    LateReply {
        /// What it answers: `path/do/round`, or `path/undo/round`.
        re: Arc<str>,
        /// What it is.
        class: Late,
        /// What it says.
        answer: Answer,
    },
    /// Cancel was asked while the pivot was open, and is honoured if that is refused; or during a pause, and is honoured
    /// at its end.
    CancelAsked {
        /// The caller's reason.
        reason: Arc<str>,
        /// Who.
        by: Arc<str>,
    },
    /// The pivot was passed before the cancel that waited for it.
    CancelTooLate {},
    /// The saga's deadline passed when it could not be taken back at once.
    DeadlinePassed {},
    /// Nothing can move without a person.
    Stuck {
        /// The nodes that need one.
        nodes: Vec<Arc<str>>,
    },
    /// The end: everything was done.
    Completed {},
    /// The end: everything was taken back.
    Compensated {
        /// How many nodes were closed by a person instead of by an outcome.
        exceptions: u32,
    },
    /// The end: stopped by a person, nothing was taken back.
    Killed {
        /// Why.
        reason: Arc<str>,
        /// Who.
        by: Arc<str>,
        /// Effect keys of what was asked, not refused and not taken back.
        standing: Vec<Arc<str>>,
    },
    /// The instance is set aside because it cannot be run. The input is kept, nothing of it is applied.
    Parked {
        /// Why.
        why: Arc<str>,
        /// The input that could not be taken.
        input: Kept,
    },
    /// An input that came while the instance is parked.
    Kept {
        /// The input.
        input: Kept,
    },
    /// A person acts on a node, or on what leaked of it. What follows from it comes in the same commit.
    Intervened {
        /// What is done. Cancel, kill, pause, resume and unpark have entries of their own.
        verb: Verb,
        /// The node.
        node: Arc<str>,
        /// Who.
        by: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The answer to what an entity was asked is awaited again. Nothing is sent: it has the message.
    Awaited {
        /// The node.
        node: Arc<str>,
        /// Of the ask or of its undo.
        direction: Direction,
        /// The round it was asked in.
        round: u32,
        /// When its outcome is unknown at the latest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timer: Option<Timer>,
    },
    /// The participant of a pivot that may have happened is asked about it, instead of guessing.
    SettleAsked {
        /// The pivot.
        node: Arc<str>,
        /// `probe`: whether it happened. `void`: whether it did, and if not, never to do it.
        direction: Direction,
        /// The round of the pivot that is in doubt.
        round: u32,
        /// A try within the round, of this direction.
        attempt: u32,
        /// When this was first asked, for its budget.
        at: Micros,
        /// On the first ask of a round: the activity that is run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        activity: Option<Arc<str>>,
        /// On the first ask of a round: the request. The bytes of all attempts are equal.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
        request: Option<Raw>,
    },
    /// The probe knows nothing of it: that is no proof that it did not happen.
    NotKnown {
        /// The pivot.
        node: Arc<str>,
    },
    /// Something of the node may stand that nobody takes back: a person said that it was not done, without proof.
    Leaked {
        /// The node.
        node: Arc<str>,
        /// Why.
        why: Arc<str>,
    },
    /// It stands still from here on: nothing is asked, no time passes.
    Paused {
        /// Why.
        reason: Arc<str>,
        /// Who.
        by: Arc<str>,
        /// The time.
        at: Micros,
        /// What is left of each timer.
        left: Vec<Left>,
    },
    /// It goes on.
    Resumed {
        /// Why.
        reason: Arc<str>,
        /// Who.
        by: Arc<str>,
        /// The time.
        at: Micros,
        /// The timers, set again for what was left of them.
        timers: Vec<NodeTimer>,
    },
    /// It can be run again: the inputs that were kept are taken now, in their order.
    Unparked {
        /// Why.
        reason: Arc<str>,
        /// Who.
        by: Arc<str>,
    },
}
