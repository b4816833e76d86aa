//! What has to be seen of a trip, from its journal in the log: which attempts, undos and waits there were, from when to when
//! and how they ended. Read by the checker's code and by the page of the journal; nothing of the engine's spans is used.

use std::collections::BTreeMap;

use palinode_verify::{
    Source, commits,
    journal::{Direction, Entry, How, Then},
};

/// One trip, from its start to its end.
#[derive(Debug)]
pub(crate) struct Story {
    /// The log that it is in.
    pub(crate) log_id: String,
    /// Microseconds since 1970.
    pub(crate) began: i64,
    pub(crate) ended: i64,
    pub(crate) outcome: &'static str,
    /// What has to be seen of it.
    pub(crate) parts: Vec<Part>,
    open: Vec<Open>,
}

/// Something of a saga that has a beginning and an end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) outcome: &'static str,
}

#[derive(Debug)]
struct Open {
    what: What,
    node: String,
    start: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Attempt(Direction),
    Wait,
}

const DO: What = What::Attempt(Direction::Do);
const UNDO: What = What::Attempt(Direction::Undo);
const PROBE: What = What::Attempt(Direction::Probe);
const VOID: What = What::Attempt(Direction::Void);

/// The trips in a log, by their ids. All of them have to have ended.
pub(crate) fn stories(log: &dyn Source, kind: &str) -> BTreeMap<String, Story> {
    let mut all: BTreeMap<String, Story> = BTreeMap::new();
    for partition in log.partitions().iter().filter(|partition| &*partition.service == "trip") {
        for commit in commits(log, "trip", partition.shard) {
            let commit = commit.unwrap();
            let Some(entity) = commit.entity().filter(|entity| entity.kind == kind) else { continue };
            let time = commit.commit.time;
            let story = all.entry(entity.id.clone()).or_insert_with(|| Story {
                log_id: commit.at.log_id.to_string(),
                began: time,
                ended: 0,
                outcome: "",
                parts: Vec::new(),
                open: Vec::new(),
            });
            for event in &commit.commit.events {
                story.take(Entry::read(event).unwrap().unwrap(), time, kind);
            }
        }
    }
    assert!(all.values().all(|story| !story.outcome.is_empty()), "a trip has not ended");
    all
}

impl Story {
    fn take(&mut self, entry: Entry, time: i64, kind: &str) {
        match entry {
            Entry::Started(_) => self.part(format!("saga start {kind}"), time, time, ""),
            Entry::StepAsked(asked) => self.opens(DO, asked.node, time),
            Entry::UndoAsked { node, .. } => self.opens(UNDO, node, time),
            Entry::SettleAsked(asked) => self.opens(What::Attempt(asked.direction), asked.node, time),
            Entry::Awaited { node, direction, .. } => self.opens(What::Attempt(direction), node, time),
            Entry::WaitBegan { node, .. } => self.opens(What::Wait, node, time),
            Entry::StepDone { node, .. } | Entry::PivotPassed { node, .. } => {
                self.ends(&[PROBE, VOID, DO], &node, time, "done");
            }
            Entry::StepRefused { node, .. } => {
                self.ends(&[PROBE, VOID], &node, time, "done");
                self.ends(&[DO], &node, time, "refused");
            }
            Entry::StepUnknown { node, .. } => self.ends(&[DO], &node, time, "unknown"),
            Entry::AttemptFailed(failed) => {
                let definite = matches!(failed.how, How::Refused | How::Transient);
                let outcome = if definite { "refused" } else { "unknown" };
                self.ends(&[What::Attempt(failed.direction)], &failed.node, time, outcome);
            }
            Entry::Blocked { node } | Entry::InDoubt { node } => {
                self.ends(&[DO, PROBE, VOID], &node, time, "unknown");
            }
            Entry::NotKnown { node } => self.ends(&[PROBE], &node, time, "done"),
            Entry::Undone { node, .. } => self.ends(&[UNDO], &node, time, "done"),
            Entry::UndoStuck { node } => self.ends(&[UNDO], &node, time, "unknown"),
            Entry::WaitDone { node, .. } => self.ends(&[What::Wait], &node, time, "done"),
            Entry::TimedOut { node, then } => {
                let outcome = if then == Then::GoOn { "skipped" } else { "refused" };
                self.ends(&[What::Wait], &node, time, outcome);
            }
            Entry::Skipped { node, .. } => {
                self.ends(&[DO, UNDO, PROBE, VOID, What::Wait], &node, time, "skipped");
            }
            Entry::Completed {} => self.over("completed", time, kind),
            Entry::Compensated { .. } => self.over("compensated", time, kind),
            Entry::Killed { .. } => self.over("killed", time, kind),
            _ => {}
        }
    }

    fn opens(&mut self, what: What, node: String, start: i64) {
        self.ends(&[what], &node, start, "unknown");
        self.open.push(Open { what, node, start });
    }

    fn ends(&mut self, what: &[What], node: &str, end: i64, outcome: &'static str) {
        let closes = |open: &Open| open.node == node && what.contains(&open.what);
        let (closed, open) = std::mem::take(&mut self.open).into_iter().partition(closes);
        self.open = open;
        self.seen(closed, end, outcome);
    }

    fn over(&mut self, outcome: &'static str, time: i64, kind: &str) {
        let open = std::mem::take(&mut self.open);
        self.seen(open, time, "unknown");
        self.part(format!("saga run {kind}"), self.began, time, outcome);
        (self.ended, self.outcome) = (time, outcome);
    }

    fn seen(&mut self, all: Vec<Open>, end: i64, outcome: &'static str) {
        for Open { what, node, start } in all {
            let word = match what {
                UNDO => "undo",
                What::Attempt(_) => "step",
                What::Wait => "wait",
            };
            self.part(format!("saga {word} {node}"), start, end, outcome);
        }
    }

    fn part(&mut self, name: String, start: i64, end: i64, outcome: &'static str) {
        self.parts.push(Part { name, start, end, outcome });
    }
}
