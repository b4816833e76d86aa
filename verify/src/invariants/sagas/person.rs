//! What persons do. S12: a verb is named before what follows from it, where it has a meaning; a paused saga stands still,
//! its timers run on for what was left of them, and what was kept is taken when it goes on.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Turn,
    instance::{Course, Instance},
    node::{Back, Forward},
};
use crate::{
    journal::{Direction, Entry, Kept, Left, NodeTimer, Timer, Verb},
    record::Outcome,
    report::Rule,
};

/// What the saga's deadline is called among its timers.
const DEADLINE: &str = "@deadline";

/// An input as the engine stores it.
#[derive(Deserialize)]
struct Stored {
    re: Option<String>,
    node: Option<String>,
    serial: Option<u64>,
    key: Option<String>,
    round: Option<u32>,
    attempt: Option<u32>,
    #[serde(rename = "type")]
    name: Option<String>,
}

impl Stored {
    fn read(raw: &RawValue) -> Option<Kept> {
        match serde_json::from_str(raw.get()).ok()? {
            Self { re: Some(re), .. } => Some(Kept::Reply { re }),
            Self { key: Some(key), round: Some(round), attempt: Some(attempt), .. } => {
                Some(Kept::Attempt { key, round, attempt })
            }
            Self { node: Some(node), serial: Some(serial), .. } => Some(Kept::Timer { node, serial }),
            Self { name, .. } => Some(Kept::Message { name: name? }),
        }
    }
}

impl Instance {
    pub(super) fn intervened(&mut self, verb: Verb, path: String, turn: &mut Turn<'_>) {
        let now = turn.time();
        let node = self.node(&path, turn);
        let (forward, back) = (node.forward, node.back);
        let stuck = back == Back::Stuck;
        let open = matches!(forward, Forward::Blocked | Forward::InDoubt);
        let fits = match verb {
            Verb::Retry => stuck || back == Back::Paused || open || forward == Forward::Paused,
            Verb::Skip => stuck || forward == Forward::Blocked,
            Verb::MarkDone | Verb::MarkNotDone => stuck || open,
            Verb::UndoAgain => node.leaked,
        };
        let refused = verb == Verb::MarkNotDone && (stuck || forward == Forward::Blocked);
        if matches!(back, Back::Stuck | Back::Paused | Back::Undone) {
            node.undo_since = None;
            node.undos.renew(now, refused);
        } else {
            node.asks.renew(now, refused);
        }
        if matches!(verb, Verb::Skip | Verb::MarkDone) {
            self.exceptions = self.exceptions.saturating_add(1);
        }
        if !fits {
            let found = format!("{verb:?} of {path}, which is {forward:?} and back {back:?}");
            turn.find(Rule::Person, found, "a node that needs a person, or waits for its next attempt");
        }
        turn.verb = Some((verb, path));
    }

    /// Nothing is sent again to an entity that has the message and has not refused it.
    pub(super) fn awaited(
        &mut self,
        path: &str,
        direction: Direction,
        timer: Option<Timer>,
        turn: &mut Turn<'_>,
    ) {
        let retried = turn.by_person(Verb::Retry, path);
        let node = self.node(path, turn);
        let entity = node.is_entity();
        node.tries_mut(direction).reopen();
        match direction {
            Direction::Undo => node.back = Back::Asked,
            _ => node.forward = Forward::Asked,
        }
        if !retried || !entity {
            turn.find(Rule::Person, format!("{path} awaited again"), "the retry of what an entity was asked");
        }
        if let Some(timer) = timer {
            self.sets(Some(path), timer, turn);
        }
    }

    /// A pivot is taken for not done on a person's word alone.
    pub(super) fn leaked(&mut self, path: &str, turn: &mut Turn<'_>) {
        let said = turn.by_person(Verb::MarkNotDone, path);
        let node = self.node(path, turn);
        let in_doubt = node.forward == Forward::InDoubt;
        node.leaked = true;
        self.exceptions = self.exceptions.saturating_add(1);
        if !said || !in_doubt {
            turn.find(Rule::Person, format!("{path} leaked"), "a pivot in doubt, marked as not done");
        }
    }

    /// Whether something may stand that nobody takes back.
    pub(super) fn leaks(&self) -> bool {
        self.nodes.values().any(|node| node.leaked)
    }

    pub(super) fn pauses(&mut self, at: i64, left: Vec<Left>, turn: &mut Turn<'_>) {
        if at != turn.time() {
            turn.find(Rule::Person, format!("paused at {at}"), "at the time of its commit");
        }
        if !turn.at.commit.timers.set.is_empty() {
            turn.find(Rule::Person, "a timer set by a pause", "none that runs");
        }
        self.paused = Some((at, left));
    }

    /// While it stands still nothing is asked, and no outcome counts.
    pub(super) fn stands_still(&mut self, entry: &Entry, turn: &mut Turn<'_>) {
        let may = matches!(
            entry,
            Entry::Kept { .. }
                | Entry::Signalled { .. }
                | Entry::CancelAsked {}
                | Entry::Resumed { .. }
                | Entry::Killed { .. }
                | Entry::Parked { .. }
                | Entry::Unparked {}
        );
        if self.paused.is_some() && !may {
            turn.find(Rule::Person, "an entry during a pause", "nothing but what is kept until its end");
        }
        if self.paused.is_none() && matches!(entry, Entry::Resumed { .. }) {
            turn.find(Rule::Person, "resumed", "a pause before it");
        }
    }

    pub(super) fn resumes(&mut self, at: i64, timers: &[NodeTimer], turn: &mut Turn<'_>) {
        let Some((since, left)) = self.paused.take() else { return };
        let stood = at.saturating_sub(since);
        for node in self.nodes.values_mut() {
            node.undo_since = node.undo_since.map(|at| at.saturating_add(stood));
        }
        let due = |left: &Left| at.saturating_add(i64::try_from(left.micros).unwrap_or(i64::MAX));
        let expected: Vec<_> = left.iter().map(|left| (left.node.as_str(), due(left))).collect();
        let found: Vec<_> = timers.iter().map(|t| (t.node.as_str(), t.timer.due)).collect();
        if found != expected || at != turn.time() {
            turn.find(
                Rule::Person,
                format!("resumed with {found:?}"),
                format!("{expected:?}, what was left"),
            );
        }
        for NodeTimer { node: path, timer } in timers {
            if path == DEADLINE {
                self.sets(None, *timer, turn);
                continue;
            }
            let node = self.node(path, turn);
            for direction in [Direction::Do, Direction::Undo, Direction::Probe, Direction::Void] {
                node.tries_mut(direction).moved(timer.due);
            }
            self.sets(Some(path), *timer, turn);
        }
        turn.kept = std::mem::take(&mut self.kept);
    }

    pub(super) fn unparks(&mut self, turn: &mut Turn<'_>) {
        if !self.parked {
            turn.find(Rule::Person, "unparked", "an instance that is parked");
        }
        self.parked = false;
        turn.kept = std::mem::take(&mut self.kept);
    }

    /// Only a parked instance keeps everything; a paused one keeps answers.
    pub(super) fn keeps(&mut self, input: Kept, turn: &mut Turn<'_>) {
        let answer = matches!(input, Kept::Reply { .. } | Kept::Attempt { .. });
        if self.paused.is_none() {
            self.parked = true;
        } else if !self.parked && !answer {
            turn.find(Rule::Person, "kept during a pause", "an answer");
        }
        self.kept.push(input);
    }

    /// The engine sets an instance aside that cannot take an input: then there is no entry, and the input is stored. The
    /// first commit that is not stored again takes all of them.
    pub(super) fn set_aside_by_the_engine(&mut self, silent: bool, turn: &mut Turn<'_>) {
        let commit = &turn.at.commit;
        let parked = commit.outcome == Outcome::Parked;
        self.parked |= parked;
        if parked && silent {
            self.aside = true;
            let stored = commit.parked.as_ref().and_then(|raw| Stored::read(raw));
            self.kept.extend(stored);
        } else if self.aside && !parked {
            (self.aside, self.parked) = (false, false);
            turn.kept = std::mem::take(&mut self.kept);
        }
    }

    /// A node whose undo a person left out, or which they left out themselves.
    pub(super) fn skipped_by_person(&mut self, path: &str, turn: &mut Turn<'_>) {
        let said = turn.by_person(Verb::Skip, path);
        let course = self.course;
        let node = self.node(path, turn);
        let blocked = node.forward == Forward::Blocked;
        if node.back == Back::Stuck {
            node.back = Back::LeftOut;
        } else {
            node.forward = Forward::Skipped;
        }
        if !said || (!blocked && course != Course::Back) {
            turn.find(Rule::Person, format!("{path} left out"), "a person who does so");
        }
    }
}
