//! S11: no wake-up is lost. After each commit a live saga awaits an answer, a timer or a signal, or says that it is stuck;
//! what failed was followed by something; an attempt that ended left an entry. At the end of the log, what an entity was
//! asked is under way, or its answer is.

use super::{
    Turn,
    effects::Intent,
    instance::{Course, Instance},
    node::{Back, Forward},
};
use crate::{
    invariants::{Channels, Logs},
    journal::{Direction, Kept, To},
    report::Rule,
};

impl Instance {
    pub(super) fn says_stuck(&mut self, turn: &mut Turn<'_>) {
        self.stuck = true;
        if let Some((path, _)) = self.nodes.iter().find(|(_, node)| node.moving()) {
            turn.find(
                Rule::Wakes,
                format!("stuck, and {path} moves"),
                "nothing that can move without a person",
            );
        }
    }

    /// An answer nobody waits for must not be one that somebody waits for.
    pub(super) fn late(&mut self, re: &str, class: &str, turn: &mut Turn<'_>) {
        if class == "leak" {
            turn.report.counts.leaks += 1;
        }
        let mut parts = re.rsplitn(3, '/');
        let (round, word, path) = (parts.next(), parts.next(), parts.next());
        let Some(direction) = word.and_then(Direction::of) else { return };
        let Some(Ok(round)) = round.map(str::parse::<u32>) else { return };
        self.leaks_of(path.unwrap_or_default(), class, turn);
        let Some(node) = path.and_then(|p| self.nodes.get(p)) else { return };
        // Of an activity the attempt counts, which the entry does not name; the commit's cause does.
        if node.is_entity() && node.awaits(direction) && node.tries(direction).round == round {
            turn.find(
                Rule::Wakes,
                format!("the answer {re}, which is awaited, taken for late"),
                "its outcome",
            );
        }
    }

    /// Whether the outcome of an attempt waits for the end of a pause.
    fn is_kept(&self, path: &str, direction: Direction, round: u32, attempt: u32) -> bool {
        let key = format!("{path}/{}", direction.word());
        self.paused.is_some() && self.kept.contains(&Kept::Attempt { key, round, attempt })
    }

    /// What leaked is undone in a new round while the saga lives.
    fn leaks_of(&mut self, path: &str, class: &str, turn: &Turn<'_>) {
        let now = turn.time();
        if let Some(node) = self.nodes.get_mut(path).filter(|_| class == "leak") {
            node.leaked = true;
            node.undo_since = None;
            node.undos.renew(now, true);
        }
    }

    /// After a commit of a live instance.
    pub(super) fn goes_on(&mut self, awaited: Option<Intent>, turn: &mut Turn<'_>) {
        if let Some(Intent { node: path, direction, round, attempt }) = awaited
            && let Some(node) = self.nodes.get(&path)
            && node.awaits(direction)
            && node.tries(direction).is(round, attempt)
            && !self.is_kept(&path, direction, round, attempt)
        {
            let found = format!("the attempt of {path}/{} ended, and no entry says how", direction.word());
            turn.find(Rule::Wakes, found, "its outcome");
        }
        let mut moving = false;
        for (path, node) in &self.nodes {
            moving |= node.moving();
            if node.leaked && node.back == Back::Undone && self.paused.is_none() {
                let found = format!("{path} was done after it was undone, and nothing follows");
                turn.find(Rule::Wakes, found, "a new round of its undo");
            }
            let given_up = node.forward == Forward::Spent || node.back == Back::Spent;
            let turned =
                self.course == Course::Forward && matches!(node.forward, Forward::Refused | Forward::Unknown);
            if given_up {
                turn.find(Rule::Wakes, format!("{path} is given up, and nothing follows"), "its outcome");
            } else if turned {
                let found = format!("{path} is {:?}, and nothing follows", node.forward);
                turn.find(Rule::Wakes, found, "the saga turns back");
            }
        }
        if moving {
            self.stuck = false;
        } else if !self.stuck {
            turn.find(
                Rule::Wakes,
                "nothing is awaited",
                "an answer, a timer, a signal, an end, or saga.stuck",
            );
        }
    }

    /// A node that was asked of an entity, though neither the ask nor its answer is under way; and the record that asked.
    pub(super) fn waits_in_vain(&self, channels: &Channels, logs: &Logs<'_>) -> Option<(&str, u64)> {
        if self.parked || !logs.whole(&self.at) {
            return None;
        }
        self.nodes.iter().find_map(|(path, node)| {
            let awaits = node.awaits(Direction::Do) || node.awaits(Direction::Undo);
            let (Some(To::Entity(to)), Some((peer, offset)), true) = (&node.to, &node.sent, awaits) else {
                return None;
            };
            let silent = channels.silent(&self.at, peer, &format!("{}/{}", to.kind, to.id));
            (logs.whole(peer) && silent).then_some((path.as_str(), *offset))
        })
    }
}
