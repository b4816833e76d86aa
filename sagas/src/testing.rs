//! Given/when/then on journals: an instance driven by hand, without a node, a clock or a log. After every commit the
//! instance is dropped and folded again from its journal, and restored from its snapshot; both must equal the one that
//! decided: every test is a crash test at every commit (of a very long journal, at every sixteenth). The rules that no
//! journal may break are checked on the way.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use palinode::{
    Address, Context, Micros, Token,
    commit::{EventRecord, Outcome},
    entity::{ActivityResult, AttemptOutcome, Decision, Entity, EntityInput, Kind, RunRequest, SendRequest},
    message::{Refusal, Reply},
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    definition::Definition,
    entity::{SagaKind, name},
    event::Event,
    saga::{Data, Saga, Signal},
    situation::Situation,
    verb::{Order, Verb},
};

mod line;
mod rules;

pub use line::line;
use rules::{blunt, must, parsed, raw, refusal, saved};

/// An instance under test.
pub struct Script {
    kind: SagaKind,
    id: Arc<str>,
    entity: Box<dyn Entity>,
    records: Vec<EventRecord>,
    journal: Vec<Event>,
    last: Vec<Event>,
    now: Micros,
    commits: u64,
    sends: VecDeque<SendRequest>,
    runs: VecDeque<RunRequest>,
    timers: BTreeMap<(Arc<str>, u64), Micros>,
    bytes: BTreeMap<(Arc<str>, u32), (String, String)>,
    /// What the last decision told the sender of the input.
    pub told: Option<Decision>,
}

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
    /// An instance that has not started.
    ///
    /// # Panics
    /// When the definition has problems.
    #[track_caller]
    pub fn of<T: Data>(saga: &Saga<T>) -> Self {
        if let Err(problems) = saga.check() {
            blunt(format!("the definition has problems: {problems:?}"));
        }
        let kind = SagaKind::new(Arc::clone(saga.definition()));
        let id: Arc<str> = "one".into();
        let entity = kind.blank(&id);
        Self {
            kind,
            id,
            entity,
            records: Vec::new(),
            journal: Vec::new(),
            last: Vec::new(),
            now: Micros(1_000_000_000),
            commits: 0,
            sends: VecDeque::new(),
            runs: VecDeque::new(),
            timers: BTreeMap::new(),
            bytes: BTreeMap::new(),
            told: None,
        }
    }

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

    /// The same instance in a build with other closures.
    ///
    /// # Panics
    /// When the definition is another one.
    #[track_caller]
    pub fn with_code_of<T: Data>(mut self, saga: &Saga<T>) -> Self {
        let saved = saved(&*self.entity);
        self.kind = SagaKind::new(Arc::clone(saga.definition()));
        self.entity = self.kind.restore(&self.id, saved.as_bytes()).unwrap_or_else(|e| blunt(e));
        self
    }

    /// Its definition.
    #[must_use]
    pub fn definition(&self) -> &Arc<Definition> {
        self.kind.definition()
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

    /// Lets time pass without firing anything.
    pub fn pass(mut self, span: Duration) -> Self {
        self.now = self.now.plus(span);
        self
    }

    /// One input, one commit.
    ///
    /// # Panics
    /// When a rule is broken, or the instance folded from its journal is another one.
    #[track_caller]
    pub fn input(mut self, input: &EntityInput<'_>) -> Self {
        self.commits += 1;
        self.now = Micros(self.now.0 + 1);
        let cx = Context {
            time: self.now,
            entity: Address::new("test", self.kind.name(), Arc::clone(&self.id)),
            version: self.records.len() as u64,
            cause: format!("commit/{}", self.commits).into(),
        };
        let decision = match self.entity.handle(input, &cx) {
            Ok(decision) => decision,
            Err(unfit) => blunt(format!("unfit: {unfit}")),
        };
        self.take(decision);
        self
    }

    #[track_caller]
    fn take(&mut self, decision: Decision) {
        let taken = matches!(decision.outcome, Outcome::Accepted | Outcome::Parked);
        let empty = decision.events.is_empty() && decision.sends.is_empty() && decision.runs.is_empty();
        must(taken || empty, "an input that was refused changed something");
        self.last = decision.events.iter().map(|r| Event::read(r).unwrap_or_else(|e| blunt(e))).collect();
        self.journal.extend(self.last.iter().cloned());
        self.records.extend(decision.events.iter().cloned());
        for timer in &decision.timers.clear {
            let cleared = self.timers.remove(&(Arc::clone(&timer.node), timer.serial));
            must(cleared.is_some(), &format!("{timer:?} was cleared and never set"));
        }
        for timer in &decision.timers.set {
            self.timers.insert((Arc::clone(&timer.node), timer.serial), timer.due);
        }
        self.check_asks(&decision);
        self.sends.extend(decision.sends.iter().cloned());
        self.runs.extend(decision.runs.iter().cloned());
        must(
            decision.ended == self.last.iter().any(is_end),
            "`ended` is said exactly in the terminal commit",
        );
        self.told = Some(decision);
        if self.commits < 64 || self.commits.is_multiple_of(16) {
            self.check_refold();
        }
    }

    /// The events of the last commit are these, as [`line()`] writes them.
    #[track_caller]
    pub fn then<const N: usize>(self, expected: [&str; N]) -> Self {
        let found: Vec<String> = self.last.iter().map(line).collect();
        assert_eq!(found, expected, "the last commit; {}", self.open());
        self
    }

    /// The sender of the last input was answered with this word (of a verb: this situation), or refused with this code.
    #[track_caller]
    pub fn then_told(self, expected: &str) -> Self {
        let answer = self.told.as_ref().and_then(|d| d.answer.as_deref()).map_or("null", RawValue::get);
        let code = serde_json::from_str::<Refusal>(answer).map(|r| r.code.to_string());
        let situation = || serde_json::from_str::<Situation>(answer).map(|s| s.to_string());
        let word = code.or_else(|_| serde_json::from_str::<String>(answer)).or_else(|_| situation());
        assert_eq!(word.unwrap_or_default(), expected, "the answer was {answer}");
        self
    }

    /// The open asks are these keys, in the order in which they were asked.
    #[track_caller]
    pub fn then_open<const N: usize>(self, expected: [&str; N]) -> Self {
        assert_eq!(self.open_keys(), expected, "{}", self.open());
        self
    }

    /// The keys of asks nobody has answered.
    #[must_use]
    pub fn open_keys(&self) -> Vec<String> {
        let sends = self.sends.iter().filter_map(|s| s.re.as_deref()).filter_map(|re| re.rsplit_once('/'));
        let keys = sends.map(|(key, _)| key.to_owned());
        keys.chain(self.runs.iter().map(|r| r.key.to_string())).collect()
    }

    /// The names of the timers that are set.
    #[must_use]
    pub fn open_timers(&self) -> Vec<String> {
        self.timers.keys().map(|(name, _)| name.to_string()).collect()
    }

    /// When the timer of a node is due.
    #[must_use]
    pub fn due(&self, node: &str) -> Option<Micros> {
        self.timers.iter().find(|((name, _), _)| &**name == node).map(|(_, due)| *due)
    }

    /// The time of the last commit.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.now
    }

    /// The open attempt of an activity.
    #[must_use]
    pub fn run(&self, key: &str) -> Option<RunRequest> {
        self.runs.iter().find(|r| &*r.key == key).cloned()
    }

    /// The open message to an entity.
    #[must_use]
    pub fn send(&self, key: &str) -> Option<SendRequest> {
        let is =
            |s: &&SendRequest| s.re.as_deref().and_then(|re| re.rsplit_once('/')).is_some_and(|p| p.0 == key);
        self.sends.iter().find(is).cloned()
    }

    /// The whole journal.
    #[must_use]
    pub fn journal(&self) -> &[Event] {
        &self.journal
    }

    /// What the instance ended with.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        self.entity.ended().map(|raw| raw.get().to_owned())
    }

    /// The state, as its snapshot.
    #[must_use]
    pub fn state(&self) -> crate::state::State {
        serde_json::from_str(&saved(&*self.entity)).unwrap_or_else(|e| blunt(e.to_string()))
    }

    fn open(&self) -> String {
        format!("open: {:?}, timers: {:?}", self.open_keys(), self.open_timers())
    }
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Completed {} | Event::Compensated { .. } | Event::Killed { .. })
}
