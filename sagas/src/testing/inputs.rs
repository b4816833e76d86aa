//! What may come to an instance under test: its start, signals and verbs, answers to what it asked, timers that fire. Each
//! becomes one input of the [`Script`].

use std::{sync::Arc, time::Duration};

use palinode::{
    Token,
    commit::Outcome,
    entity::{ActivityResult, AttemptOutcome, EntityInput, RunRequest, SendRequest},
    message::Reply,
    trace::SpanContext,
};
use serde::Serialize;

use super::{
    Script,
    rules::{blunt, parsed, raw, refusal},
};
use crate::{
    entity::name,
    saga::Signal,
    verb::{Order, Verb},
};

/// Everything that can be answered to an open ask.
#[derive(Debug, Clone)]
pub enum Fate {
    /// Done, with this reply (JSON).
    Done(String),
    /// A definite no, with this code.
    Refused(String),
    /// It certainly did not happen (activities).
    Transient,
    /// It may have happened (activities; an entity that is parked).
    Unknown,
    /// A person is needed (activities).
    Fatal,
    /// The owner is gone (activities).
    Lost,
}

impl Script {
    /// Starts it.
    #[track_caller]
    pub fn start(self, data: impl Serialize) -> Self {
        self.message(name::START, &serde_json::json!({ "data": data }))
    }

    /// Sends it a signal.
    #[track_caller]
    pub fn signal<S: Signal>(self, id: &str, signal: &S) -> Self {
        self.message(
            &format!("{}{}", name::SIGNAL, S::NAME),
            &serde_json::json!({ "id": id, "data": signal }),
        )
    }

    /// Cancels it.
    #[track_caller]
    pub fn cancel(self) -> Self {
        self.verb(Verb::Cancel)
    }

    /// Kills it.
    #[track_caller]
    pub fn kill(self) -> Self {
        self.verb(Verb::Kill)
    }

    /// Carries out a verb about the whole instance.
    #[track_caller]
    pub fn verb(self, verb: Verb) -> Self {
        self.order(Order::new(verb, "tester", "a test"))
    }

    /// Carries out a verb about a node.
    #[track_caller]
    pub fn verb_of(self, verb: Verb, node: &str) -> Self {
        self.order(Order::new(verb, "tester", "a test").node(node))
    }

    /// Carries out a verb.
    #[track_caller]
    pub fn order(self, order: Order) -> Self {
        let word = order.verb.as_str();
        self.message(word, &order.payload())
    }

    /// Sends it any message.
    #[track_caller]
    pub fn message(self, name: &str, body: &impl Serialize) -> Self {
        let data = raw(body);
        self.input(&EntityInput::Message { name, data: &data, expect_version: None, from: None })
    }

    /// Answers the open ask of this key (`path/do`, `path/undo`).
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn answer(mut self, key: &str, fate: &Fate) -> Self {
        let of_send =
            |s: &SendRequest| s.re.as_deref().and_then(|re| re.rsplit_once('/')).is_some_and(|p| p.0 == key);
        if let Some(send) = self.sends.iter().position(of_send).and_then(|at| self.sends.remove(at)) {
            return self.reply(&send.re.unwrap_or_default(), fate);
        }
        let run = self.runs.iter().position(|r| &*r.key == key).and_then(|at| self.runs.remove(at));
        let Some(run) = run else { blunt(format!("no open ask of {key:?}; {}", self.open())) };
        self.attempt(&run, fate)
    }

    /// The node's ask is done, with this reply.
    #[track_caller]
    pub fn done(self, node: &str, reply: impl Serialize) -> Self {
        self.answer(&format!("{node}/do"), &Fate::Done(raw(&reply).get().into()))
    }

    /// The node's ask is refused.
    #[track_caller]
    pub fn refused(self, node: &str) -> Self {
        self.answer(&format!("{node}/do"), &Fate::Refused("full".into()))
    }

    /// The undo of the node is done.
    #[track_caller]
    pub fn undone(self, node: &str) -> Self {
        self.answer(&format!("{node}/undo"), &Fate::Done("null".into()))
    }

    /// An entity's answer, asked for or not. `re` is `path/do/round` or `path/undo/round`.
    #[track_caller]
    pub fn reply(self, re: &str, fate: &Fate) -> Self {
        let (outcome, answer) = match fate {
            Fate::Done(reply) => (Outcome::Accepted, parsed(reply)),
            Fate::Refused(code) => (Outcome::Rejected, refusal(code)),
            _ => (Outcome::Parked, refusal("parked")),
        };
        let token = Token { service: "test".into(), log_id: uuid::Uuid::nil(), shard: 0, pseq: 1 };
        let data = raw(&Reply { outcome, answer, version: 1, token });
        self.input(&EntityInput::Reply { re, data: &data })
    }

    /// The outcome of an attempt, asked for or not.
    #[track_caller]
    pub fn attempt(self, run: &RunRequest, fate: &Fate) -> Self {
        let outcome = match fate {
            Fate::Done(reply) => AttemptOutcome::Done(parsed(reply)),
            Fate::Refused(code) => {
                AttemptOutcome::Refused { code: code.as_str().into(), text: "refused".into() }
            }
            Fate::Transient => AttemptOutcome::Transient("no connection".into()),
            Fate::Unknown => AttemptOutcome::Unknown("connection lost".into()),
            Fate::Fatal => AttemptOutcome::Fatal("a bug".into()),
            Fate::Lost => AttemptOutcome::Lost,
        };
        let (key, round, attempt) = (Arc::clone(&run.key), run.round, run.attempt);
        self.input(&EntityInput::Activity(&ActivityResult { key, round, attempt, outcome }))
    }

    /// Moves the time to the timer of a node and fires it. The deadline's is `@deadline`.
    ///
    /// # Panics
    /// When no timer of it is set.
    #[track_caller]
    pub fn fire(mut self, node: &str) -> Self {
        let found =
            self.timers.iter().find(|((name, _), _)| &**name == node).map(|(k, due)| (k.clone(), *due));
        let Some(((name, serial), due)) = found else {
            blunt(format!("no timer of {node:?}; {}", self.open()))
        };
        self.timers.remove(&(Arc::clone(&name), serial));
        self.now = self.now.max(due);
        self.input(&EntityInput::Timer { node: &name, serial })
    }

    /// What comes from now on is brought by this call.
    pub fn called_by(mut self, call: SpanContext) -> Self {
        self.called_by = Some(call);
        self
    }

    /// Lets time pass without firing anything.
    pub fn pass(mut self, span: Duration) -> Self {
        self.now = self.now.plus(span);
        self
    }
}
