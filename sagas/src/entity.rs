//! The coordinator dressed as an engine entity: inputs decoded, events recorded, answers written. An instance that
//! cannot be run is parked: its inputs are kept in its stream, and nothing of them is applied.

use std::sync::Arc;

use palinode::{
    Context,
    commit::{EventRecord, Outcome},
    entity::{AttemptOutcome, Decision, Entity, EntityInput, Kind, Recorded, TargetKind, Unfit},
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
    verb::{No, Order, Verb},
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

    /// The definition.
    #[must_use]
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }
}

impl Kind for SagaKind {
    fn name(&self) -> &str {
        self.definition.name()
    }

    fn targets(&self) -> Vec<TargetKind> {
        self.definition
            .nodes()
            .flat_map(|(_, node)| node.target.iter().chain(&node.settles))
            .copied()
            .collect()
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

/// Message names an instance knows, besides the words of verbs.
pub mod name {
    /// Begins an instance: `{"data": ..}`.
    pub const START: &str = "start";
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
        if let Some(kept) = self.keep(&read, input, cx) {
            return kept;
        }
        let cause = match input {
            EntityInput::Timer { node, serial } => Some((*node, *serial)),
            _ => None,
        };
        match decide(&self.definition, &self.state, self.typed.take(), &read, cx) {
            Ok(decided) => self.take(decided, cause, cx),
            // What still cannot be taken was kept already.
            Err(Broken(why)) if matches!(&read, Input::Order(o) if o.verb == Verb::Unpark) => {
                palinode::sometimes!("saga set free in vain");
                Ok(answer(Said::No(No::Parked { why: why.into() }), cx))
            }
            Err(Broken(why)) => self.park(why, input, cx),
        }
    }

    fn apply(&mut self, event: &EventRecord, commit: &Recorded<'_>) -> Result<(), Unfit> {
        let event = Event::read(event).map_err(Unfit::new)?;
        self.typed = None;
        self.state.apply(&self.definition, &event).map_err(Unfit::new)?;
        self.state.pass(event.node().and_then(|path| self.definition.find(path)), &event, commit.time);
        self.state.follow_recorded(&self.definition, &event, commit);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>, Unfit> {
        if palinode::zoo!("saga-saved-without-its-tries") {
            let mut state = self.state.clone();
            let ids: Vec<_> = state.nodes().map(|(id, _)| id).collect();
            ids.into_iter().for_each(|id| state[id].tries = Default::default());
            return serde_json::to_vec(&state).map_err(|e| Unfit::new(e.to_string()));
        }
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
            EntityInput::Message { name, data, .. } => message(&self.definition, name, data),
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
        decision.spans = out.spans;
        decision.measured = out.measured;
        decision.trace = state.traced(cx, self.state.trace.as_deref());
        self.state = state;
        self.typed = typed;
        Ok(decision)
    }

    /// The input that could not be taken is stored, and nothing of it is applied.
    fn park(&mut self, why: String, input: &EntityInput<'_>, cx: &Context) -> Result<Decision, Unfit> {
        palinode::sometimes!("saga set aside");
        let why: Arc<str> = why.into();
        self.store(&Event::Parked { why: Arc::clone(&why), input: kept(input, cx) }, &why, cx)
    }

    /// What is not taken now: everything but some verbs while it is set aside, answers while it stands still.
    fn keep(
        &mut self,
        read: &Input<'_>,
        input: &EntityInput<'_>,
        cx: &Context,
    ) -> Option<Result<Decision, Unfit>> {
        let kept = || Event::Kept { input: kept(input, cx) };
        if let Some(why) = self.state.parked.clone() {
            let acts = matches!(read, Input::Order(order) if order.verb != Verb::Cancel);
            return (!acts).then(|| self.store(&kept(), &why, cx));
        }
        let still = self.state.paused.is_some()
            && !palinode::zoo!("paused-saga-asks")
            && matches!(read, Input::Answer { .. } | Input::Timer { .. });
        still.then(|| {
            let event = kept();
            self.state.apply(&self.definition, &event).map_err(Unfit::new)?;
            let mut decision = Decision::accepted();
            decision.trace = self.state.traced(cx, self.state.trace.as_deref());
            decision.events = vec![event.record().map_err(Unfit::new)?];
            Ok(decision)
        })
    }

    fn store(&mut self, event: &Event, why: &Arc<str>, cx: &Context) -> Result<Decision, Unfit> {
        self.state.apply(&self.definition, event).map_err(Unfit::new)?;
        let refusal = Refusal { code: "parked".into(), text: Arc::clone(why), data: None };
        let mut decision = Decision::of(Outcome::Parked, to_raw_value(&refusal).ok());
        decision.trace = self.state.traced(cx, self.state.trace.as_deref());
        decision.events = vec![event.record().map_err(Unfit::new)?];
        Ok(decision)
    }
}

/// A message as the coordinator takes it.
pub(crate) fn message<'a>(def: &Definition, name: &'a str, data: &'a RawValue) -> Result<Input<'a>, String> {
    let shape = |e: serde_json::Error| format!("{name:?} for {def:?}: {e}");
    if name == name::START {
        let StartBody { data } = serde_json::from_str(data.get()).map_err(shape)?;
        return Ok(Input::Start(data));
    }
    if let Some(signal) = name.strip_prefix(name::SIGNAL) {
        let SignalBody { id, data } = serde_json::from_str(data.get()).map_err(shape)?;
        return Ok(Input::Signal { name: signal, id, data: data.into() });
    }
    let verb = name.parse().map_err(|e| format!("a saga knows start and signal/<name>; {e}"))?;
    let order = Order::read(verb, data).map_err(|e| format!("{name:?} for {def:?}: {e}"))?;
    Ok(Input::Order(order))
}

/// An entity's answer. What cannot be read as one may have happened.
pub(crate) fn reply(data: &RawValue) -> Answer {
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

fn kept(input: &EntityInput<'_>, cx: &Context) -> Kept {
    match input {
        EntityInput::Message { name, data, .. } => {
            let came = cx.trace.cause.filter(|came| came.sampled);
            let (name, data) = ((*name).into(), Raw::from((*data).to_owned()));
            Kept::Message { name, data, traceparent: came.map(|came| came.traceparent()) }
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
        Said::Taken => word("taken"),
        Said::Buffered => word("buffered"),
        Said::Duplicate => word("duplicate"),
        Said::Kept => word("kept"),
        Said::Obeyed(situation) => Decision::of(Outcome::Accepted, to_raw_value(&situation).ok()),
        Said::Conflict => {
            let text = format!("{id} was started with other data: use another id");
            let refusal = Refusal { code: "conflict".into(), text: text.into(), data: None };
            Decision::of(Outcome::Conflict, to_raw_value(&refusal).ok())
        }
        Said::No(no) => {
            let text = format!("{id}: {no}");
            let refusal = Refusal { code: no.code().into(), text: text.into(), data: to_raw_value(&no).ok() };
            Decision::of(Outcome::Rejected, to_raw_value(&refusal).ok())
        }
        Said::Invalid(why) => invalid(why),
    }
}

fn word(word: &str) -> Decision {
    Decision::of(Outcome::Accepted, to_raw_value(word).ok())
}

fn invalid(text: impl Into<Arc<str>>) -> Decision {
    let refusal = Refusal { code: Refusal::BUG.into(), text: text.into(), data: None };
    Decision::of(Outcome::Invalid, to_raw_value(&refusal).ok())
}
