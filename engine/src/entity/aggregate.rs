//! An aggregate as the machine sees it: JSON in, recorded events out, user panics caught.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{Decision, Entity, EntityInput, Kind, Recorded, Unfit, tagged::tagged};
use crate::{
    aggregate::{Aggregate, Context},
    codec::{MAX_EVENT, MAX_EVENTS, upcast::Upcasters},
    commit::{EventRecord, Outcome},
    message::Refusal,
};

/// The kind of an aggregate.
pub struct AggregateKind<A>(Arc<Upcasters>, PhantomData<fn() -> A>);

impl<A: Aggregate> Default for AggregateKind<A> {
    fn default() -> Self {
        Self(Arc::new(A::upcasters()), PhantomData)
    }
}

struct State<A> {
    upcasters: Arc<Upcasters>,
    state: A,
}

impl<A: Aggregate> Kind for AggregateKind<A> {
    fn name(&self) -> &str {
        A::KIND
    }

    fn blank(&self, _id: &Arc<str>) -> Box<dyn Entity> {
        Box::new(State { upcasters: Arc::clone(&self.0), state: A::default() })
    }

    fn restore(&self, _id: &Arc<str>, saved: &[u8]) -> Result<Box<dyn Entity>, Unfit> {
        let state: A = serde_json::from_slice(saved)
            .map_err(|e| Unfit::new(format!("saved state of a {}: {e}", A::KIND)))?;
        Ok(Box::new(State { upcasters: Arc::clone(&self.0), state }))
    }
}

impl<A: Aggregate> Entity for State<A> {
    fn handle(&mut self, input: &EntityInput<'_>, cx: &Context) -> Result<Decision, Unfit> {
        let EntityInput::Message { name, data, expect_version, .. } = input else {
            return Ok(no(Outcome::Invalid, Refusal::BUG, format!("a {} takes commands only", A::KIND)));
        };
        if *name != A::KIND {
            return Ok(no(Outcome::Invalid, Refusal::BUG, format!("a {} knows no {name:?}", A::KIND)));
        }
        let command: A::Command = match serde_json::from_str(data.get()) {
            Ok(command) => command,
            Err(e) => {
                return Ok(no(Outcome::Invalid, Refusal::BUG, format!("command of a {}: {e}", A::KIND)));
            }
        };
        if let Some(expected) = expect_version.filter(|v| *v != cx.version) {
            let text = format!("expected version {expected}, it is {}", cx.version);
            let data = to_raw_value(&Conflict { expected, actual: cx.version }).ok();
            let refusal = Refusal { code: "conflict".into(), text: text.into(), data };
            return Ok(Decision::of(Outcome::Conflict, to_raw_value(&refusal).ok()));
        }
        let events = match catch_unwind(AssertUnwindSafe(|| self.state.decide(&command, cx))) {
            Ok(Ok(events)) => events,
            Ok(Err(rejection)) => return Ok(rejected(&rejection)),
            Err(panic) => return Ok(no(Outcome::Invalid, Refusal::BUG, panicked("decide", &*panic))),
        };
        let records = match encode::<A>(&events, &self.upcasters) {
            Ok(records) => records,
            Err(why) => return Ok(no(Outcome::Invalid, Refusal::BUG, why)),
        };
        let reply = catch_unwind(AssertUnwindSafe(|| {
            events.iter().for_each(|e| self.state.evolve(e));
            self.state.reply(&command)
        }))
        .map_err(|panic| Unfit::new(panicked("evolve", &*panic)))?;
        let answer = to_raw_value(&reply).map_err(|e| Unfit::new(format!("reply of a {}: {e}", A::KIND)))?;
        let mut decision = Decision::of(Outcome::Accepted, Some(answer));
        decision.events = records;
        Ok(decision)
    }

    fn apply(&mut self, event: &EventRecord, _commit: &Recorded<'_>) -> Result<(), Unfit> {
        let event: A::Event = decode_event(A::KIND, &self.upcasters, event).map_err(Unfit::new)?;
        catch_unwind(AssertUnwindSafe(|| self.state.evolve(&event)))
            .map_err(|panic| Unfit::new(panicked("evolve", &*panic)))
    }

    fn save(&self) -> Result<Vec<u8>, Unfit> {
        serde_json::to_vec(&self.state).map_err(|e| Unfit::new(format!("state of a {}: {e}", A::KIND)))
    }
}

/// The answer to a wrong expected version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// What the caller expected.
    pub expected: u64,
    /// What it was.
    pub actual: u64,
}

/// What a caught panic said.
#[must_use]
pub fn panicked(place: &str, panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    format!("{place} panicked: {text}")
}

fn no(outcome: Outcome, code: &str, text: impl Into<Arc<str>>) -> Decision {
    let refusal = Refusal { code: code.into(), text: text.into(), data: None };
    Decision::of(outcome, to_raw_value(&refusal).ok())
}

/// A rejection as it is recorded: its tag as the code, its `Display` as the text, itself as the data.
fn rejected<R: Serialize + std::fmt::Display>(rejection: &R) -> Decision {
    let data = to_raw_value(rejection).ok();
    let code = data.as_deref().map_or_else(|| "rejected".into(), code_of);
    let text = catch_unwind(AssertUnwindSafe(|| rejection.to_string())).unwrap_or_default();
    let refusal = Refusal { code, text: text.into(), data };
    Decision::of(Outcome::Rejected, to_raw_value(&refusal).ok())
}

/// The tag of a serialised enum, however it is tagged.
fn code_of(data: &RawValue) -> Arc<str> {
    match serde_json::from_str::<serde_json::Value>(data.get()) {
        Ok(serde_json::Value::String(tag)) => tag.into(),
        Ok(serde_json::Value::Object(map)) => match map.get("type").and_then(|t| t.as_str()) {
            Some(tag) => tag.into(),
            None => map.keys().next().map_or("rejected", String::as_str).into(),
        },
        _ => "rejected".into(),
    }
}

fn encode<A: Aggregate>(events: &[A::Event], upcasters: &Upcasters) -> Result<Vec<EventRecord>, String> {
    if events.len() > MAX_EVENTS {
        return Err(format!("{} events of one command; at most {MAX_EVENTS}", events.len()));
    }
    events.iter().map(|event| encode_event(A::KIND, upcasters, event)).collect()
}

/// An event, adjacently tagged, as its record.
///
/// # Errors
/// When it does not serialise as `{"type": .., "data": ..}`, or is larger than an event may be.
pub fn encode_event<E: Serialize>(
    kind: &str,
    upcasters: &Upcasters,
    event: &E,
) -> Result<EventRecord, String> {
    let (tag, data) = tagged(event).map_err(|e| format!("event of a {kind}: {e}"))?;
    let bytes = tag.len() + data.get().len();
    if bytes > MAX_EVENT {
        return Err(format!("an event of {bytes} bytes; at most {MAX_EVENT}"));
    }
    Ok(EventRecord { name: [kind, ".", &tag].concat().into(), schema: upcasters.current(&tag), data })
}

/// A recorded event as its type, raised to the present schema.
///
/// # Errors
/// When the name is not of this kind, the schema cannot be raised, or the payload is not the type's.
pub fn decode_event<E: serde::de::DeserializeOwned>(
    kind: &str,
    upcasters: &Upcasters,
    event: &EventRecord,
) -> Result<E, String> {
    let of_kind = event.name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('.'));
    let tag = of_kind.ok_or_else(|| format!("event {} is not of kind {kind}", event.name))?;
    let name = serde_json::to_string(tag).map_err(|e| e.to_string())?;
    let text = if event.schema == upcasters.current(tag) {
        format!("{{\"type\":{name},\"data\":{}}}", event.data.get())
    } else {
        let old = serde_json::from_str(event.data.get()).map_err(|e| format!("event {}: {e}", event.name))?;
        let data = upcasters.raise(tag, event.schema, old).map_err(|e| e.to_string())?;
        format!("{{\"type\":{name},\"data\":{data}}}")
    };
    serde_json::from_str(&text).map_err(|e| format!("event {}: {e}", event.name))
}
