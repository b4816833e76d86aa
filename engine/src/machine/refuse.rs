//! An input that its entity could not take: user code panicked while the state was changing, or the commit would not fit.
//!
//! | input | becomes |
//! |---|---|
//! | what somebody asked for: a client's, or another entity's message | a refusal, `invalid` |
//! | what the entity itself waits for: a reply, a timer, an outcome | stored unapplied, and the entity is parked |
//!
//! A refusal of the second sort would reach nobody: the entity would wait for ever, unseen.

use std::sync::Arc;

use super::{
    Input, Machine, Step,
    channels::Arrival,
    ids::Seen,
    written::{activity_cause, refusal, stored},
};
use crate::{
    commit::{Cause, Outcome},
    entity::EntityInput,
    message::{Refusal, born},
    time::hybrid,
};

impl Machine {
    /// Commits an input that broke its entity, without asking the entity; unless another owner has taken it in the
    /// meantime.
    pub fn refuse(&mut self, now: crate::Micros, input: &Input, why: &str) -> Step {
        if self.is_taken(input) {
            return self.step(now, input);
        }
        let refused = || Self::plain(Outcome::Invalid, Some(refusal(Refusal::BUG, why)));
        let parked = || Self::plain(Outcome::Parked, Some(refusal("parked", why)));
        let time = hybrid(now, self.head().time, None);
        match input {
            Input::Client(message) => {
                let cause = Cause::Client { id: message.id, digest: message.digest() };
                let time = hybrid(now, self.head().time, born(message.id));
                self.commit_plain(cause, time, Some(message.to.key()), refused(), None)
            }
            Input::Channel(incoming) if incoming.message.re.is_some() => {
                self.channel_plain(now, incoming, parked())
            }
            Input::Channel(incoming) => self.channel_plain(now, incoming, refused()),
            Input::Timer(id) => {
                let cause = Cause::Timer { node: Arc::clone(&id.node), serial: id.serial };
                let kept = stored(&EntityInput::Timer { node: &id.node, serial: id.serial });
                self.commit_plain(cause, time, Some(id.entity.clone()), parked(), kept)
            }
            Input::Activity { entity, result } => {
                let kept = stored(&EntityInput::Activity(result));
                self.commit_plain(activity_cause(result), time, Some(entity.clone()), parked(), kept)
            }
            Input::Barrier => self.step(now, input),
        }
    }

    /// Whether a commit of this input is there already, so that [`Machine::step`] does not ask its entity.
    fn is_taken(&mut self, input: &Input) -> bool {
        match input {
            Input::Client(message) => self.ids.look(message.id, message.digest()) != Seen::New,
            Input::Channel(incoming) => self.channels.arrival(&incoming.message) != Arrival::Next,
            Input::Timer(id) => self.timers.due_at(id).is_none(),
            Input::Activity { .. } | Input::Barrier => false,
        }
    }
}
