//! Waits and timers. S8: a signal comes once and is taken once, the oldest of its name first. S2: a wait ends once, by a
//! signal or by its timer.

use super::{Turn, forward::closes, instance::Instance, node::Forward};
use crate::{
    journal::{Kept, Then, Timer},
    record::Cause,
    report::Rule,
};

impl Instance {
    pub(super) fn wait_began(
        &mut self,
        path: &str,
        signal: Option<String>,
        timer: Timer,
        turn: &mut Turn<'_>,
    ) {
        self.only_forward(path, "waited for", turn);
        self.opens(path, turn);
        let node = self.node(path, turn);
        (node.forward, node.signal) = (Forward::Waiting, signal);
        self.sets(Some(path), timer, turn);
    }

    pub(super) fn signalled(&mut self, name: String, id: String, turn: &mut Turn<'_>) {
        if !self.signal_ids.insert(id.clone()) {
            turn.find(Rule::Start, format!("signal {id} came again"), "one arrival of each id");
        }
        self.signals.push((name, id));
    }

    pub(super) fn wait_done(&mut self, path: &str, id: Option<&str>, turn: &mut Turn<'_>) {
        self.wait_is_open(path, "done", turn);
        match id {
            Some(id) => self.takes_signal(path, id, turn),
            None => self.timer_fired(path, false, turn),
        }
        self.node(path, turn).forward = Forward::Done;
        closes(path, turn);
    }

    fn takes_signal(&mut self, path: &str, id: &str, turn: &mut Turn<'_>) {
        let Some(at) = self.signals.iter().position(|(_, came)| came == id) else {
            let expected = "a signal that came and was not taken";
            return turn.find(Rule::Start, format!("{path} took signal {id}"), expected);
        };
        let (name, _) = self.signals.remove(at);
        let awaited = self.node(path, turn).signal.clone().unwrap_or_else(|| "none".into());
        if name != awaited {
            turn.find(Rule::Start, format!("{path} took signal {id}, {name}"), format!("signal {awaited}"));
        }
        if let Some((_, older)) = self.signals.iter().take(at).find(|(other, _)| *other == name) {
            turn.find(
                Rule::Start,
                format!("{path} took signal {id}"),
                format!("{older}, the oldest of {name}"),
            );
        }
    }

    pub(super) fn timed_out(&mut self, path: &str, then: Then, turn: &mut Turn<'_>) {
        self.wait_is_open(path, "timed out", turn);
        self.timer_fired(path, true, turn);
        self.node(path, turn).forward = match then {
            Then::Undo => Forward::Refused,
            Then::GoOn => Forward::Skipped,
            Then::Block => Forward::Blocked,
        };
        if then == Then::GoOn {
            closes(path, turn);
        }
    }

    fn wait_is_open(&mut self, path: &str, word: &str, turn: &mut Turn<'_>) {
        let forward = self.node(path, turn).forward;
        if forward != Forward::Waiting {
            turn.find(Rule::Net, format!("{path} {word} while it is {forward:?}"), "an open wait");
        }
    }

    /// A timer ends by firing; a wait that was for a signal then times out.
    fn timer_fired(&mut self, path: &str, for_signal: bool, turn: &mut Turn<'_>) {
        let kept = turn.kept.iter().any(|kept| matches!(kept, Kept::Timer { node, .. } if node == path));
        if !kept && !matches!(&turn.at.commit.cause, Cause::Timer { node, .. } if node == path) {
            turn.find(Rule::Net, format!("{path} over without its timer"), "its timer as the cause");
        }
        if self.node(path, turn).signal.is_some() != for_signal {
            let found = if for_signal { "timed out, a timer" } else { "done, a wait without its signal" };
            turn.find(Rule::Net, format!("{path} {found}"), "a timer done, or a wait timed out");
        }
    }
}
