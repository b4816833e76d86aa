//! The coordinator: `(definition, state, input) -> (state, events, asks, timers)`. Pure; time and the root of derived
//! draws come in with the context. User closures are called through `Work::pure` only, which catches their panics.
//!
//! The states of an instance and what an input makes of them. `=` stays; a word after `/` is the answer to the sender;
//! the number is the row of the specification. A test reads this table back and drives every pair.
//!
//! ```text
//! | state       | start             | start other  | done           | refused   | unknown   | deadline  | signal        | late reply |
//! |-------------|-------------------|--------------|----------------|-----------|-----------|-----------|---------------|------------|
//! | None        | Forward/started 1 | -            | = 16           | = 16      | -         | -         | =/not_started | = 16       |
//! | Forward     | =/started 2       | =/conflict 2 | Committing 3   | Undoing 4 | Undoing 4 | Undoing 4 | =/buffered    | = 16       |
//! | Committing  | =/started 2       | =/conflict 2 | Finishing 6    | Undoing 7 | = 8       | = 9       | =/buffered    | = 16       |
//! | Finishing   | =/started 2       | =/conflict 2 | Completed 10   | = 11      | = 11      | = 12      | =/buffered    | = 16       |
//! | Undoing     | =/started 2       | =/conflict 2 | Compensated 13 | = 14      | = 14      | -         | =/kept 15     | = 16       |
//! | Completed   | =/started 2       | =/conflict 2 | = 21           | = 21      | -         | -         | =/ended 21    | = 21       |
//! | Compensated | =/started 2       | =/conflict 2 | = 21           | = 21      | -         | -         | =/ended 21    | = 21       |
//! | Killed      | =/started 2       | =/conflict 2 | = 21           | = 21      | -         | -         | =/ended 21    | = 21       |
//! ```
//!
//! What a person may do in each state stands in `control.rs`. (done, refused and unknown are outcomes of the node that is open in the state: a step, the pivot, the last
//! retriable, the last undo. `-`: the input cannot occur. Row 5 is the `Committing` of row 3.)
//!
//! What an outcome means, by the class of its node:
//!
//! | class | done | refused | unknown after its budget |
//! |---|---|---|---|
//! | compensatable | go on | undo the others | undo the others and itself |
//! | read, wait, timer before the pivot | go on | undo | as refused, or `on_timeout` |
//! | pivot | no return | undo | in doubt |
//! | retriable; read, wait after the pivot | go on | new round, then blocked | same round, then blocked |
//! | an undo | undone | new round, then stuck | same round, then stuck |

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use palinode::{
    Context, Micros,
    commit::RunRef,
    entity::{RunRequest, SendRequest, panicked},
    measure::Measured,
    trace::{Span, SpanContext},
};
use serde_json::value::RawValue;

use crate::{
    definition::{Class, Definition, NodeId, Then, Typed},
    event::{Direction, Event, SkippedBy, Timer, Why},
    metrics,
    outcome::{Answer, Raw, Refused, fits},
    situation::Situation,
    state::{DEADLINE, Phase, State, Status, digest_of},
    trace::{self, At, Followed},
    verb::{No, Order},
};

/// One input, decoded as far as it can be without the definition.
pub(crate) enum Input<'a> {
    /// Begin with this data.
    Start(&'a RawValue),
    /// Something a wait may be open for.
    Signal { name: &'a str, id: Arc<str>, data: Raw },
    /// A verb of a person.
    Order(Order),
    /// The answer to an ask: an entity's has no attempt.
    Answer { key: &'a str, round: u32, attempt: Option<u32>, answer: Answer },
    /// A timer.
    Timer { node: &'a str, serial: u64 },
}

/// What the sender of a message is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Started,
    Conflict,
    Taken,
    Buffered,
    Duplicate,
    Kept,
    /// A verb was carried out: this is what came of it.
    Obeyed(Box<Situation>),
    No(No),
    /// The payload cannot be read.
    Invalid(Arc<str>),
    /// An input without a sender.
    Nothing,
}

/// User code panicked, or broke its contract: the instance is parked with this reason.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) String);

/// A decision being made: the state advances with every event.
pub(crate) struct Work<'a> {
    pub(crate) def: &'a Definition,
    pub(crate) cx: &'a Context,
    pub(crate) state: State,
    typed: Option<Typed>,
    draws: u32,
    /// The call, or the `send`, of the message that is taken.
    pub(crate) came: Option<SpanContext>,
    pub(crate) out: Out,
}

/// What a decision consists of, besides the new state.
#[derive(Default)]
pub(crate) struct Out {
    pub(crate) events: Vec<Event>,
    pub(crate) sends: Vec<SendRequest>,
    pub(crate) runs: Vec<RunRequest>,
    pub(crate) stops: Vec<RunRef>,
    pub(crate) spans: Vec<Span>,
    pub(crate) measured: Vec<Measured>,
}

/// The whole result of one input.
pub(crate) struct Decided {
    pub(crate) state: State,
    pub(crate) typed: Option<Typed>,
    pub(crate) said: Said,
    pub(crate) out: Out,
}

/// Decides one input. On [`Broken`] nothing has happened.
pub(crate) fn decide(
    def: &Definition,
    state: &State,
    typed: Option<Typed>,
    input: &Input<'_>,
    cx: &Context,
) -> Result<Decided, Broken> {
    let (state, came) = (state.clone(), cx.trace.cause);
    let mut work = Work { def, cx, state, typed, draws: 0, came, out: Out::default() };
    let mut said = work.take(input)?;
    work.note_stuck()?;
    let Work { state, typed, mut out, .. } = work;
    if let (Said::Obeyed(situation), Input::Order(order)) = (&mut said, input) {
        out.spans.extend(trace::ordered(def, cx, &state, order));
        let node = order.node.as_deref().and_then(|path| def.find(path));
        **situation = Situation::of(def, &state, node);
    }
    Ok(Decided { state, typed, said, out })
}

impl Work<'_> {
    pub(crate) fn take(&mut self, input: &Input<'_>) -> Result<Said, Broken> {
        match input {
            Input::Start(data) => self.start(data),
            Input::Signal { name, id, data } => self.signal(name, id, data),
            Input::Order(order) => self.order(order),
            Input::Answer { key, round, attempt, answer } => {
                self.answer(key, *round, *attempt, answer)?;
                Ok(Said::Nothing)
            }
            Input::Timer { node, serial } => {
                self.timer(node, *serial)?;
                Ok(Said::Nothing)
            }
        }
    }

    /// Rows 1 and 2.
    fn start(&mut self, data: &RawValue) -> Result<Said, Broken> {
        if let Some(origin) = self.state.origin {
            let same = origin.digest == digest_of(data.get());
            return Ok(if same { Said::Started } else { Said::Conflict });
        }
        let decoded = fits("data", data)
            .and_then(|()| caught("data", || (self.def.data.decode)(data)))
            .and_then(|decoded| decoded);
        match decoded {
            Ok(typed) => self.typed = Some(typed),
            Err(why) => return Ok(Said::Invalid(why.into())),
        }
        let deadline = self.def.deadline().map(|within| self.new_timer(self.cx.time.plus(within)));
        self.emit(Event::Started {
            definition: Arc::clone(self.def.name()),
            version: self.def.version(),
            fingerprint: self.def.fingerprint(),
            data: Raw::from(data.to_owned()),
            deadline,
        })?;
        self.advance()?;
        Ok(Said::Started)
    }

    /// A firing whose serial is not current is late: nothing follows.
    pub(crate) fn timer(&mut self, name: &str, serial: u64) -> Result<(), Broken> {
        if name == DEADLINE {
            let current = self.state.deadline.is_some_and(|t| t.serial == serial);
            return if current { self.deadline() } else { Ok(()) };
        }
        let Some(id) = self.def.find(name) else { return Ok(()) };
        if self.state[id].timer.is_none_or(|t| t.serial != serial) {
            return Ok(());
        }
        match self.state[id].status {
            Status::Waiting if matches!(self.def[id].class, Class::Wait | Class::Timer) => self.wait_over(id),
            Status::Waiting => self.ask_again(id),
            Status::UndoWaiting => self.ask_undo(id),
            Status::Asked => self.unanswered(id),
            Status::Probing => self.settle(id, Direction::Probe),
            Status::Voiding => self.settle(id, Direction::Void),
            _ => Ok(()),
        }
    }

    fn deadline(&mut self) -> Result<(), Broken> {
        match self.state.phase {
            Phase::Forward => self.begin_undo(Why::Deadline),
            _ => self.emit(Event::DeadlinePassed {}),
        }
    }

    /// Opens whatever became ready, in the order of the definition; completes the saga when all is closed.
    pub(crate) fn advance(&mut self) -> Result<(), Broken> {
        for (id, node) in self.def.nodes() {
            let idle = self.state[id].status == Status::Idle;
            if idle && node.after.iter().all(|before| self.closed(*before)) {
                self.open(id)?;
                if self.state.phase == Phase::Undoing || self.state.phase.terminal() {
                    return Ok(());
                }
            }
        }
        let all = self.def.nodes().all(|(id, _)| self.closed(id));
        if all { self.emit(Event::Completed {}) } else { Ok(()) }
    }

    fn closed(&self, id: NodeId) -> bool {
        matches!(self.state[id].status, Status::Done | Status::Skipped)
    }

    fn open(&mut self, id: NodeId) -> Result<(), Broken> {
        let node = &self.def[id];
        if let Some(when) = &node.code.when
            && !self.pure(id, "when", |data| when(data))?.map_err(Broken)?
        {
            return self.emit(Event::Skipped { node: self.path(id), why: SkippedBy::When });
        }
        match node.class {
            Class::Wait | Class::Timer => self.begin_wait(id),
            _ => self.ask(id),
        }
    }

    /// Says so once when nothing can move without a person.
    fn note_stuck(&mut self) -> Result<(), Broken> {
        let live = !self.state.phase.terminal() && self.state.phase != Phase::None;
        let moving = |status| {
            let back = matches!(status, Status::Undoing | Status::UndoWaiting);
            back || matches!(status, Status::Asked | Status::Waiting | Status::Probing | Status::Voiding)
        };
        if !live || self.state.stuck || self.state.nodes().any(|(_, n)| moving(n.status)) {
            return Ok(());
        }
        let nodes: Vec<_> = self.state.needs_person().map(|id| self.path(id)).collect();
        if !nodes.is_empty() {
            palinode::sometimes!("saga stuck");
        }
        if nodes.is_empty() { Ok(()) } else { self.emit(Event::Stuck { nodes }) }
    }

    /// Records an event and takes it into the state.
    pub(crate) fn emit(&mut self, event: Event) -> Result<(), Broken> {
        let brought = self.state.brought(&event);
        self.state.apply(self.def, &event).map_err(Broken)?;
        let version = self.cx.version.saturating_add(self.out.events.len() as u64);
        let at = At { time: self.cx.time, version };
        if matches!(event, Event::Started { .. }) {
            self.state.begin_trace(self.cx, at);
        }
        let cut = self.state.cut_trace(self.cx, &event, at);
        let node = event.node().and_then(|path| self.def.find(path));
        let passed = self.state.pass(node, &event, at.time);
        if self.cx.trace.counted {
            metrics::count(self.def.series(), node, &event, passed.as_ref(), &mut self.out.measured);
        }
        let ended = self.state.follow(self.def, &event, at);
        let followed = Followed { cut, brought, ended };
        trace::seen(self.def, self.cx, &self.state, &event, followed, &mut self.out.spans);
        self.out.events.push(event);
        Ok(())
    }

    pub(crate) fn path(&self, id: NodeId) -> Arc<str> {
        Arc::clone(&self.def[id].path)
    }

    /// The next timer of the instance.
    pub(crate) fn new_timer(&mut self, due: Micros) -> Timer {
        self.state.serial += 1;
        Timer { serial: self.state.serial, due }
    }

    /// A draw derived from the input, so that deciding again draws the same.
    pub(crate) fn draw(&mut self) -> u64 {
        let id = self.cx.id(self.draws);
        self.draws += 1;
        id.as_u64_pair().1
    }

    /// Calls a closure on the data. The outer error is a panic or unreadable data: the instance is parked.
    pub(crate) fn pure<R>(
        &mut self,
        id: NodeId,
        what: &str,
        call: impl FnOnce(&mut dyn Any) -> Result<R, String>,
    ) -> Result<Result<R, String>, Broken> {
        let path = &self.def[id].path;
        let broken = |why: String| Broken(format!("node {path}: {why}"));
        let mut data = match self.typed.take() {
            Some(data) => data,
            None => caught("data", || (self.def.data.decode)(&self.state.data))
                .and_then(|decoded| decoded)
                .map_err(broken)?,
        };
        let result = caught(what, || call(&mut *data)).map_err(broken)?;
        self.typed = Some(data);
        Ok(result)
    }

    /// The data as JSON, when it differs from what is recorded.
    pub(crate) fn changed_data(&mut self, id: NodeId) -> Result<Option<Raw>, Broken> {
        let encode = self.def.data.encode;
        let raw = self.pure(id, "data", |data| encode(data))?.map_err(Broken)?;
        fits("data", &raw).map_err(|why| Broken(format!("node {}: {why}", self.def[id].path)))?;
        Ok((raw.get() != self.state.data.get()).then(|| Raw::from(raw)))
    }

    /// A node refused before its outcome could be anything else: what its class makes of it.
    pub(crate) fn refuse(&mut self, id: NodeId, refused: &Refused, late: bool) -> Result<(), Broken> {
        let node = self.path(id);
        self.emit(Event::StepRefused {
            node: Arc::clone(&node),
            round: self.state[id].tries.round,
            code: Arc::clone(&refused.code),
            text: Arc::clone(&refused.text),
            data: refused.data.clone(),
            late,
        })?;
        if self.state.phase == Phase::Undoing {
            return self.rewind();
        }
        let (code, text) = (Arc::clone(&refused.code), Arc::clone(&refused.text));
        self.begin_undo(Why::Refused { node, code, text })
    }

    /// What follows a wait that ended without its signal.
    pub(crate) fn timed_out(&mut self, id: NodeId) -> Result<(), Broken> {
        let (node, then) = (self.path(id), self.def[id].on_timeout);
        self.emit(Event::TimedOut { node: Arc::clone(&node), then })?;
        match then {
            Then::GoOn => self.advance(),
            Then::Undo => self.begin_undo(Why::TimedOut { node }),
            Then::Block => Ok(()),
        }
    }
}

/// Runs user code; a panic comes back as what it said.
fn caught<R>(what: &str, call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| panicked(what, &*panic))
}
