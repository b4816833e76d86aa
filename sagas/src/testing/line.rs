//! Journal entries on one line, for tests and logs.

use serde::Serialize;

use crate::event::{Direction, Event, Why};

/// A journal entry on one line: its name, its node, and what a reader of a test needs to know.
#[must_use]
pub fn line(event: &Event) -> String {
    match event {
        Event::StepAsked { node, round, attempt, .. } => format!("asked {node} {round}.{attempt}"),
        Event::StepDone { node, late: true, .. } => format!("done late {node}"),
        Event::StepDone { node, .. } => format!("done {node}"),
        Event::PivotPassed { node, .. } => format!("passed {node}"),
        Event::StepRefused { node, code, late: true, .. } => format!("refused late {node} {code}"),
        Event::StepRefused { node, code, .. } => format!("refused {node} {code}"),
        Event::StepUnknown { node, .. } => format!("unknown {node}"),
        Event::AttemptFailed { node, direction, how, round, attempt, timer, .. } => {
            let direction = match direction {
                Direction::Do => "",
                Direction::Undo => "undo of ",
                Direction::Probe => "probe of ",
                Direction::Void => "void of ",
            };
            let end = if timer.is_some() { "" } else { ", the last" };
            format!("failed {direction}{node} {round}.{attempt} {}{end}", word(how))
        }
        Event::Blocked { node, .. } => format!("blocked {node}"),
        Event::InDoubt { node, .. } => format!("in doubt {node}"),
        Event::Skipped { node, why } => format!("skipped {node} by {}", word(why)),
        Event::WaitBegan { node, .. } => format!("waits {node}"),
        Event::WaitDone { node, .. } => format!("waited {node}"),
        Event::TimedOut { node, then, .. } => format!("timed out {node}, {}", word(then)),
        Event::UndoBegan { why } => format!("undo began: {}", cause(why)),
        Event::Draining { node, .. } => format!("draining {node}"),
        Event::UndoAsked { node, round, attempt, .. } => format!("undo asked {node} {round}.{attempt}"),
        Event::Undone { node, .. } => format!("undone {node}"),
        Event::UndoStuck { node, .. } => format!("undo stuck {node}"),
        Event::LateReply { re, class, .. } => format!("late {re} {}", word(class)),
        Event::Stuck { nodes } => format!("stuck {}", nodes.join(" ")),
        Event::Compensated { exceptions: 0 } => "compensated".into(),
        Event::Compensated { exceptions } => format!("compensated, {exceptions} exceptions"),
        Event::Killed { standing, .. } => format!("killed, standing {}", standing.join(" ")),
        Event::Signalled { name, id, .. } => format!("signalled {name} {id}"),
        Event::Started { .. } => "started".into(),
        Event::CancelAsked { .. } => "cancel asked".into(),
        Event::CancelTooLate {} => "cancel too late".into(),
        Event::DeadlinePassed {} => "deadline passed".into(),
        Event::Completed {} => "completed".into(),
        Event::Parked { .. } => "parked".into(),
        Event::Kept { .. } => "kept".into(),
        Event::Intervened { verb, node, .. } => format!("{verb} {node}"),
        Event::Awaited { node, direction: Direction::Undo, .. } => format!("awaited undo of {node}"),
        Event::Awaited { node, .. } => format!("awaited {node}"),
        Event::SettleAsked { node, direction, round, attempt, .. } => {
            format!("{} asked {node} {round}.{attempt}", direction.word())
        }
        Event::NotKnown { node } => format!("not known {node}"),
        Event::Leaked { node, .. } => format!("leaked {node}"),
        Event::Paused { left, .. } => format!("paused with {} timers", left.len()),
        Event::Resumed { timers, .. } => format!("resumed with {} timers", timers.len()),
        Event::Unparked { .. } => "unparked".into(),
    }
}

fn cause(why: &Why) -> String {
    serde_json::to_value(why)
        .ok()
        .and_then(|v| v.get("cause")?.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}
