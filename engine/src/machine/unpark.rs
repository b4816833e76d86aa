//! Setting an entity free that was set aside with inputs stored unapplied: it takes all of them, in their order, in one
//! commit; or none, and stays set aside. The commits that stored them are not changed: the first commit of the entity
//! that is not `parked` says that it took them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Machine, Quiet, Step,
    build::{Draft, Owed},
    entities::State,
};
use crate::{
    address::{Address, EntityKey},
    aggregate::Context,
    commit::{Cause, TimerChanges},
    entity::{ActivityResult, Decision, Entity, EntityInput},
    message::{ClientMessage, Message, REPLY},
    receipt::Told,
    time::{Micros, hybrid},
};

/// An input as a commit stored it.
enum Kept {
    Channel(Box<Message>),
    Told { name: String, data: Box<RawValue> },
    Reply { re: String, data: Box<RawValue> },
    Timer { node: String, serial: u64 },
    Activity(ActivityResult),
}

impl Machine {
    /// An order to set an entity free, whose payload says who gives it and why.
    pub(super) fn unpark(&mut self, now: Micros, message: &ClientMessage, key: &EntityKey) -> Step {
        let told = |why: Arc<str>| Step::Quiet(Quiet::Told(Told::Parked(why)));
        let time = hybrid(now, self.head.time, message.born());
        let trace = self.scope(message.traceparent.as_ref());
        let Some(slot) = self.entities.get(key) else { return Step::Missing(key.clone()) };
        let version = slot.version;
        let State::Parked(aside) = &slot.state else { return told("it is not set aside".into()) };
        let Some(kind) = self.kinds.get(&key.kind) else { return told(Arc::clone(&aside.why)) };
        let saved = aside.entity.as_ref().and_then(|entity| entity.save().ok());
        let copy = saved.and_then(|saved| kind.restore(&key.id, &saved).ok());
        let Some(mut entity) = copy else {
            return told(format!("{}; and its state cannot be read by this build", aside.why).into());
        };
        let context = |version: u64, n: usize| Context {
            time,
            entity: Address::new(Arc::clone(&self.me.service), Arc::clone(&key.kind), Arc::clone(&key.id)),
            version,
            cause: format!("{}/{n}", message.id).into(),
            trace,
        };
        let (mut whole, owed) = match take_all(&mut *entity, &aside.kept, version, context) {
            Ok(taken) => taken,
            Err(why) => return told(format!("{}; and still: {why}", aside.why).into()),
        };
        let taken = serde_json::json!({ "taken": aside.kept.len(), "order": &message.data });
        whole.answer = to_raw_value(&taken).ok();
        let after = version.saturating_add(whole.events.len() as u64);
        let draft = Draft {
            cause: Cause::Client { id: message.id, digest: message.digest() },
            time,
            entity: Some((key, version)),
            decision: whole,
            answer_to: None,
            parked: None,
            traceparent: message.traceparent.clone(),
        };
        match self.build_with(draft, owed) {
            Ok(stepped) => {
                self.entities.set_free(key, entity, stepped.commit.pseq);
                self.entities.advance(key, after, stepped.commit.pseq);
                self.committed(stepped)
            }
            Err(e) => told(format!("what was stored cannot be taken: {e}").into()),
        }
    }
}

fn take_all(
    entity: &mut dyn Entity,
    kept: &[Box<RawValue>],
    version: u64,
    context: impl Fn(u64, usize) -> Context,
) -> Result<(Decision, Vec<Owed>), String> {
    let (mut whole, mut owed) = (Decision::accepted(), Vec::new());
    for (n, raw) in kept.iter().enumerate() {
        let kept = Kept::read(raw)?;
        let cx = context(version.saturating_add(whole.events.len() as u64), n);
        let decision = entity.handle(&kept.input(), &cx).map_err(|unfit| unfit.0.to_string())?;
        if let Kept::Channel(message) = &kept
            && let Some(reply) = &message.reply
        {
            owed.push(Owed {
                to: message.from.clone(),
                reply: reply.clone(),
                outcome: decision.outcome,
                answer: decision.answer.clone(),
                version: cx.version.saturating_add(decision.events.len() as u64),
            });
        }
        add(&mut whole, decision);
    }
    Ok((whole, owed))
}

/// Two decisions, one after the other, as one.
fn add(whole: &mut Decision, next: Decision) {
    whole.events.extend(next.events);
    whole.sends.extend(next.sends);
    whole.runs.extend(next.runs);
    whole.stops.extend(next.stops);
    whole.ended |= next.ended;
    whole.trace = next.trace.or(whole.trace);
    whole.spans.extend(next.spans);
    whole.measured.extend(next.measured);
    let TimerChanges { set, clear } = next.timers;
    for timer in clear {
        let before = whole.timers.set.len();
        whole.timers.set.retain(|set| (&set.node, set.serial) != (&timer.node, timer.serial));
        if whole.timers.set.len() == before {
            whole.timers.clear.push(timer);
        }
    }
    whole.timers.set.extend(set);
}

impl Kept {
    fn read(raw: &RawValue) -> Result<Self, String> {
        /// What tells the shapes apart.
        #[derive(Deserialize)]
        struct Shape {
            from: Option<serde::de::IgnoredAny>,
            re: Option<String>,
            node: Option<String>,
            serial: Option<u64>,
            key: Option<serde::de::IgnoredAny>,
            #[serde(rename = "type")]
            name: Option<String>,
            data: Option<Box<RawValue>>,
        }
        let wrong = |e: serde_json::Error| format!("a stored input cannot be read: {e}");
        let shape: Shape = serde_json::from_str(raw.get()).map_err(wrong)?;
        if shape.from.is_some() {
            return serde_json::from_str(raw.get()).map(Self::Channel).map_err(wrong);
        }
        if shape.key.is_some() {
            return serde_json::from_str(raw.get()).map(Self::Activity).map_err(wrong);
        }
        match shape {
            Shape { node: Some(node), serial: Some(serial), .. } => Ok(Self::Timer { node, serial }),
            Shape { re: Some(re), data: Some(data), .. } => Ok(Self::Reply { re, data }),
            Shape { name: Some(name), data: Some(data), .. } => Ok(Self::Told { name, data }),
            _ => Err("a stored input is of no known shape".into()),
        }
    }

    fn input(&self) -> EntityInput<'_> {
        match self {
            Self::Channel(message) => match (&*message.name, &message.re) {
                (REPLY, Some(re)) => EntityInput::Reply { re, data: &message.data },
                (name, _) => EntityInput::Message {
                    name,
                    data: &message.data,
                    expect_version: None,
                    from: Some(&message.from),
                },
            },
            Self::Told { name, data } => {
                EntityInput::Message { name, data, expect_version: None, from: None }
            }
            Self::Reply { re, data } => EntityInput::Reply { re, data },
            Self::Timer { node, serial } => EntityInput::Timer { node, serial: *serial },
            Self::Activity(result) => EntityInput::Activity(result),
        }
    }
}
