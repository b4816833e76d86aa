//! What each entry of the journal opens and ends in a trace; the table stands in `trace.rs`. Attempts that failed are errors,
//! also when another one follows; that something was left out is none.

use std::sync::Arc;

use super::What;
use crate::{
    definition::{NodeId, Then},
    event::{Direction, Event, How},
    state::State,
};

/// What an entry opens of its node.
pub(super) fn opens(event: &Event, state: &State, id: NodeId) -> Option<(What, u32, u32)> {
    match event {
        Event::StepAsked { round, attempt, .. } => Some((What::Attempt(Direction::Do), *round, *attempt)),
        Event::UndoAsked { round, attempt, .. } => Some((What::Attempt(Direction::Undo), *round, *attempt)),
        Event::SettleAsked { direction, round, attempt, .. } => {
            Some((What::Attempt(*direction), *round, *attempt))
        }
        Event::Awaited { direction, round, .. } => {
            Some((What::Attempt(*direction), *round, state[id].tries_of(*direction).attempt))
        }
        Event::WaitBegan { .. } => Some((What::Wait, 0, 0)),
        _ => None,
    }
}

/// What an entry says of what is open of its node: which part, its outcome, and what was wrong with it.
pub(super) fn answers(event: &Event) -> Vec<(What, &'static str, Option<Arc<str>>)> {
    use Direction::{Do, Probe, Undo, Void};
    use What::{Attempt, Wait};
    let unanswered = |direction| (Attempt(direction), "unknown", Some("unanswered".into()));
    let settled = [(Attempt(Probe), "done", None), (Attempt(Void), "done", None)];
    match event {
        Event::StepDone { .. } | Event::PivotPassed { .. } => {
            settled.into_iter().chain([(Attempt(Do), "done", None)]).collect()
        }
        Event::StepRefused { code, .. } => {
            let refused = (Attempt(Do), "refused", Some(Arc::clone(code)));
            settled.into_iter().chain([refused]).collect()
        }
        Event::StepUnknown { .. } => vec![unanswered(Do)],
        Event::AttemptFailed { direction, how, .. } => {
            let (outcome, word) = failed(*how);
            vec![(Attempt(*direction), outcome, Some(word.into()))]
        }
        Event::Blocked { .. } | Event::InDoubt { .. } => {
            vec![unanswered(Do), unanswered(Probe), unanswered(Void)]
        }
        Event::NotKnown { .. } => vec![(Attempt(Probe), "done", None)],
        Event::Undone { .. } => vec![(Attempt(Undo), "done", None)],
        Event::UndoStuck { .. } => vec![unanswered(Undo)],
        Event::WaitDone { .. } => vec![(Wait, "done", None)],
        Event::TimedOut { then: Then::GoOn, .. } => vec![(Wait, "skipped", None)],
        Event::TimedOut { .. } => vec![(Wait, "refused", Some("timed_out".into()))],
        Event::Skipped { .. } => {
            let all = [Attempt(Do), Attempt(Undo), Attempt(Probe), Attempt(Void), Wait];
            all.map(|what| (what, "skipped", None)).into()
        }
        _ => Vec::new(),
    }
}

fn failed(how: How) -> (&'static str, &'static str) {
    match how {
        How::Refused => ("refused", "refused"),
        How::Transient => ("refused", "transient"),
        How::Unknown => ("unknown", "unknown"),
        How::Fatal => ("unknown", "fatal"),
        How::Lost => ("unknown", "lost"),
    }
}

/// Why nothing stays open after an entry.
pub(super) fn ends(event: &Event) -> Option<&'static str> {
    match event {
        Event::Killed { .. } => Some("killed"),
        Event::Completed {} | Event::Compensated { .. } => Some("unanswered"),
        _ => None,
    }
}
