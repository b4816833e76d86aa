//! One instance, folded from its journal: each entry goes to the file of its concept, which says what must not be and
//! then believes the entry.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Turn, effects::Intent, node::Node};
use crate::{
    journal::{Direction, Entry, Kept, Left, Started, Timer},
    reader::Effective,
    record::{Cause, Peer},
    report::Rule,
};

/// One instance of a saga.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) at: Peer,
    pub(super) entity: Arc<str>,
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) began: Option<i64>,
    pub(super) version: Option<u32>,
    pub(super) course: Course,
    pub(super) ended: Option<End>,
    pub(super) stuck: bool,
    pub(super) parked: bool,
    /// Since when it stands still, and what was left of its timers.
    pub(super) paused: Option<(i64, Vec<Left>)>,
    /// Inputs kept while it is parked or paused.
    pub(super) kept: Vec<Kept>,
    /// Whether the engine set it aside.
    pub(super) aside: bool,
    /// Nodes closed by a person.
    pub(super) exceptions: u64,
    /// Whether a cancel waits.
    pub(super) cancel: bool,
    pub(super) nodes: BTreeMap<String, Node>,
    /// Signals that no wait has taken: name and id, oldest first.
    pub(super) signals: Vec<(String, String)>,
    pub(super) signal_ids: BTreeSet<String>,
    /// The newest timer.
    pub(super) serial: u64,
    unreadable: bool,
}

/// Which way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// Forward, and it may turn back.
    Forward,
    /// The pivot was passed.
    Passed,
    /// Back.
    Back,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Compensated,
    Killed,
}

impl Instance {
    pub(super) fn new(at: &Effective, entity: &Arc<str>) -> Self {
        let (kind, id) = at.entity().map(|e| (e.kind.clone(), e.id.clone())).unwrap_or_default();
        Self {
            at: at.at.clone(),
            entity: Arc::clone(entity),
            kind,
            id,
            began: None,
            version: None,
            course: Course::Forward,
            ended: None,
            stuck: false,
            parked: false,
            paused: None,
            kept: Vec::new(),
            aside: false,
            exceptions: 0,
            cancel: false,
            nodes: BTreeMap::new(),
            signals: Vec::new(),
            signal_ids: BTreeSet::new(),
            serial: 0,
            unreadable: false,
        }
    }

    /// The version it is pinned to, or is just being pinned to.
    pub(super) fn version_in(&self, entries: &[Result<Entry, String>]) -> Option<u32> {
        self.version.or_else(|| match entries.first() {
            Some(Ok(Entry::Started(started))) => Some(started.version),
            _ => None,
        })
    }

    /// Whether anything but answers to nobody ever came to it.
    pub(super) fn is_saga(&self) -> bool {
        self.began.is_some() || self.parked || self.unreadable
    }

    /// The nodes that are open.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter(|(_, node)| node.open()).map(|(path, _)| path.as_str())
    }

    /// Takes a commit of the instance.
    pub(super) fn take(&mut self, entries: Vec<Result<Entry, String>>, turn: &mut Turn<'_>) {
        if self.unreadable {
            return;
        }
        self.set_aside_by_the_engine(entries.is_empty(), turn);
        let awaited = self.ends_an_attempt(turn.at);
        for entry in entries {
            match entry {
                Ok(entry) => self.entry(entry, turn),
                Err(why) => {
                    self.unreadable = true;
                    return turn.find(Rule::Readable, why, "an entry of a journal of schema 1");
                }
            }
        }
        self.effects(turn);
        self.marked_as_ended(turn);
        if self.ended.is_none() && !self.parked && self.began.is_some() {
            self.goes_on(awaited, turn);
        }
    }

    /// The attempt that this commit is the end of, when its outcome is awaited.
    fn ends_an_attempt(&self, at: &Effective) -> Option<Intent> {
        let Cause::Activity(run) = &at.commit.cause else { return None };
        let (path, word) = run.key.rsplit_once('/')?;
        let direction = Direction::of(word)?;
        let node = self.nodes.get(path)?;
        let present = node.awaits(direction) && node.tries(direction).is(run.round, run.attempt);
        let (round, attempt) = (run.round, run.attempt);
        present.then(|| Intent { node: path.to_owned(), direction, round, attempt })
    }

    fn entry(&mut self, entry: Entry, turn: &mut Turn<'_>) {
        self.may_come(&entry, turn);
        match entry {
            Entry::Started(started) => self.started(&started, turn),
            Entry::Completed {} => self.completed(turn),
            Entry::Compensated { exceptions } => self.compensated(exceptions, turn),
            Entry::Killed { standing } => self.killed(&standing, turn),
            Entry::StepAsked(asked) => self.asked(*asked, turn),
            Entry::StepDone { node, round, undo } => self.done(&node, round, undo, turn),
            Entry::PivotPassed { node, round } => self.passed(&node, round, turn),
            Entry::StepRefused { node, round } => self.refused(&node, round, turn),
            Entry::StepUnknown { node, .. } => self.unknown(&node, turn),
            Entry::AttemptFailed(failed) => self.failed(&failed, turn),
            Entry::InDoubt { node } => self.in_doubt(&node, turn),
            Entry::Blocked { node } => self.blocked(&node, turn),
            Entry::Skipped { node, why } => self.skipped(&node, why, turn),
            Entry::WaitBegan { node, signal, timer } => self.wait_began(&node, signal, timer, turn),
            Entry::Signalled { name, id } => self.signalled(name, id, turn),
            Entry::WaitDone { node, id } => self.wait_done(&node, id.as_deref(), turn),
            Entry::TimedOut { node, then } => self.timed_out(&node, then, turn),
            Entry::UndoBegan {} => self.turns_back(turn),
            Entry::Draining { node, timer } => self.draining(&node, timer, turn),
            Entry::UndoAsked { node, round, attempt, at } => {
                self.undo_asked(&node, (round, attempt), at, turn)
            }
            Entry::Undone { node, round } => self.undone(&node, round, turn),
            Entry::UndoStuck { node } => self.undo_stuck(&node, turn),
            Entry::Stuck { .. } => self.says_stuck(turn),
            Entry::LateReply { re, class } => self.late(&re, &class, turn),
            Entry::Parked { input } => {
                self.parked = true;
                self.kept.push(input);
            }
            Entry::Kept { input } => self.keeps(input, turn),
            Entry::Intervened { verb, node } => self.intervened(verb, node, turn),
            Entry::Awaited { node, direction, timer } => self.awaited(&node, direction, timer, turn),
            Entry::Leaked { node } => self.leaked(&node, turn),
            Entry::SettleAsked(asked) => self.settle_asked(&asked, turn),
            Entry::NotKnown { node } => self.not_known(&node, turn),
            Entry::Paused { at, left } => self.pauses(at, left, turn),
            Entry::Resumed { at, timers } => self.resumes(at, &timers, turn),
            Entry::Unparked {} => self.unparks(turn),
            Entry::CancelAsked {} => self.cancel = true,
            Entry::CancelTooLate {} | Entry::DeadlinePassed {} => {}
        }
    }

    /// S8: nothing precedes the start. S1: nothing follows the end.
    fn may_come(&mut self, entry: &Entry, turn: &mut Turn<'_>) {
        let kept = matches!(entry, Entry::Parked { .. } | Entry::Kept { .. });
        let late = matches!(entry, Entry::LateReply { .. });
        if self.ended.is_some() && !late {
            turn.find(Rule::Ends, "an entry after its end", "late answers only");
        }
        self.stands_still(entry, turn);
        let killed = matches!(entry, Entry::Killed { .. } | Entry::Unparked {}) && self.parked;
        if self.began.is_none() && !kept && !late && !killed && !matches!(entry, Entry::Started(_)) {
            turn.find(Rule::Start, "an entry before its start", "saga.started first");
        }
        // What the engine set aside goes on without an entry that says so.
        if !kept && !late && !matches!(entry, Entry::Unparked {}) {
            self.parked = false;
        }
    }

    fn started(&mut self, started: &Started, turn: &mut Turn<'_>) {
        if self.began.is_some() {
            turn.find(Rule::Start, "started again", "one start");
        } else {
            turn.report.counts.sagas += 1;
        }
        if started.definition != self.kind {
            let found = format!("an instance of {}", started.definition);
            turn.find(Rule::Start, found, format!("of {}, its kind", self.kind));
        }
        (self.began, self.version) = (Some(turn.time()), Some(started.version));
        if let Some(deadline) = started.deadline {
            self.sets(None, deadline, turn);
        }
    }

    /// A timer is recorded. Its serial rises; that it is set is checked when the commit was read.
    pub(super) fn sets(&mut self, node: Option<&str>, timer: Timer, turn: &mut Turn<'_>) {
        if timer.serial <= self.serial {
            let found = format!("a timer of serial {}", timer.serial);
            turn.find(Rule::Retries, found, format!("above {}", self.serial));
        }
        self.serial = self.serial.max(timer.serial);
        turn.timers.push((node.map(str::to_owned), timer));
    }

    /// The node of an entry; what the commit recorded of its timer before is overtaken.
    pub(super) fn node(&mut self, path: &str, turn: &mut Turn<'_>) -> &mut Node {
        turn.timers.retain(|(node, _)| node.as_deref() != Some(path));
        self.nodes.entry(path.to_owned()).or_default()
    }
}
