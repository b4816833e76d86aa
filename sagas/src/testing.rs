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
    Address, Context, Micros,
    commit::{EventRecord, Outcome},
    entity::{Decision, Entity, EntityInput, Kind, RunRequest, SendRequest},
    measure::Measured,
    trace::{Scope, Span, SpanContext},
};

use crate::{
    definition::Definition,
    entity::SagaKind,
    event::Event,
    saga::{Data, Saga},
};

mod deaths;
mod forest;
mod inputs;
mod line;
mod rules;
mod seen;
mod traces;

pub use deaths::{Told, survives_each, with_a_death};
pub use forest::Forest;
pub use inputs::Fate;
pub use line::line;
use rules::{blunt, must, saved};

/// The log that an instance under test lives in.
const LOG: uuid::Uuid = uuid::Uuid::nil();

/// After how long a trace is cut here.
const SEGMENT_AFTER: Duration = Duration::from_secs(15 * 60);

/// An event and what is known of its commit.
struct Recorded {
    event: EventRecord,
    time: Micros,
    traceparent: Option<Arc<str>>,
}

/// An instance under test.
pub struct Script {
    kind: SagaKind,
    id: Arc<str>,
    entity: Box<dyn Entity>,
    records: Vec<Recorded>,
    journal: Vec<Event>,
    last: Vec<Event>,
    now: Micros,
    commits: u64,
    sends: VecDeque<SendRequest>,
    runs: VecDeque<RunRequest>,
    timers: BTreeMap<(Arc<str>, u64), Micros>,
    bytes: BTreeMap<(Arc<str>, u32), (String, String)>,
    asked_for: Vec<SpanContext>,
    roots: Vec<SpanContext>,
    called_by: Option<SpanContext>,
    woken: Option<Micros>,
    /// Everything that can be seen of it in a trace, in the order in which it ended.
    pub spans: Vec<Span>,
    /// Everything that was counted of it.
    pub measured: Vec<Measured>,
    /// What the last decision told the sender of the input.
    pub told: Option<Decision>,
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
            asked_for: Vec::new(),
            roots: Vec::new(),
            called_by: None,
            woken: None,
            spans: Vec::new(),
            measured: Vec::new(),
            told: None,
        }
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
            trace: scope(self.called_by),
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
        let traceparent = decision.trace.map(|own| own.traceparent());
        let time = self.now;
        let recorded =
            |event: &EventRecord| Recorded { event: event.clone(), time, traceparent: traceparent.clone() };
        self.records.extend(decision.events.iter().map(recorded));
        let asked = decision.sends.iter().map(|send| send.parent);
        self.asked_for.extend(asked.chain(decision.runs.iter().map(|run| run.parent)).flatten());
        self.check_spans(&decision);
        self.measured.extend(decision.measured.iter().cloned());
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

    fn open(&self) -> String {
        format!("open: {:?}, timers: {:?}", self.open_keys(), self.open_timers())
    }
}

/// Somebody wants everything.
fn scope(cause: Option<SpanContext>) -> Scope {
    let mut scope = Scope::observed(LOG, 1.0, cause);
    scope.counted = true;
    scope.segment_after = Some(SEGMENT_AFTER);
    scope
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Completed {} | Event::Compensated { .. } | Event::Killed { .. })
}
