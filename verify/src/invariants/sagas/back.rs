//! The way back. S3: what is undone. S7: no way back after the pivot. S2: each undo is done once, by an answer.

use super::{
    Turn,
    effects::Intent,
    forward::{By, took},
    instance::{Course, Instance},
    node::{Back, Forward},
};
use crate::{
    invariants::channels::Says,
    journal::{Direction, Timer, Verb},
    report::Rule,
};

impl Course {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Forward => "before its pivot",
            Self::Passed => "after its pivot",
            Self::Back => "after it turned back",
        }
    }
}

impl Instance {
    pub(super) fn turns_back(&mut self, turn: &mut Turn<'_>) {
        match self.course {
            Course::Forward => {}
            Course::Passed => turn.find(Rule::Pivot, "turns back after its pivot", "it is completed"),
            Course::Back => turn.find(Rule::Forward, "turns back again", "one turn"),
        }
        for (path, node) in &self.nodes {
            if node.forward == Forward::InDoubt || (node.pivot && node.in_flight()) {
                let found = format!("turns back while the pivot {path} may have happened");
                turn.find(Rule::Pivot, found, "its refusal");
            }
        }
        // The deadline's timer is dropped.
        turn.timers.retain(|(node, _)| node.is_some());
        self.course = Course::Back;
    }

    pub(super) fn draining(&mut self, path: &str, timer: Timer, turn: &mut Turn<'_>) {
        if self.node(path, turn).forward != Forward::Asked || self.course != Course::Back {
            turn.find(Rule::Net, format!("{path} drains"), "an activity in flight when the saga turned back");
        }
        self.sets(Some(path), timer, turn);
    }

    pub(super) fn undo_asked(
        &mut self,
        path: &str,
        (round, attempt): (u32, u32),
        at: i64,
        turn: &mut Turn<'_>,
    ) {
        match self.course {
            Course::Back => {}
            Course::Passed => {
                turn.find(Rule::Pivot, format!("the undo of {path} asked"), "none after the pivot")
            }
            Course::Forward => {
                turn.find(
                    Rule::UndoSet,
                    format!("the undo of {path} asked"),
                    "none before the saga turns back",
                );
            }
        }
        let now = turn.time();
        let node = self.node(path, turn);
        let (set, undone, leaked) = (node.to_be_undone(), node.back == Back::Undone, node.leaked);
        let since = *node.undo_since.get_or_insert(now);
        let tried = node.undos.ask(round, attempt, now);
        let entity_again = node.is_entity() && attempt != 1;
        node.back = Back::Asked;
        if !set {
            let found = format!("the undo of {path} asked");
            turn.find(Rule::UndoSet, found, "a node that was asked with an undo and not refused");
        }
        if undone && !leaked {
            turn.find(Rule::Net, format!("the undo of {path} asked after it was undone"), "one undo");
        } else if let Err((rule, expected)) = tried {
            turn.find(rule, format!("the undo of {path} asked, round {round}, attempt {attempt}"), expected);
        } else if entity_again {
            let found = format!("attempt {attempt} of round {round} of the undo of {path}, an entity's");
            turn.find(Rule::Effects, found, "one message a round");
        }
        if at != since {
            let found = format!("the undo of {path} first asked at {at}");
            turn.find(Rule::Retries, found, format!("at {since}"));
        }
        self.undone_in_order(path, turn);
        turn.intents.push(Intent { node: path.to_owned(), direction: Direction::Undo, round, attempt });
    }

    pub(super) fn undone(&mut self, path: &str, round: u32, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let back = std::mem::replace(&mut node.back, Back::Undone);
        node.leaked = false;
        let (present, took) = (node.undos.round, took(node, path, Direction::Undo, round, turn));
        if !matches!(back, Back::Asked | Back::Stuck) {
            let found = format!("{path} undone while its undo is {back:?}");
            return turn.find(Rule::Net, found, "one outcome of an undo that was asked");
        }
        if round != present {
            let found = format!("{path} undone in round {round}");
            turn.find(Rule::Effects, found, format!("round {present}, the present one"));
        }
        match took {
            Some(By::Message) => turn.takes(path, Direction::Undo, round, Says::Done),
            Some(By::Attempt | By::Kept) => {}
            None if turn.by_person(Verb::MarkDone, path) => {}
            None => {
                turn.find(Rule::Net, format!("{path} undone without an answer"), "its answer as the cause")
            }
        }
    }

    pub(super) fn undo_stuck(&mut self, path: &str, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let asked = node.undos.tried();
        node.back = Back::Stuck;
        if !asked {
            turn.find(Rule::Net, format!("the undo of {path} is stuck"), "an undo that was asked");
        }
    }
}
