//! Tests of aggregates: given these events, when this command comes, then those events. The aggregate is run as the
//! engine runs it, JSON in and JSON out, so a test also finds what would only show later: an event that loses something
//! in its record, a decision that is not deterministic, a state that a snapshot does not bring back. Knows no log.

#![expect(clippy::panic, reason = "a test fails by a panic at the caller's line")]

mod deaf;
mod golden;
mod recorder;
mod runtime_clock;

use std::{fmt::Write as _, marker::PhantomData, sync::Arc};

use serde::Serialize;
use serde_json::{Value, value::RawValue};

pub use deaf::Deaf;
pub use golden::{golden_events, tags};
pub use recorder::{Recorder, Told};
pub use runtime_clock::RuntimeClock;

use crate::{
    address::Address,
    aggregate::{Aggregate, Context},
    commit::{EventRecord, Outcome},
    entity::{AggregateKind, Decision, Entity, EntityInput, Kind, Recorded, decode_event, encode_event},
    message::Refusal,
    time::Micros,
    trace::Scope,
};

/// Begins a test: what happened to the aggregate so far.
///
/// ```
/// # use palinode::{Aggregate, Context};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default, Serialize, Deserialize)] struct Door { open: bool }
/// # #[derive(Serialize, Deserialize)] enum Command { Open, Shut }
/// # #[derive(Serialize, Deserialize)]
/// # #[serde(tag = "type", content = "data", rename_all = "snake_case")] enum Event { Opened, Shut }
/// # impl Aggregate for Door {
/// #     const SERVICE: &'static str = "house"; const KIND: &'static str = "door";
/// #     type Command = Command; type Event = Event; type Reply = bool; type Rejection = String;
/// #     fn decide(&self, command: &Command, _: &Context) -> Result<Vec<Event>, String> {
/// #         match command {
/// #             Command::Open if self.open => Err("it is open".into()),
/// #             Command::Open => Ok(vec![Event::Opened]),
/// #             Command::Shut if self.open => Ok(vec![Event::Shut]),
/// #             Command::Shut => Ok(vec![]),
/// #         }
/// #     }
/// #     fn evolve(&mut self, event: &Event) { self.open = matches!(event, Event::Opened) }
/// #     fn reply(&self, _: &Command) -> bool { self.open }
/// # }
/// use palinode::testing::given;
///
/// given::<Door>([]).when(Command::Open).then([Event::Opened]).then_reply(true);
/// given::<Door>([]).when(Command::Shut).then_nothing();
/// given::<Door>([Event::Opened]).when(Command::Open).then_rejected(|no| no == "it is open");
/// ```
#[must_use = "nothing is tested before `when` and `then`"]
#[track_caller]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let history = encode::<A>(events);
    let version = history.len() as u64;
    Given { history, cx: Context { version, ..context::<A>() }, kind: PhantomData }
}

/// What a decision knows in these tests when nothing else is said: id `test`, cause `test`, the first of January 2026.
/// `context::<A>().id(0)` is the first id that it derives.
#[must_use]
pub fn context<A: Aggregate>() -> Context {
    Context {
        time: Micros(1_767_225_600_000_000),
        entity: Address::new(A::SERVICE, A::KIND, "test"),
        version: 0,
        cause: "test".into(),
        trace: Scope::default(),
    }
}

/// An aggregate with a history; `when` is next.
pub struct Given<A> {
    history: Vec<EventRecord>,
    cx: Context,
    kind: PhantomData<fn() -> A>,
}

impl<A: Aggregate> Given<A> {
    /// Changes what the decision knows besides the state: `.with(|cx| cx.time = Micros(5))`.
    #[must_use = "nothing is tested before `when` and `then`"]
    pub fn with(mut self, change: impl FnOnce(&mut Context)) -> Self {
        change(&mut self.cx);
        self
    }

    /// Lets the aggregate decide this command.
    ///
    /// # Panics
    /// When the aggregate panics, or breaks a promise that no test should have to ask for (see the module).
    #[must_use = "nothing is tested before `then`"]
    #[track_caller]
    pub fn when(self, command: A::Command) -> Decided<A> {
        let command = raw("the command", &command);
        let story = format!("given {}\nwhen {}", pretty(&self.history), pretty(&*command));
        match decide::<A>(&self, &command) {
            Ok(decision) => Decided { story, decision, kind: PhantomData },
            Err(what) => panic!("{}: {what}\n{story}", A::KIND),
        }
    }
}

/// What an aggregate decided; `then..` says what it should be.
pub struct Decided<A> {
    story: String,
    decision: Decision,
    kind: PhantomData<fn() -> A>,
}

impl<A: Aggregate> Decided<A> {
    /// It was accepted, with exactly these events.
    ///
    /// # Panics
    /// When it was not.
    #[track_caller]
    pub fn then(self, events: impl IntoIterator<Item = A::Event>) -> Self {
        let expected = encode::<A>(events);
        if self.decision.outcome != Outcome::Accepted {
            self.fail("it was to be accepted", &expected);
        }
        if value(&self.decision.events) != value(&expected) {
            self.fail("other events were expected", &expected);
        }
        self
    }

    /// It was accepted, and there was nothing to do.
    ///
    /// # Panics
    /// When it was not.
    #[track_caller]
    pub fn then_nothing(self) -> Self {
        self.then([])
    }

    /// It was accepted, and answered with this.
    ///
    /// # Panics
    /// When it was not.
    #[track_caller]
    pub fn then_reply(self, reply: A::Reply) -> Self {
        let expected = raw("the expected reply", &reply);
        if self.decision.outcome != Outcome::Accepted {
            self.fail("it was to be accepted, with this reply", &*expected);
        }
        if value(&self.decision.answer) != value(&expected) {
            self.fail("another reply was expected", &*expected);
        }
        self
    }

    /// It was refused, by a rejection of which this is true: `.then_rejected(|no| matches!(no, No::Full { .. }))`.
    ///
    /// # Panics
    /// When it was accepted, or the rejection is another.
    #[track_caller]
    pub fn then_rejected(self, is: impl FnOnce(&A::Rejection) -> bool) -> Self {
        if self.decision.outcome != Outcome::Rejected {
            self.fail("it was to be rejected", &"a rejection");
        }
        let refusal =
            self.decision.answer.as_deref().and_then(|a| serde_json::from_str::<Refusal>(a.get()).ok());
        let data = refusal.and_then(|refusal| refusal.data);
        match data.as_deref().map(|data| serde_json::from_str::<A::Rejection>(data.get())) {
            Some(Ok(rejection)) if is(&rejection) => self,
            Some(Ok(_)) => {
                self.fail("another rejection was expected", &"a rejection of which the check is true")
            }
            other => {
                let why =
                    other.and_then(Result::err).map_or_else(|| "it has no data".into(), |e| e.to_string());
                self.fail(&format!("the recorded rejection cannot be read back: {why}"), &"a rejection")
            }
        }
    }

    #[track_caller]
    fn fail(&self, what: &str, expected: &(impl Serialize + ?Sized)) -> ! {
        let Decision { outcome, answer, events, .. } = &self.decision;
        let mut found = format!("{outcome:?}");
        if !events.is_empty() || *outcome == Outcome::Accepted {
            let _ = write!(found, ", events {}", pretty(events));
        }
        let _ = write!(found, ", answer {}", pretty(answer));
        panic!("{}: {what}\n{}\nexpected {}\nfound {found}", A::KIND, self.story, pretty(expected))
    }
}

/// Decides as the engine does, several times, and compares what must be equal.
fn decide<A: Aggregate>(given: &Given<A>, command: &RawValue) -> Result<Decision, String> {
    let kind = AggregateKind::<A>::default();
    let mut entity = fold(&kind, &given.history)?;
    let saved = entity.save().map_err(|e| e.to_string())?;
    let decision = ask(&mut *entity, command, &given.cx)?;
    let after = entity.save().map_err(|e| e.to_string())?;

    let again = ask(&mut *fold(&kind, &given.history)?, command, &given.cx)?;
    equal("deciding twice gave different results: decide and reply must be pure", &decision, &again)?;
    let restored = kind.restore(&Arc::clone(&given.cx.entity.id), &saved);
    let mut restored = restored.map_err(|e| format!("the state does not survive a snapshot: {e}"))?;
    let resumed = ask(&mut *restored, command, &given.cx)?;
    equal("after a snapshot it decides otherwise: the state does not survive it", &decision, &resumed)?;

    for event in &decision.events {
        survives::<A>(event)?;
    }
    let all = [given.history.as_slice(), &decision.events].concat();
    let folded = fold(&kind, &all)?.save().map_err(|e| e.to_string())?;
    let state = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    if state(&after) != state(&folded) {
        let (after, folded) = (pretty(&state(&after)), pretty(&state(&folded)));
        return Err(format!(
            "folding the recorded events gives another state: an event does not say all that happened\n\
             after the decision {after}\nfolded {folded}"
        ));
    }
    Ok(decision)
}

fn fold<A: Aggregate>(kind: &AggregateKind<A>, events: &[EventRecord]) -> Result<Box<dyn Entity>, String> {
    let mut entity = kind.blank(&"test".into());
    for event in events {
        entity.apply(event, &Recorded::default()).map_err(|e| e.to_string())?;
    }
    Ok(entity)
}

fn ask(entity: &mut dyn Entity, command: &RawValue, cx: &Context) -> Result<Decision, String> {
    let input =
        EntityInput::Message { name: &cx.entity.kind, data: command, expect_version: None, from: None };
    let decision = entity.handle(&input, cx).map_err(|e| e.to_string())?;
    if decision.outcome == Outcome::Invalid {
        let refusal = decision.answer.as_deref().and_then(|a| serde_json::from_str::<Refusal>(a.get()).ok());
        return Err(refusal.map_or_else(|| "it is invalid".into(), |refusal| refusal.text.to_string()));
    }
    Ok(decision)
}

fn equal(what: &str, one: &Decision, other: &Decision) -> Result<(), String> {
    let text = |d: &Decision| serde_json::to_string(&(d.outcome, &d.answer, &d.events)).unwrap_or_default();
    let (one, other) = (text(one), text(other));
    if one == other { Ok(()) } else { Err(format!("{what}\nfirst  {one}\nsecond {other}")) }
}

/// An event must be the same after its record was read again.
fn survives<A: Aggregate>(event: &EventRecord) -> Result<(), String> {
    let chains = A::upcasters();
    let read: A::Event = decode_event(A::KIND, &chains, event)?;
    let again = encode_event(A::KIND, &chains, &read)?;
    if value(event) == value(&again) {
        return Ok(());
    }
    let (written, read) = (pretty(event), pretty(&again));
    Err(format!("an event changes when its record is read\nwritten {written}\nread {read}"))
}

#[track_caller]
fn encode<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Vec<EventRecord> {
    let chains = A::upcasters();
    let one = |event| {
        let record = encode_event(A::KIND, &chains, &event)?;
        survives::<A>(&record).map(|()| record)
    };
    let all: Result<Vec<_>, String> = events.into_iter().map(one).collect();
    match all {
        Ok(records) => records,
        Err(what) => panic!("{}: {what}", A::KIND),
    }
}

#[track_caller]
fn raw(what: &str, payload: &impl Serialize) -> Box<RawValue> {
    match serde_json::value::to_raw_value(payload) {
        Ok(raw) => raw,
        Err(e) => panic!("{what} does not serialise: {e}"),
    }
}

fn value(payload: &impl Serialize) -> Value {
    serde_json::to_value(payload).unwrap_or_default()
}

fn pretty(payload: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_value(payload).map_or_else(|e| e.to_string(), |v| format!("{v:#}"))
}

#[cfg(test)]
mod tests;
