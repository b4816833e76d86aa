//! A pivot that may have happened. Its participant may be asked whether it did (`probe`), and told to do it never
//! (`void`). Nobody guesses:
//!
//! | asked | answer | what follows |
//! |---|---|---|
//! | probe | happened, with its reply | as if the pivot had answered: no way back |
//! | probe | not known | in doubt: an attempt may still land |
//! | void | done, with its reply | as if the pivot had answered: no way back |
//! | void | never | a tombstone stands: the saga is taken back |
//! | either | no answer within its budget | in doubt |
//!
//! A definition without a probe is in doubt at once; without a void a person may still say that the pivot was not done,
//! and what may leak is recorded.

use std::sync::Arc;

use palinode::{activity::To, entity::RunRequest};
use serde_json::value::RawValue;

use crate::{
    coordinator::{Broken, Work},
    definition::NodeId,
    event::{Direction, Event, How},
    outcome::{Answer, Probed, Raw, Refused, Voided, fits},
    retry::{LOST, Retry},
};

/// A void has the patience of an undo, a probe that of a step.
fn retry(direction: Direction) -> Retry {
    if direction == Direction::Void { Retry::undo() } else { Retry::step() }
}

/// What became of the pivot.
enum Settled {
    Done(Raw),
    Never,
    NotKnown,
}

impl Work<'_> {
    /// Whether the pivot has such an activity.
    pub(crate) fn can_settle(&self, id: NodeId, direction: Direction) -> bool {
        let code = &self.def[id].code;
        if direction == Direction::Void { code.void.is_some() } else { code.probe.is_some() }
    }

    /// Asks the participant. The request is built and recorded with the first ask of a round.
    pub(crate) fn settle(&mut self, id: NodeId, direction: Direction) -> Result<(), Broken> {
        let round = self.state[id].tries.round;
        let tries = self.state[id].tries_of(direction);
        let first = tries.round != round;
        let mut built = None;
        if first {
            let code = &self.def[id].code;
            let build = if direction == Direction::Void { &code.void } else { &code.probe };
            let Some(build) = build else {
                return Err(Broken(format!("node {} has no {}", self.def[id].path, direction.word())));
            };
            let asked = self.pure(id, direction.word(), |data| build(data))?.map_err(Broken)?;
            fits("a request", &asked.data).map_err(Broken)?;
            let To::Activity(name) = asked.to else {
                return Err(Broken(format!("node {}: only an activity can settle it", self.def[id].path)));
            };
            built = Some((name, Raw::from(asked.data)));
        }
        let (activity, request) = built.unzip();
        let attempt = if first { 1 } else { tries.attempt.saturating_add(1) };
        let at = tries.at.filter(|_| !first).unwrap_or(self.cx.time);
        self.emit(Event::SettleAsked {
            node: self.path(id),
            direction,
            round,
            attempt,
            at,
            activity,
            request,
        })?;
        self.run_settle(id, direction);
        Ok(())
    }

    fn run_settle(&mut self, id: NodeId, direction: Direction) {
        let node = &self.state[id];
        let settle = if direction == Direction::Void { &node.void } else { &node.probe };
        let Some(settle) = settle else { return };
        self.out.runs.push(RunRequest {
            key: self.def[id].key(direction),
            round: settle.tries.round,
            attempt: settle.tries.attempt,
            activity: Arc::clone(&settle.activity),
            request: (*settle.request).to_owned(),
            begin_by: settle.tries.at.unwrap_or(self.cx.time).plus(retry(direction).within),
            parent: self.attempt(id, direction),
        });
    }

    /// The participant answered.
    pub(crate) fn settled(
        &mut self,
        id: NodeId,
        direction: Direction,
        answer: &Answer,
    ) -> Result<(), Broken> {
        match answer {
            Answer::Done(reply) => match read(direction, reply) {
                Ok(Settled::Done(reply)) => match self.readable(id, &reply)? {
                    Ok(()) => self.done(id, &reply, true),
                    Err(why) => self.settle_failed(id, direction, How::Fatal, &why.into()),
                },
                Ok(Settled::Never) => {
                    let refused = Refused::new("voided", "its participant will never do it");
                    self.refuse(id, &refused, true)
                }
                Ok(Settled::NotKnown) => {
                    self.emit(Event::NotKnown { node: self.path(id) })?;
                    let why = self.state[id].why.clone().unwrap_or_default();
                    self.emit(Event::InDoubt { node: self.path(id), why })
                }
                Err(why) => self.settle_failed(id, direction, How::Fatal, &why.into()),
            },
            Answer::Refused(refused) => self.settle_failed(id, direction, How::Fatal, &refused.text),
            Answer::Transient(why) => self.settle_failed(id, direction, How::Transient, why),
            Answer::Unknown(why) => self.settle_failed(id, direction, How::Unknown, why),
            Answer::Fatal(why) => self.settle_failed(id, direction, How::Fatal, why),
            Answer::Lost => self.settle_failed(id, direction, How::Lost, &"its owner is gone".into()),
        }
    }

    fn settle_failed(
        &mut self,
        id: NodeId,
        direction: Direction,
        how: How,
        why: &Arc<str>,
    ) -> Result<(), Broken> {
        let tries = self.state[id].tries_of(direction);
        let retry = retry(direction);
        let wait = retry.wait(tries.failures + 1, self.draw());
        let next = self.cx.time.plus(wait).since(tries.at.unwrap_or(self.cx.time));
        let spent = how == How::Fatal
            || (how == How::Lost && tries.lost + 1 >= LOST)
            || retry.spent(tries.failures + 1, next);
        let timer = (!spent).then(|| self.new_timer(self.cx.time.plus(wait)));
        self.attempt_failed(id, direction, how, why, tries.round, timer)?;
        if spent { self.emit(Event::InDoubt { node: self.path(id), why: Arc::clone(why) }) } else { Ok(()) }
    }
}

fn read(direction: Direction, reply: &RawValue) -> Result<Settled, String> {
    let wrong = |e: serde_json::Error| format!("the answer of the {}: {e}", direction.word());
    if direction == Direction::Void {
        return match serde_json::from_str::<Voided<Box<RawValue>>>(reply.get()).map_err(wrong)? {
            Voided::Done(reply) => Ok(Settled::Done(reply.into())),
            Voided::Never => Ok(Settled::Never),
        };
    }
    match serde_json::from_str::<Probed<Box<RawValue>>>(reply.get()).map_err(wrong)? {
        Probed::Happened(reply) => Ok(Settled::Done(reply.into())),
        Probed::NotKnown => Ok(Settled::NotKnown),
    }
}
