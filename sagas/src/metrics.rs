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

use std::time::Duration;

use palinode::{Micros, measure::Measured};
use serde::{Deserialize, Serialize};

use crate::{
    definition::{NodeId, Then},
    event::{Direction, Event},
    series::AllSeries,
    state::State,
};

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

impl Work {
    fn word(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Undo => "undo",
            Self::Wait => "wait",
        }
    }
}

impl Times {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl State {
    /// Follows an entry about this node that was just taken into the state.
    pub(crate) fn pass(&mut self, node: Option<NodeId>, event: &Event, now: Micros) -> Option<Passed> {
        let times = &mut self.times;
        let lasted = |since: Micros| Passed(now.since(since));
        if matches!(event, Event::Started { .. }) {
            times.began = Some(now);
        }
        if end(event).is_some() {
            times.open.clear();
            return times.began.map(lasted);
        }
        let NodeId(node) = node?;
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

/// What an entry about this node adds to the metrics; `passed` is how long what ended with it had lasted.
pub(crate) fn count(
    series: &AllSeries,
    node: Option<NodeId>,
    event: &Event,
    passed: Option<&Passed>,
    to: &mut Vec<Measured>,
) {
    let seconds = passed.map(|Passed(lasted)| lasted.as_secs_f64());
    if matches!(event, Event::Started { .. }) {
        to.push(series.started());
    }
    if let Some(outcome) = end(event) {
        to.extend(series.finished(outcome));
        to.extend(seconds.and_then(|lasted| series.lasted(outcome, lasted)));
    }
    let Some(NodeId(node)) = node else { return };
    if let Some(direction) = attempt(event) {
        to.extend(series.attempt(node, direction));
    }
    if let (Some((work, outcome)), Some(lasted)) = (outcome(event), seconds) {
        to.extend(series.node_lasted(node, (work.word(), outcome), lasted));
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
