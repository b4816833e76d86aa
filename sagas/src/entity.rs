//! The coordinator dressed as an engine entity: inputs decoded, events recorded, answers written. An instance that
//! cannot be run is parked: its inputs are kept in its stream, and nothing of them is applied.

use std::sync::Arc;

use palinode::{
    Context,
    commit::{EventRecord, Outcome},
    entity::{AttemptOutcome, Decision, Entity, EntityInput, Kind, TargetKind, Unfit},
    message::Refusal,
};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    coordinator::{Broken, Decided, Input, Said, decide},
    definition::{Definition, Typed},
    event::{Event, Kept},
    outcome::{Answer, Raw, Refused, fits},
    state::{Phase, State},
    wait::timer_changes,
};

/// The kind of a saga's instances: named after the definition.
pub struct SagaKind {
    definition: Arc<Definition>,
}

impl SagaKind {
    /// Of this definition.
    #[must_use]
    pub fn new(definition: Arc<Definition>) -> Self {
        Self { definition }
    }
}

impl Kind for SagaKind {
    fn name(&self) -> &str {
        self.definition.name()
    }

    fn targets(&self) -> Vec<TargetKind> {
        self.definition.nodes().filter_map(|(_, node)| node.target).collect()
    }

    fn blank(&self, _id: &Arc<str>) -> Box<dyn Entity> {
        Box::new(Instance::new(Arc::clone(&self.definition)))
    }

    fn restore(&self, _id: &Arc<str>, saved: &[u8]) -> Result<Box<dyn Entity>, Unfit> {
        let state: State = serde_json::from_slice(saved)
            .map_err(|e| Unfit::new(format!("saved state of {:?}: {e}", self.definition)))?;
        if let Some(origin) = state.origin {
            origin.fits(&self.definition).map_err(Unfit::new)?;
        }
        if state.nodes.len() != self.definition.nodes().count() {
            return Err(Unfit::new(format!("saved state of {:?} has other nodes", self.definition)));
        }
        Ok(Box::new(Instance { definition: Arc::clone(&self.definition), state, typed: None }))
    }
}

/// One instance.
pub struct Instance {
    definition: Arc<Definition>,
    state: State,
    /// The data with its type, while it is known to equal the recorded one.
    typed: Option<Typed>,
}

/// Message names an instance knows, besides `signal/<name>`.
pub mod name {
    /// Begins an instance: `{"data": ..}`.
    pub const START: &str = "start";
    /// Takes it back: `{"reason": ..}`.
    pub const CANCEL: &str = "cancel";
    /// Stops it, taking nothing back: `{"reason": .., "by": ..}`.
    pub const KILL: &str = "kill";
    /// Before the name of a signal: `{"id": .., "data": ..}`.
    pub const SIGNAL: &str = "signal/";
}

#[derive(Deserialize)]
struct StartBody<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct SignalBody {
    id: Arc<str>,
    data: Box<RawValue>,
}

#[derive(Deserialize)]
struct CancelBody {
    reason: Arc<str>,
}

#[derive(Deserialize)]
struct KillBody {
    reason: Arc<str>,
    by: Arc<str>,
}

/// The part of an engine reply an instance needs.
#[derive(Deserialize)]
struct ReplyBody<'a> {
    outcome: Outcome,
    #[serde(borrow)]
    answer: &'a RawValue,
}

/// What an instance says at its end ([`Entity::ended`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// How it ended.
    pub outcome: End,
    /// Nodes closed by a person instead of by an outcome.
    pub exceptions: u32,
    /// Why, for an end that is not `completed`.
    pub why: Option<Box<RawValue>>,
    /// Its data at the end.
    pub data: Box<RawValue>,
}

/// How an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Everything was done.
    Completed,
    /// Everything was taken back.
    Compensated,
    /// Stopped by a person.
    Killed,
}

impl Entity for Instance {
    fn handle(&mut self, input: &EntityInput<'_>, cx: &Context) -> Result<Decision, Unfit> {
        let read = match self.read(input) {
            Ok(read) => read,
            Err(text) => return Ok(invalid(text)),
        };
        let killing = matches!(read, Input::Kill { .. });
        if self.state.parked.is_some() && !killing {
            return self.keep(input);
        }
        let cause = match input {
            EntityInput::Timer { node, serial } => Some((*node, *serial)),
            _ => None,
        };
        match decide(&self.definition, &self.state, self.typed.take(), &read, cx) {
            Ok(decided) => self.take(decided, cause, cx),
            Err(Broken(why)) => self.park(why, input),
        }
    }

    fn apply(&mut self, event: &EventRecord) -> Result<(), Unfit> {
        let event = Event::read(event).map_err(Unfit::new)?;
        self.typed = None;
        self.state.apply(&self.definition, &event).map_err(Unfit::new)
    }

    fn save(&self) -> Result<Vec<u8>, Unfit> {
        serde_json::to_vec(&self.state)
            .map_err(|e| Unfit::new(format!("state of {:?}: {e}", self.definition)))
    }

    fn ended(&self) -> Option<Box<RawValue>> {
        let state = &self.state;
        let (outcome, why) = match state.phase {
            Phase::Completed => (End::Completed, None),
            Phase::Compensated => (End::Compensated, to_raw_value(&state.why).ok()),
            Phase::Killed => (End::Killed, to_raw_value(&state.killed).ok()),
            _ => return None,
        };
        let summary = Summary { outcome, exceptions: state.exceptions, why, data: (*state.data).to_owned() };
        to_raw_value(&summary).ok()
    }
}

impl Instance {
    pub(crate) fn new(definition: Arc<Definition>) -> Self {
        let state = State::blank(&definition);
        Self { definition, state, typed: None }
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The input as the coordinator takes it.
    fn read<'a>(&self, input: &'a EntityInput<'_>) -> Result<Input<'a>, String> {
        match input {
            EntityInput::Message { name, data, .. } => self.message(name, data),
            EntityInput::Reply { re, data } => {
                let (key, round) = re.rsplit_once('/').unwrap_or((re, ""));
                let round = round.parse().unwrap_or(0);
                Ok(Input::Answer { key, round, attempt: None, answer: reply(data) })
            }
            EntityInput::Timer { node, serial } => Ok(Input::Timer { node, serial: *serial }),
            EntityInput::Activity(result) => Ok(Input::Answer {
                key: &result.key,
                round: result.round,
                attempt: Some(result.attempt),
                answer: attempt(&result.outcome),
            }),
        }
    }

    fn message<'a>(&self, name: &'a str, data: &'a RawValue) -> Result<Input<'a>, String> {
        let shape = |e: serde_json::Error| format!("{name:?} for {:?}: {e}", self.definition);
        match name {
            name::START => {
                let StartBody { data } = serde_json::from_str(data.get()).map_err(shape)?;
                Ok(Input::Start(data))
            }
            name::CANCEL => {
                let CancelBody { reason } = serde_json::from_str(data.get()).map_err(shape)?;
                Ok(Input::Cancel { reason })
            }
            name::KILL => {
                let KillBody { reason, by } = serde_json::from_str(data.get()).map_err(shape)?;
                Ok(Input::Kill { reason, by })
            }
            other => match other.strip_prefix(name::SIGNAL) {
                Some(signal) => {
                    let SignalBody { id, data } = serde_json::from_str(data.get()).map_err(shape)?;
                    Ok(Input::Signal { name: signal, id, data: data.into() })
                }
                None => Err(format!("a saga knows start, signal/<name>, cancel and kill, not {other:?}")),
            },
        }
    }

    fn take(
        &mut self,
        decided: Decided,
        cause: Option<(&str, u64)>,
        cx: &Context,
    ) -> Result<Decision, Unfit> {
        let Decided { state, typed, said, out } = decided;
        let mut decision = answer(said, cx);
        let records: Result<Vec<EventRecord>, String> = out.events.iter().map(Event::record).collect();
        match records {
            Ok(events) => decision.events = events,
            Err(why) => return Err(Unfit::new(why)),
        }
        decision.timers = timer_changes(&self.definition, &self.state, &state, cause);
        decision.ended = state.phase.terminal() && !self.state.phase.terminal();
        decision.sends = out.sends;
        decision.runs = out.runs;
        decision.stops = out.stops;
        self.state = state;
        self.typed = typed;
        Ok(decision)
    }

    /// The input that could not be taken is stored, and nothing of it is applied.
    fn park(&mut self, why: String, input: &EntityInput<'_>) -> Result<Decision, Unfit> {
        let why: Arc<str> = why.into();
        self.store(&Event::Parked { why: Arc::clone(&why), input: kept(input) }, &why)
    }

    fn keep(&mut self, input: &EntityInput<'_>) -> Result<Decision, Unfit> {
        let why = self.state.parked.clone().unwrap_or_default();
        self.store(&Event::Kept { input: kept(input) }, &why)
    }

    fn store(&mut self, event: &Event, why: &Arc<str>) -> Result<Decision, Unfit> {
        self.state.apply(&self.definition, event).map_err(Unfit::new)?;
        let refusal = Refusal { code: "parked".into(), text: Arc::clone(why), data: None };
        let mut decision = Decision::of(Outcome::Parked, to_raw_value(&refusal).ok());
        decision.events = vec![event.record().map_err(Unfit::new)?];
        Ok(decision)
    }
}

/// An entity's answer. What cannot be read as one may have happened.
fn reply(data: &RawValue) -> Answer {
    let ReplyBody { outcome, answer } = match serde_json::from_str(data.get()) {
        Ok(body) => body,
        Err(e) => return Answer::Unknown(format!("an answer that is none: {e}").into()),
    };
    if outcome == Outcome::Accepted {
        return done(answer);
    }
    match serde_json::from_str::<Refusal>(answer.get()) {
        // A parked entity may still take the message when it is set free.
        Ok(refusal) if outcome == Outcome::Parked => Answer::Unknown(refusal.text),
        Ok(Refusal { code, text, data }) => {
            let data = data.filter(|data| fits("a rejection", data).is_ok());
            Answer::Refused(Refused { code, text, data: data.map(Raw::from) })
        }
        Err(e) => Answer::Unknown(format!("a refusal that is none: {e}").into()),
    }
}

/// A reply that does not fit into the journal is a bug of the participant: it may have happened.
fn done(reply: &RawValue) -> Answer {
    match fits("a reply", reply) {
        Ok(()) => Answer::Done(Raw::from(reply.to_owned())),
        Err(why) => Answer::Fatal(why.into()),
    }
}

fn attempt(outcome: &AttemptOutcome) -> Answer {
    match outcome {
        AttemptOutcome::Done(reply) => done(reply),
        AttemptOutcome::Refused { code, text } => {
            Answer::Refused(Refused { code: Arc::clone(code), text: Arc::clone(text), data: None })
        }
        AttemptOutcome::Transient(why) => Answer::Transient(Arc::clone(why)),
        AttemptOutcome::Unknown(why) => Answer::Unknown(Arc::clone(why)),
        AttemptOutcome::Fatal(why) => Answer::Fatal(Arc::clone(why)),
        AttemptOutcome::Lost => Answer::Lost,
    }
}

fn kept(input: &EntityInput<'_>) -> Kept {
    match input {
        EntityInput::Message { name, data, .. } => {
            Kept::Message { name: (*name).into(), data: Raw::from((*data).to_owned()) }
        }
        EntityInput::Reply { re, data } => {
            Kept::Reply { re: (*re).into(), data: Raw::from((*data).to_owned()) }
        }
        EntityInput::Timer { node, serial } => Kept::Timer { node: (*node).into(), serial: *serial },
        EntityInput::Activity(result) => Kept::Attempt {
            key: Arc::clone(&result.key),
            round: result.round,
            attempt: result.attempt,
            answer: attempt(&result.outcome),
        },
    }
}

/// What the sender of a message is told: a word when it was taken, a refusal with a code otherwise.
fn answer(said: Said, cx: &Context) -> Decision {
    let id = &cx.entity.id;
    match said {
        Said::Nothing => Decision::accepted(),
        Said::Started => word("started"),
        Said::Undoing => word("undoing"),
        Said::Waiting => word("waiting"),
        Said::Taken => word("taken"),
        Said::Buffered => word("buffered"),
        Said::Duplicate => word("duplicate"),
        Said::Kept => word("kept"),
        Said::Killed => word("killed"),
        Said::Conflict => {
            let text = format!("{id} was started with other data: use another id");
            refuse(Outcome::Conflict, "conflict", text)
        }
        Said::NotStarted => refuse(Outcome::Rejected, "not_started", format!("{id} was never started")),
        Said::Ended => refuse(Outcome::Rejected, "ended", format!("{id} has come to its end")),
        Said::PastPivot => {
            refuse(Outcome::Rejected, "past_pivot", format!("{id} is past its pivot: it will be completed"))
        }
        Said::TooLate => {
            refuse(Outcome::Rejected, "too_late", format!("{id} passed its pivot before the cancel"))
        }
        Said::NoSuchSignal => refuse(Outcome::Rejected, "no_such_signal", "no wait of the saga knows it"),
        Said::BufferFull => {
            refuse(Outcome::Rejected, "buffer_full", "too many signals of this name are waiting already")
        }
        Said::Invalid(why) => invalid(why),
    }
}

fn word(word: &str) -> Decision {
    Decision::of(Outcome::Accepted, to_raw_value(word).ok())
}

fn refuse(outcome: Outcome, code: &str, text: impl Into<Arc<str>>) -> Decision {
    let refusal = Refusal { code: code.into(), text: text.into(), data: to_raw_value(code).ok() };
    Decision::of(outcome, to_raw_value(&refusal).ok())
}

fn invalid(text: impl Into<Arc<str>>) -> Decision {
    let refusal = Refusal { code: Refusal::BUG.into(), text: text.into(), data: None };
    Decision::of(Outcome::Invalid, to_raw_value(&refusal).ok())
}
