//! Intents against effects: what the journal says is asked is what the commit sends and runs, and nothing else. S5: an
//! entity's ask and undo go to the recorded target. S9: with the recorded bytes, each once. S11: none is forgotten, and
//! each recorded timer is set.

use super::{Turn, instance::Instance, node::Node};
use crate::{
    journal::{Address, Direction, To},
    record::{Message, Run},
    report::Rule,
};

/// An ask or an undo that the journal recorded in this commit.
#[derive(Debug)]
pub(super) struct Intent {
    pub(super) node: String,
    pub(super) direction: Direction,
    pub(super) round: u32,
    pub(super) attempt: u32,
}

impl Intent {
    fn key(&self) -> String {
        format!("{}/{}", self.node, self.direction.word())
    }

    fn re(&self) -> String {
        format!("{}/{}", self.key(), self.round)
    }
}

impl Instance {
    /// Compares the intents of a commit with its effects.
    pub(super) fn effects(&mut self, turn: &mut Turn<'_>) {
        let commit = &turn.at.commit;
        let mine = |m: &Message| m.reply.as_ref().is_some_and(|r| r.kind == self.kind && r.id == self.id);
        // A send that cannot be read is found where the channels are.
        let sends = commit.sends.iter().filter_map(|raw| Message::read(raw).ok());
        let mut sends: Vec<Message> = sends.filter(mine).collect();
        let mut runs: Vec<&Run> = commit.runs.iter().collect();
        for intent in std::mem::take(&mut turn.intents) {
            let Some(node) = self.nodes.get_mut(&intent.node) else { continue };
            node.sent = None;
            match node.to.clone() {
                Some(To::Entity(to)) => sent(node, &to, &intent, &mut sends, turn),
                Some(To::Activity(_)) => runs_it(node, &intent, &mut runs, turn),
                None => {}
            }
        }
        for send in sends {
            let re = send.reply.map(|r| r.re).unwrap_or_default();
            turn.find(Rule::Effects, format!("a message {re}"), "an entry that records it, once");
        }
        for Run { key, round, attempt } in runs {
            let found = format!("attempt {attempt} of round {round} of {key} runs");
            turn.find(Rule::Effects, found, "an entry that records it, once");
        }
        self.timers_are_set(turn);
    }

    /// A timer that is only in the journal never fires.
    fn timers_are_set(&self, turn: &mut Turn<'_>) {
        if self.ended.is_some() {
            return;
        }
        for (node, timer) in std::mem::take(&mut turn.timers) {
            let is_set = turn.at.commit.timers.set.iter().any(|set| {
                (set.serial, set.due) == (timer.serial, timer.due)
                    && node.as_ref().is_none_or(|n| *n == set.node)
            });
            if !is_set {
                let found =
                    format!("timer {} of {} is not set", timer.serial, node.as_deref().unwrap_or("the saga"));
                turn.find(Rule::Wakes, found, format!("set for {}, as recorded", timer.due));
            }
        }
    }
}

fn sent(node: &mut Node, to: &Address, intent: &Intent, sends: &mut Vec<Message>, turn: &mut Turn<'_>) {
    let re = intent.re();
    let Some(at) = sends.iter().position(|m| m.reply.as_ref().is_some_and(|r| r.re == re)) else {
        return turn.find(
            Rule::Wakes,
            format!("{re} is recorded and not sent"),
            "a message in the same commit",
        );
    };
    let message = sends.swap_remove(at);
    node.sent = Some((message.receiver(), turn.at.offset));
    let target = &message.to;
    if (&*target.service, &target.kind, &target.id) != (to.service.as_str(), &to.kind, &to.id)
        || message.name != to.kind
    {
        let found = format!("{re} goes to {}/{}/{}", target.service, target.kind, target.id);
        turn.find(Rule::Target, found, format!("{}/{}/{}, as recorded", to.service, to.kind, to.id));
    }
    let recorded = match intent.direction {
        Direction::Do | Direction::Probe | Direction::Void => node.request.as_deref(),
        Direction::Undo => node.undo.as_ref().map(|plan| &*plan.data),
    };
    if recorded.is_some_and(|data| data.get() != message.data.get()) {
        turn.find(Rule::Effects, format!("{re} says {}", message.data), "the bytes that were recorded");
    }
    if intent.direction == Direction::Undo && node.undo.as_ref().is_some_and(|plan| plan.activity.is_some()) {
        turn.find(
            Rule::Target,
            format!("the undo of {} is an activity", intent.node),
            "a message, as its ask",
        );
    }
}

fn runs_it(node: &Node, intent: &Intent, runs: &mut Vec<&Run>, turn: &mut Turn<'_>) {
    let key = intent.key();
    let this = |run: &&Run| (&run.key, run.round, run.attempt) == (&key, intent.round, intent.attempt);
    match runs.iter().position(this) {
        Some(at) => drop(runs.swap_remove(at)),
        None => {
            let found =
                format!("{key}, round {}, attempt {}, is recorded and not run", intent.round, intent.attempt);
            turn.find(Rule::Wakes, found, "an attempt in the same commit");
        }
    }
    if intent.direction == Direction::Undo && node.undo.as_ref().is_some_and(|plan| plan.activity.is_none()) {
        turn.find(Rule::Target, format!("the undo of {} names no activity", intent.node), "one, as its ask");
    }
}
