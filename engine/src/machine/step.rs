//! One input to at most one commit.
//!
//! | input | no commit when | otherwise the commit is |
//! |---|---|---|
//! | client | its id was seen, is expired, reused or not born; the entity is parked, of no kind, or lives elsewhere | the decision |
//! | channel | it is old, early, ahead of the clock, or on another predecessor | the decision; `parked` with the input when the entity is set aside; `invalid` when it cannot be taken |
//! | timer | it is not set any more | the decision |
//! | activity | never | the decision |
//! | barrier | never | empty |

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use super::{
    Incoming, Input, Machine, Quiet, Step, Stepped,
    build::{CannotBuild, Draft},
    channels::Arrival,
    entities::State,
    ids::Seen,
    timers::TimerId,
    written::{activity_cause, refusal, stored},
};
use crate::{
    address::{Address, EntityKey},
    aggregate::{Context, Origin},
    commit::{Cause, Outcome, Peer},
    digest::Digest,
    entity::{ActivityResult, Decision, EntityInput},
    message::{ClientMessage, REPLY, Refusal, ReplyTo, UNPARK},
    receipt::{Invalid, Told},
    time::{MAX_LEAD, Micros, hybrid},
};

/// An input on its way to an entity.
struct Asked<'a> {
    key: &'a EntityKey,
    input: EntityInput<'a>,
    cause: Cause,
    cause_time: Option<Micros>,
    answer_to: Option<(&'a Peer, &'a ReplyTo)>,
    traceparent: Option<Arc<str>>,
}

impl Machine {
    /// Takes one input. On [`Step::Commit`] the machine stands after that commit, speculatively.
    pub fn step(&mut self, now: Micros, input: &Input) -> Step {
        match input {
            Input::Client(message) => self.client(now, message),
            Input::Channel(incoming) => self.channel(now, incoming),
            Input::Timer(id) => self.timer(now, id),
            Input::Activity { entity, result } => self.activity(now, entity, result),
            Input::Barrier => {
                let time = hybrid(now, self.head.time, None);
                let decision = Self::plain(Outcome::Accepted, None);
                self.commit_plain(Cause::Control { act: "barrier".into() }, time, None, decision, None)
            }
        }
    }

    fn client(&mut self, now: Micros, message: &ClientMessage) -> Step {
        let told = |told| Step::Quiet(Quiet::Told(told));
        let key = message.to.key();
        let home = key.shard(self.partitions);
        if home != self.me.shard {
            let entity = key.to_string();
            return told(Told::Invalid(Invalid::Misrouted { entity, expected: home, found: self.me.shard }));
        }
        let digest = message.digest();
        match self.ids.look(message.id, digest) {
            Seen::New => {}
            Seen::Again(_) if zoo!("version-before-id") && message.expect_version.is_some() => {}
            Seen::Again(used) => {
                return Step::Quiet(Quiet::Again { pseq: used.pseq, offset: used.offset });
            }
            Seen::Reused => return told(Told::Invalid(Invalid::IdReused { id: message.id })),
            Seen::Expired => return told(Told::Expired),
            Seen::NotBorn => return told(Told::Invalid(Invalid::NotBorn { id: message.id })),
        }
        let birth = message.born();
        if let Some(born) = birth
            && born > now.plus(MAX_LEAD)
        {
            let lead_ms = u64::try_from(born.since(now).as_millis()).unwrap_or(u64::MAX);
            return told(Told::Invalid(Invalid::BornAhead { id: message.id, lead_ms }));
        }
        if self.kinds.get(&key.kind).is_none() {
            let known = self.kinds.names().map(|n| &**n).collect::<Vec<_>>().join(", ");
            return told(Told::Invalid(Invalid::NotServed {
                what: "kind".into(),
                name: Arc::clone(&key.kind),
                known,
            }));
        }
        match self.entities.get(&key).map(|slot| &slot.state) {
            None => return Step::Missing(key),
            Some(State::Parked(_)) if *message.name == *UNPARK => return self.unpark(now, message, &key),
            Some(State::Parked(aside)) => return told(Told::Parked(Arc::clone(&aside.why))),
            Some(State::Live(_)) => {}
        }
        let input = EntityInput::Message {
            name: &message.name,
            data: &message.data,
            expect_version: message.expect_version,
            from: None,
        };
        self.ask(
            now,
            Asked {
                key: &key,
                input,
                cause: Cause::Client { id: message.id, digest },
                cause_time: birth,
                answer_to: None,
                traceparent: message.traceparent.clone(),
            },
        )
    }

    fn channel(&mut self, now: Micros, incoming: &Incoming) -> Step {
        let message = &incoming.message;
        let from = || message.from.clone();
        if let Some(offset) = incoming.offset {
            self.low.next = self.low.next.max(offset.saturating_add(1));
        }
        match self.channels.arrival(message) {
            Arrival::Old => return Step::Quiet(Quiet::Old { from: from() }),
            Arrival::Stray => {
                let missing = self.channels.missing(&message.from);
                return Step::Quiet(Quiet::Stray { from: from(), missing });
            }
            Arrival::Early => {
                self.channels.hold(Arc::clone(message), incoming.digest, incoming.offset);
                let missing = self.channels.missing(&message.from);
                let all_here = missing > message.seq;
                return Step::Quiet(if all_here {
                    Quiet::Ahead { from: from() }
                } else {
                    Quiet::Early { from: from(), missing }
                });
            }
            Arrival::Next if message.time > now.plus(MAX_LEAD) => {
                self.channels.hold(Arc::clone(message), incoming.digest, incoming.offset);
                return Step::Quiet(Quiet::Ahead { from: from() });
            }
            Arrival::Next => {}
        }
        let key = message.to.key();
        let home = key.shard(self.partitions);
        if home != self.me.shard || message.to.log_id != self.me.log_id {
            let why = format!("{key} lives on shard {home} of log {}, not here", self.me.log_id);
            return self.channel_invalid(now, incoming, &why);
        }
        if self.kinds.get(&key.kind).is_none() {
            return self.channel_invalid(now, incoming, &format!("no kind {:?} is served here", key.kind));
        }
        let Some(slot) = self.entities.get(&key) else { return Step::Missing(key) };
        if let State::Parked(aside) = &slot.state {
            let decision = Self::plain(Outcome::Parked, Some(refusal("parked", &aside.why)));
            return self.channel_plain(now, incoming, decision);
        }
        let input = match (&*message.name, &message.re) {
            (REPLY, Some(re)) => EntityInput::Reply { re, data: &message.data },
            (name, _) => EntityInput::Message {
                name,
                data: &message.data,
                expect_version: None,
                from: Some(&message.from),
            },
        };
        self.ask(
            now,
            Asked {
                key: &key,
                input,
                cause: channel_cause(incoming),
                cause_time: Some(message.time),
                answer_to: message.reply.as_ref().map(|reply| (&message.from, reply)),
                traceparent: message.traceparent.clone(),
            },
        )
    }

    fn timer(&mut self, now: Micros, id: &TimerId) -> Step {
        let due = match self.timers.due_at(id) {
            Some(due) => due,
            None if zoo!("serial-ignored") => now,
            None => return Step::Quiet(Quiet::Late),
        };
        // It was due when it was taken up; the clock may have been set back since.
        self.ask(
            if zoo!("timer-fires-by-the-second-look") { now } else { now.max(due) },
            Asked {
                key: &id.entity,
                input: EntityInput::Timer { node: &id.node, serial: id.serial },
                cause: Cause::Timer { node: Arc::clone(&id.node), serial: id.serial },
                cause_time: None,
                answer_to: None,
                traceparent: None,
            },
        )
    }

    fn activity(&mut self, now: Micros, entity: &EntityKey, result: &ActivityResult) -> Step {
        self.ask(
            now,
            Asked {
                key: entity,
                input: EntityInput::Activity(result),
                cause: activity_cause(result),
                cause_time: None,
                answer_to: None,
                traceparent: None,
            },
        )
    }

    /// Lets the entity decide, and commits what it decided.
    fn ask(&mut self, now: Micros, asked: Asked<'_>) -> Step {
        let time = hybrid(now, self.head.time, asked.cause_time);
        let trace = self.scope(asked.traceparent.as_ref());
        let Some(slot) = self.entities.get(asked.key) else { return Step::Missing(asked.key.clone()) };
        let version = slot.version;
        let cx = Context {
            time,
            entity: Address::new(
                Arc::clone(&self.me.service),
                Arc::clone(&asked.key.kind),
                Arc::clone(&asked.key.id),
            ),
            version,
            cause: Origin::of(asked.cause.clone(), asked.key.clone()),
            trace,
        };
        let (decision, parked) = match &mut slot.state {
            State::Live(state) => match state.handle(&asked.input, &cx) {
                Ok(decision) => (decision, None),
                Err(unfit) => return Step::Unfit(unfit.0),
            },
            State::Parked(aside) => {
                (Self::plain(Outcome::Parked, Some(refusal("parked", &aside.why))), stored(&asked.input))
            }
        };
        let events = decision.events.len() as u64;
        let changed = events > 0;
        let draft = Draft {
            cause: asked.cause,
            time,
            entity: Some((asked.key, version)),
            decision,
            answer_to: asked.answer_to,
            parked,
            traceparent: asked.traceparent,
        };
        match self.build(draft) {
            Ok(stepped) => {
                if changed {
                    let pseq = stepped.commit.pseq;
                    self.entities.advance(asked.key, version.saturating_add(events), pseq);
                }
                self.committed(stepped)
            }
            Err(e) => Step::Unfit(e.to_string().into()),
        }
    }

    fn channel_invalid(&mut self, now: Micros, incoming: &Incoming, why: &str) -> Step {
        let message = &incoming.message;
        let time = hybrid(now, self.head.time, Some(message.time));
        let draft = Draft {
            cause: channel_cause(incoming),
            time,
            entity: None,
            decision: Self::plain(Outcome::Invalid, Some(refusal(Refusal::BUG, why))),
            answer_to: message.reply.as_ref().map(|reply| (&message.from, reply)),
            parked: None,
            traceparent: message.traceparent.clone(),
        };
        self.finish(draft)
    }

    /// A channel message taken without asking its entity: a channel cannot skip a number.
    pub(super) fn channel_plain(&mut self, now: Micros, incoming: &Incoming, decision: Decision) -> Step {
        let message = &incoming.message;
        let time = hybrid(now, self.head.time, Some(message.time));
        let key = message.to.key();
        let version = self.entities.get(&key).map_or(0, |slot| slot.version);
        let parked = (decision.outcome == Outcome::Parked).then(|| to_raw_value(message).ok()).flatten();
        let reply = message.reply.as_ref().filter(|_| decision.outcome != Outcome::Parked);
        let draft = Draft {
            cause: channel_cause(incoming),
            time,
            entity: Some((&key, version)),
            decision,
            answer_to: reply.map(|reply| (&message.from, reply)),
            parked,
            traceparent: message.traceparent.clone(),
        };
        self.finish(draft)
    }

    pub(super) fn commit_plain(
        &mut self,
        cause: Cause,
        time: Micros,
        entity: Option<EntityKey>,
        decision: Decision,
        parked: Option<Box<RawValue>>,
    ) -> Step {
        let version = entity.as_ref().and_then(|key| self.entities.get(key)).map_or(0, |slot| slot.version);
        let entity = entity.as_ref().map(|key| (key, version));
        self.finish(Draft { cause, time, entity, decision, answer_to: None, parked, traceparent: None })
    }

    fn finish(&mut self, draft: Draft<'_>) -> Step {
        match self.build(draft) {
            Ok(stepped) => self.committed(stepped),
            Err(e @ (CannotBuild::TooLarge(_) | CannotBuild::Nowhere(_) | CannotBuild::Json(_))) => {
                Step::Unfit(e.to_string().into())
            }
        }
    }

    /// Folds a commit just built.
    pub(super) fn committed(&mut self, stepped: Stepped) -> Step {
        let digest = Digest::of(&stepped.value);
        self.fold(&stepped.commit, stepped.sends.clone(), digest, None);
        Step::Commit(Box::new(stepped))
    }
}

fn channel_cause(incoming: &Incoming) -> Cause {
    let Incoming { message, digest, .. } = incoming;
    Cause::Channel { from: message.from.clone(), seq: message.seq, digest: *digest }
}
