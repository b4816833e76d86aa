//! What is counted of instances: since when each, and what is open of its nodes, lasts; and what an entry of the journal
//! adds to the metrics. A fold of the journal like the state; it decides nothing, and no id goes into a metric.
//!
//! | entry | begins | ends |
//! |---|---|---|
//! | `Started` | the instance | |
//! | the first `StepAsked`, `UndoAsked`, `WaitBegan` | forward, undo, wait | |
//! | `StepDone`, `PivotPassed`, `StepRefused`, `StepUnknown` | | forward |
//! | `Undone`, `UndoStuck` | | undo |
//! | `WaitDone`, `TimedOut` | | wait |
//! | `Skipped` | | whatever is open of the node, uncounted |
//! | `Completed`, `Compensated`, `Killed` | | the instance |

use std::{sync::Arc, time::Duration};

use palinode::{
    Micros,
    measure::{Instrument, Measured},
};
use serde::{Deserialize, Serialize};

use crate::{
    definition::{Definition, Then},
    event::{Direction, Event},
    state::State,
};

/// The buckets of durations: those of the engine, and what lasts longer than a minute.
const BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0, 300.0, 3_600.0, 86_400.0,
];

static STARTED: Instrument = Instrument::counter("saga.started", "{saga}", "Sagas begun.");
static FINISHED: Instrument =
    Instrument::counter("saga.finished", "{saga}", "Sagas that have come to their end.");
static DURATION: Instrument =
    Instrument::histogram("saga.duration", "s", "From the start of a saga to its end.", BUCKETS);
static NODE_DURATION: Instrument =
    Instrument::histogram("saga.node.duration", "s", "From the first ask to the outcome.", BUCKETS);
static NODE_ATTEMPTS: Instrument =
    Instrument::counter("saga.node.attempts", "{attempt}", "Attempts of nodes.");

/// Since when an instance lasts, and what is open of its nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<Micros>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    open: Vec<(usize, Work, Micros)>,
}

/// What a node can be busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    Forward,
    Undo,
    Wait,
}

/// What has ended with an entry: how long it lasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed(Duration);

impl Times {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl State {
    /// Follows an entry that was just taken into the state.
    pub(crate) fn pass(&mut self, def: &Definition, event: &Event, now: Micros) -> Option<Passed> {
        let times = &mut self.times;
        let lasted = |since: Micros| Passed(now.since(since));
        if matches!(event, Event::Started { .. }) {
            times.began = Some(now);
        }
        if end(event).is_some() {
            times.open.clear();
            return times.began.map(lasted);
        }
        let node = event.node().and_then(|path| def.find(path))?.0;
        if matches!(event, Event::Skipped { .. }) {
            times.open.retain(|(of, ..)| *of != node);
        }
        if let Some(work) = begins(event)
            && !times.open.iter().any(|(of, what, _)| (*of, *what) == (node, work))
        {
            times.open.push((node, work, now));
        }
        let (work, _) = outcome(event)?;
        let at = times.open.iter().position(|(of, what, _)| (*of, *what) == (node, work))?;
        Some(lasted(times.open.swap_remove(at).2))
    }
}

/// What an entry adds to the metrics; `passed` is how long what ended with it had lasted.
pub(crate) fn count(def: &Definition, event: &Event, passed: Option<&Passed>, to: &mut Vec<Measured>) {
    let saga = Arc::clone(def.name());
    let seconds = passed.map(|Passed(lasted)| lasted.as_secs_f64());
    if let Event::Started { version, .. } = event {
        to.push(STARTED.of(1.0, [("saga", saga), ("version", version.to_string().into())]));
        return;
    }
    if let Some(outcome) = end(event) {
        let version = def.version().to_string().into();
        let finished = [("saga", Arc::clone(&saga)), ("version", version), ("outcome", outcome.into())];
        to.push(FINISHED.of(1.0, finished));
        to.extend(seconds.map(|lasted| DURATION.of(lasted, [("saga", saga), ("outcome", outcome.into())])));
        return;
    }
    let Some(path) = event.node().and_then(|path| def.find(path)).map(|id| Arc::clone(&def[id].path)) else {
        return;
    };
    if let Some(direction) = attempt(event) {
        to.push(NODE_ATTEMPTS.of(
            1.0,
            [("saga", Arc::clone(&saga)), ("node", Arc::clone(&path)), ("direction", direction.into())],
        ));
    }
    if let (Some((work, outcome)), Some(lasted)) = (outcome(event), seconds) {
        let direction = match work {
            Work::Forward => "forward",
            Work::Undo => "undo",
            Work::Wait => "wait",
        };
        let of =
            [("saga", saga), ("node", path), ("direction", direction.into()), ("outcome", outcome.into())];
        to.push(NODE_DURATION.of(lasted, of));
    }
}

/// The direction of an attempt that an entry asks for.
fn attempt(event: &Event) -> Option<&'static str> {
    match event {
        Event::StepAsked { .. } => Some("forward"),
        Event::UndoAsked { .. } => Some("undo"),
        Event::SettleAsked { direction: Direction::Void, .. } => Some("void"),
        Event::SettleAsked { .. } => Some("probe"),
        _ => None,
    }
}

fn begins(event: &Event) -> Option<Work> {
    match event {
        Event::StepAsked { .. } => Some(Work::Forward),
        Event::UndoAsked { .. } => Some(Work::Undo),
        Event::WaitBegan { .. } => Some(Work::Wait),
        _ => None,
    }
}

/// What of its node an entry ends, and how.
fn outcome(event: &Event) -> Option<(Work, &'static str)> {
    match event {
        Event::StepDone { .. } | Event::PivotPassed { .. } => Some((Work::Forward, "done")),
        Event::StepRefused { .. } => Some((Work::Forward, "refused")),
        Event::StepUnknown { .. } => Some((Work::Forward, "unknown")),
        Event::Undone { .. } => Some((Work::Undo, "done")),
        Event::UndoStuck { .. } => Some((Work::Undo, "unknown")),
        Event::WaitDone { .. } => Some((Work::Wait, "done")),
        Event::TimedOut { then: Then::GoOn, .. } => Some((Work::Wait, "skipped")),
        Event::TimedOut { .. } => Some((Work::Wait, "refused")),
        _ => None,
    }
}

/// How an instance ended with an entry.
fn end(event: &Event) -> Option<&'static str> {
    match event {
        Event::Completed {} => Some("completed"),
        Event::Compensated { .. } => Some("compensated"),
        Event::Killed { .. } => Some("killed"),
        _ => None,
    }
}
