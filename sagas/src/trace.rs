//! What of an instance can be seen in a trace: which attempts and waits are open, since when and under which ids. A fold of
//! the journal like the state, and saved with it, so that whoever takes the instance over closes what an earlier owner
//! opened. It decides nothing, and nothing is decided by it.
//!
//! | entry | opens | ends |
//! |---|---|---|
//! | `Started` | the trace | `saga start`, its root |
//! | `StepAsked`, `UndoAsked`, `SettleAsked`, `Awaited` | an attempt of its direction | |
//! | `StepDone`, `PivotPassed`, `StepRefused`, `StepUnknown`, `Undone`, `AttemptFailed`, .. | | the attempt it answers |
//! | `WaitBegan` | a wait | |
//! | `WaitDone`, `TimedOut` | | the wait |
//! | `Skipped` | | whatever is open of the node |
//! | `Completed`, `Compensated`, `Killed` | | whatever is open, and `saga run` |

use std::sync::Arc;

use palinode::{
    Context, Micros,
    entity::Recorded,
    trace::{Span, SpanContext, SpanId},
};
use serde::{Deserialize, Serialize};

use crate::{
    definition::{Definition, NodeId},
    event::{Direction, Event},
    state::State,
};

mod entries;
pub mod names;
mod spans;

use entries::{answers, ends, opens};
use names::role;

/// The trace of an instance, as far as it is not over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Its `saga start`.
    root: SpanContext,
    /// When it was accepted.
    at: Micros,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    open: Vec<Part>,
    /// The last attempt of each node: what its undo takes back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    last: Vec<Part>,
}

/// An attempt or a wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Part {
    node: usize,
    what: What,
    #[serde(default, skip_serializing_if = "zero")]
    round: u32,
    #[serde(default, skip_serializing_if = "zero")]
    attempt: u32,
    /// The instance's version before the entry that opened it.
    version: u64,
    at: Micros,
    /// When a wait was to end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<Micros>,
}

/// What of a node is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Attempt(Direction),
    Wait,
}

/// A part that has ended, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    part: Part,
    outcome: &'static str,
    error: Option<Arc<str>>,
}

/// The commit that an entry is in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    /// Its time.
    pub(crate) time: Micros,
    /// The instance's version before the entry.
    pub(crate) version: u64,
}

fn zero(n: &u32) -> bool {
    *n == 0
}

impl State {
    /// An instance that was just accepted has a trace from here on, if somebody observes.
    pub(crate) fn begin_trace(&mut self, cx: &Context, at: At) {
        let root = cx.trace.root(&cx.entity, at.version, role::START);
        self.trace = root.map(|root| Box::new(Trace::new(root, at.time)));
    }

    /// The same from what was recorded with the commit, unless that is the context of somebody else.
    fn recall_trace(&mut self, recorded: Option<&Arc<str>>, at: At) {
        let own = |context: &SpanContext| {
            context.span == SpanId::derived(context.trace, at.version, role::START, "")
        };
        let root = SpanContext::read(recorded).filter(own);
        self.trace = root.map(|root| Box::new(Trace::new(root, at.time)));
    }

    /// Follows an entry that was just taken into the state; what ended with it.
    pub(crate) fn follow(&mut self, def: &Definition, event: &Event, at: At) -> Vec<Ended> {
        let Some(mut trace) = self.trace.take_if(|trace| trace.root.sampled) else { return Vec::new() };
        let ended = trace.follow(def, self, event, at);
        self.trace = Some(trace);
        ended
    }

    /// Follows an entry that was recorded. What ended with it was told by whoever decided it.
    pub(crate) fn follow_recorded(&mut self, def: &Definition, event: &Event, commit: &Recorded<'_>) {
        let at = At { time: commit.time, version: commit.version };
        if matches!(event, Event::Started { .. }) {
            self.recall_trace(commit.traceparent, at);
        }
        let _ = self.follow(def, event, at);
    }

    /// The root of its trace as a commit says it, when somebody observes: every commit of a trace that is kept, and of one
    /// that is not the first, in which it began.
    pub(crate) fn traced(&self, cx: &Context, before: Option<&Trace>) -> Option<SpanContext> {
        let root = self.trace.as_ref().filter(|_| cx.trace.is_on()).map(|trace| trace.root);
        root.filter(|root| root.sampled || before.is_none())
    }

    /// The span of the open attempt of a node: what it asks is asked for this.
    pub(crate) fn attempt(&self, def: &Definition, id: NodeId, direction: Direction) -> Option<SpanContext> {
        let trace = self.trace.as_ref()?;
        let part = trace.open.iter().find(|part| part.is(id, What::Attempt(direction)));
        Some(part.map_or(trace.root, |part| trace.context(def, part)))
    }
}

impl Trace {
    fn new(root: SpanContext, at: Micros) -> Self {
        Self { root, at, open: Vec::new(), last: Vec::new() }
    }

    fn follow(&mut self, def: &Definition, state: &State, event: &Event, at: At) -> Vec<Ended> {
        let mut ended = Vec::new();
        let id = event.node().and_then(|path| def.find(path));
        if let Some(id) = id {
            for (what, outcome, error) in answers(event) {
                ended.extend(self.close(id, what, outcome, error));
            }
            if let Some((what, round, attempt)) = opens(event, state, id) {
                ended.extend(self.close(id, what, "unknown", Some("asked_again".into())));
                let due = event.timer().filter(|_| what == What::Wait).map(|timer| timer.due);
                let At { time, version } = at;
                self.open(Part { node: id.0, what, round, attempt, version, at: time, due });
            }
        }
        if let Some(why) = ends(event) {
            let unknown = |part| Ended { part, outcome: "unknown", error: Some(why.into()) };
            ended.extend(self.open.drain(..).map(unknown));
        }
        ended
    }

    fn open(&mut self, part: Part) {
        if part.what == What::Attempt(Direction::Do) {
            self.last.retain(|last| last.node != part.node);
            self.last.push(part.clone());
        }
        self.open.push(part);
    }

    fn close(
        &mut self,
        id: NodeId,
        what: What,
        outcome: &'static str,
        error: Option<Arc<str>>,
    ) -> Option<Ended> {
        let at = self.open.iter().position(|part| part.is(id, what))?;
        Some(Ended { part: self.open.remove(at), outcome, error })
    }

    /// Where a part stands in the trace.
    fn context(&self, def: &Definition, part: &Part) -> SpanContext {
        let Part { node, what, round, attempt, version, .. } = part;
        let path = &def[NodeId(*node)].path;
        match what {
            What::Wait => self.root.sibling(*version, role::WAIT, path),
            What::Attempt(direction) => {
                let branch = format_args!("{path}/{}/{round}/{attempt}", direction.word());
                self.root.sibling(*version, role::ATTEMPT, branch)
            }
        }
    }

    /// The attempt that an undo takes back.
    fn taken_back(&self, def: &Definition, part: &Part) -> Option<SpanContext> {
        let undo = part.what == What::Attempt(Direction::Undo);
        let last = self.last.iter().find(|last| undo && last.node == part.node)?;
        Some(self.context(def, last))
    }
}

impl Part {
    fn is(&self, id: NodeId, what: What) -> bool {
        self.node == id.0 && self.what == what
    }
}

/// What can be seen of an entry: how it ended what, as spans.
pub(crate) fn seen(
    def: &Definition,
    cx: &Context,
    state: &State,
    event: &Event,
    ended: Vec<Ended>,
    spans: &mut Vec<Span>,
) {
    let Some(trace) = state.trace.as_ref().filter(|trace| trace.root.sampled && cx.trace.is_on()) else {
        return;
    };
    let seen = spans::Seen { def, cx, trace };
    if matches!(event, Event::Started { .. }) {
        spans.push(seen.start());
    }
    spans.extend(ended.into_iter().map(|ended| seen.part(&ended)));
    if ends(event).is_some() {
        spans.push(seen.run(state));
    }
}

/// What can be seen of a person's order that was carried out.
pub(crate) fn ordered(
    def: &Definition,
    cx: &Context,
    state: &State,
    order: &crate::verb::Order,
) -> Option<Span> {
    let trace = state.trace.as_ref().filter(|trace| trace.root.sampled && cx.trace.is_on())?;
    Some(spans::Seen { def, cx, trace }.operator(order))
}
