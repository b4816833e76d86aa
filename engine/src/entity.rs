//! What the shard machine drives: entities behind an object-safe trait. Aggregates are adapted to it by
//! `entity/aggregate.rs`; sagas adapt themselves from outside. An entity is pure: it sees inputs and its own state.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    address::Address,
    aggregate::Context,
    commit::{EventRecord, Outcome, Peer, RunRef, TimerChanges},
    measure::Measured,
    time::Micros,
    trace::{Span, SpanContext},
};

mod aggregate;
mod tagged;
pub use aggregate::{AggregateKind, Conflict, decode_event, encode_event, panicked};

/// A kind of entity of a service: makes them, reads their saved states.
pub trait Kind: Send + Sync + 'static {
    /// The kind's stable name.
    fn name(&self) -> &str;

    /// Everything its entities may ask something of: a node refuses to start where one of these is missing.
    fn targets(&self) -> Vec<TargetKind> {
        Vec::new()
    }

    /// An entity nothing has happened to.
    fn blank(&self, id: &Arc<str>) -> Box<dyn Entity>;

    /// An entity from what [`Entity::save`] wrote.
    ///
    /// # Errors
    /// When the state cannot be read: the machine then folds the entity from its events, or parks it.
    fn restore(&self, id: &Arc<str>, saved: &[u8]) -> Result<Box<dyn Entity>, Unfit>;
}

/// One entity: its state, and how it takes inputs and events. Never panics out: user code is caught inside.
pub trait Entity: Send {
    /// Decides an input and *advances* to the state after its events. A refusal of any sort leaves it as it was.
    ///
    /// # Errors
    /// [`Unfit`] when user code panicked while the state was changing, or the result is too large: the state can no
    /// longer be trusted. The machine drops it, folds it again from the log, and refuses this input without asking.
    fn handle(&mut self, input: &EntityInput<'_>, cx: &Context) -> Result<Decision, Unfit>;

    /// Takes a recorded event of this commit into the state (recovery).
    ///
    /// # Errors
    /// When it cannot be read or user code panicked: the entity is parked.
    fn apply(&mut self, event: &EventRecord, commit: &Recorded<'_>) -> Result<(), Unfit>;

    /// The state, for a snapshot.
    ///
    /// # Errors
    /// When it cannot be written: the entity stays in memory and the snapshot is not taken.
    fn save(&self) -> Result<Vec<u8>, Unfit>;

    /// Once at its end (a saga's terminal state): what it ended with.
    fn ended(&self) -> Option<Box<RawValue>> {
        None
    }
}

/// What is known of the commit that a recorded event is in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recorded<'a> {
    /// Its time.
    pub time: Micros,
    /// The entity's version before the event.
    pub version: u64,
    /// The trace context it was recorded with.
    pub traceparent: Option<&'a Arc<str>>,
}

/// A state that cannot be used any further, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub Arc<str>);

impl Unfit {
    /// With this reason.
    pub fn new(why: impl Into<Arc<str>>) -> Self {
        Self(why.into())
    }
}

/// One input of an entity.
#[derive(Debug, Clone)]
pub enum EntityInput<'a> {
    /// A command or another message, from a client or another entity.
    Message {
        /// What it is: the kind for a command, or a word the kind knows.
        name: &'a str,
        /// The payload.
        data: &'a RawValue,
        /// The version the sender expects.
        expect_version: Option<u64>,
        /// The sending shard, when it came on a channel.
        from: Option<&'a Peer>,
    },
    /// The answer to something this entity asked with a send.
    Reply {
        /// What the send said in [`SendRequest::re`].
        re: &'a str,
        /// The answer, undecoded: a [`crate::message::Reply`].
        data: &'a RawValue,
    },
    /// A timer that is due and current.
    Timer {
        /// What it belongs to.
        node: &'a str,
        /// Which setting.
        serial: u64,
    },
    /// The outcome of one attempt of an activity that this entity ran.
    Activity(&'a ActivityResult),
}

/// The outcome of one attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActivityResult {
    /// The effect key.
    pub key: Arc<str>,
    /// The round.
    pub round: u32,
    /// The attempt.
    pub attempt: u32,
    /// How it ended.
    pub outcome: AttemptOutcome,
}

/// How one attempt of an activity ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// Done, with its reply.
    Done(Box<RawValue>),
    /// A definite business no.
    Refused {
        /// For programs.
        code: Arc<str>,
        /// For people.
        text: Arc<str>,
    },
    /// It certainly did not happen: try again.
    Transient(Arc<str>),
    /// It may have happened: timeout, panic, a broken connection.
    Unknown(Arc<str>),
    /// A person is needed.
    Fatal(Arc<str>),
    /// The owner that ran it is gone; what became of it is not known.
    Lost,
}

impl AttemptOutcome {
    /// Its name, for people and for metrics.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Refused { .. } => "refused",
            Self::Transient(_) => "transient",
            Self::Unknown(_) => "unknown",
            Self::Fatal(_) => "fatal",
            Self::Lost => "lost",
        }
    }
}

/// What an entity made of an input.
#[derive(Debug)]
pub struct Decision {
    /// How it ended.
    pub outcome: Outcome,
    /// The reply when accepted; a [`crate::message::Refusal`] otherwise.
    pub answer: Option<Box<RawValue>>,
    /// What happened. Empty unless accepted or parked.
    pub events: Vec<EventRecord>,
    /// Messages to other entities.
    pub sends: Vec<SendRequest>,
    /// Timers set and cleared.
    pub timers: TimerChanges,
    /// Attempts of activities to run once this is effective.
    pub runs: Vec<RunRequest>,
    /// Running attempts nobody waits for any more: their cancel token is set. Not recorded: a hint to save work.
    pub stops: Vec<RunRef>,
    /// The entity has come to its end with this.
    pub ended: bool,
    /// The root of the entity's own trace, if it has one: what its commit is recorded with. Otherwise that is the context of
    /// the message that was decided on.
    pub trace: Option<SpanContext>,
    /// What ends with this: told once the commit is effective. Not recorded. What also began with it, ends then.
    pub spans: Vec<Span>,
    /// What is counted of this: told once the commit is effective. Not recorded.
    pub measured: Vec<Measured>,
}

impl Decision {
    /// Accepted, with nothing in it.
    #[must_use]
    pub fn accepted() -> Self {
        Self::of(Outcome::Accepted, None)
    }

    /// This outcome and answer, with nothing else in it.
    #[must_use]
    pub fn of(outcome: Outcome, answer: Option<Box<RawValue>>) -> Self {
        Self {
            outcome,
            answer,
            events: Vec::new(),
            sends: Vec::new(),
            timers: TimerChanges::default(),
            runs: Vec::new(),
            stops: Vec::new(),
            ended: false,
            trace: None,
            spans: Vec::new(),
            measured: Vec::new(),
        }
    }
}

/// A message to send.
#[derive(Debug, Clone)]
pub struct SendRequest {
    /// Whom it is for.
    pub to: Address,
    /// What it is.
    pub name: Arc<str>,
    /// The payload.
    pub data: Box<RawValue>,
    /// When an answer is wanted: what it is about, returned unchanged in [`EntityInput::Reply`].
    pub re: Option<Arc<str>>,
    /// The span it is sent for; if none is named, the handling of the message that is decided on.
    pub parent: Option<SpanContext>,
}

/// An attempt of an activity to run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The effect key inside the entity: fixed for ever.
    pub key: Arc<str>,
    /// Rises only after a definite refusal.
    pub round: u32,
    /// A try within the round.
    pub attempt: u32,
    /// The activity's stable name.
    pub activity: Arc<str>,
    /// The request's bytes: equal for all attempts of a round.
    pub request: Box<RawValue>,
    /// When the budget of what asks for it ends: an attempt that has not begun by then is not worth beginning.
    pub begin_by: Micros,
    /// The span it is run for.
    pub parent: Option<SpanContext>,
}

/// What an entity may ask something of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// Aggregates of this service and kind.
    Aggregate {
        /// The service.
        service: &'static str,
        /// The kind.
        kind: &'static str,
    },
    /// An activity and the one that undoes it, if any.
    Activity {
        /// The stable name.
        name: &'static str,
        /// The undo's stable name.
        undo: Option<&'static str>,
    },
}

/// The kinds of one service, by name.
#[derive(Clone, Default)]
pub struct Kinds {
    served: BTreeMap<Arc<str>, Arc<dyn Kind>>,
    retired: BTreeSet<Arc<str>>,
}

impl Kinds {
    /// Adds a kind; gives it back when the name is taken.
    ///
    /// # Errors
    /// The name that is there already.
    pub fn add(&mut self, kind: Arc<dyn Kind>) -> Result<(), Arc<str>> {
        let name: Arc<str> = kind.name().into();
        if self.served.contains_key(&name) || self.retired.contains(&name) {
            return Err(name);
        }
        self.served.insert(name, kind);
        Ok(())
    }

    /// Names a kind that is not served any more: what the log says of its entities is passed over.
    ///
    /// # Errors
    /// The name, when it is served.
    pub fn retire(&mut self, name: Arc<str>) -> Result<(), Arc<str>> {
        if self.served.contains_key(&name) {
            return Err(name);
        }
        self.retired.insert(name);
        Ok(())
    }

    /// The kind of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Kind>> {
        self.served.get(name)
    }

    /// Whether the kind of this name is retired.
    #[must_use]
    pub fn is_retired(&self, name: &str) -> bool {
        self.retired.contains(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.served.keys()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Kind>> {
        self.served.values()
    }

    /// Why nothing can be said about an entity of this kind.
    pub(crate) fn unknown(&self, name: &str) -> String {
        let known = self.names().map(|n| &**n).collect::<Vec<_>>().join(", ");
        format!(
            "kind {name:?} is not served here; served: {known}. All processes of a service must serve all its kinds: run one \
             that does, or say `.retired({name:?})` when it is given up for good"
        )
    }
}
