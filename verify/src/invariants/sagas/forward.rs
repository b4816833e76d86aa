//! The way forward: asks and what became of them. S2: each node is done once, by an answer. S6: nothing is asked after
//! the saga turned back. S9: rounds and attempts. S10: the times of retries.

use super::{
    Turn,
    effects::Intent,
    instance::{Course, Instance},
    node::{Back, Forward, Node},
};
use crate::{
    invariants::channels::Says,
    journal::{AttemptFailed, Direction, Kept, Plan, SkippedBy, StepAsked, To, Verb},
    record::Cause,
    report::Rule,
};

impl Instance {
    pub(super) fn asked(&mut self, asked: StepAsked, turn: &mut Turn<'_>) {
        let path = asked.node.as_str();
        self.only_forward(path, "asked", turn);
        let now = turn.time();
        if self.node(path, turn).asks.tried() {
            self.asked_again(&asked, turn);
        } else {
            self.opens(path, turn);
            if asked.to.is_none() {
                turn.find(
                    Rule::Target,
                    format!("{path} is asked of nobody"),
                    "whom it is for, on the first ask",
                );
            }
            if let Some(at) = asked.at.filter(|at| *at != now) {
                turn.find(Rule::Retries, format!("{path} is first asked at {at}"), format!("at {now}"));
            }
        }
        let node = self.node(path, turn);
        let (round, attempt) = (asked.round, asked.attempt);
        let tried = node.asks.ask(round, attempt, now);
        node.forward = Forward::Asked;
        node.pivot |= asked.pivot;
        if asked.to.is_some() {
            (node.to, node.request, node.undo) = (asked.to, asked.request, asked.undo);
        }
        let entity_again = node.is_entity() && attempt != 1;
        if let Err((rule, expected)) = tried {
            turn.find(rule, format!("{path} asked, round {round}, attempt {attempt}"), expected);
        } else if entity_again {
            let found = format!("attempt {attempt} of round {round} of {path}, an entity's");
            turn.find(Rule::Effects, found, "one message a round");
        }
        if let Some(timer) = asked.timer {
            self.sets(Some(path), timer, turn);
        }
        turn.intents.push(Intent { node: asked.node, direction: Direction::Do, round, attempt });
    }

    /// A further ask repeats nothing, or the same.
    fn asked_again(&mut self, asked: &StepAsked, turn: &mut Turn<'_>) {
        let path = &asked.node;
        let node = self.node(path, turn);
        let same_target = asked.to.is_none() || asked.to == node.to;
        let bytes = |raw: &Option<Box<serde_json::value::RawValue>>| raw.as_ref().map(|r| r.get().to_owned());
        let same_bytes = asked.request.is_none() || bytes(&asked.request) == bytes(&node.request);
        if !same_target {
            turn.find(Rule::Target, format!("{path} is asked of another"), "the target of its first ask");
        }
        if !same_bytes {
            turn.find(Rule::Effects, format!("another request of {path}"), "the bytes of its first ask");
        }
    }

    pub(super) fn done(&mut self, path: &str, round: u32, undo: Option<Plan>, turn: &mut Turn<'_>) {
        if self.node(path, turn).pivot {
            turn.find(Rule::Pivot, format!("the pivot {path} done as a step"), "saga.pivot_passed");
        }
        self.closes_done(path, round, undo, turn);
    }

    fn closes_done(&mut self, path: &str, round: u32, undo: Option<Plan>, turn: &mut Turn<'_>) {
        self.answered(path, round, "done", turn);
        let node = self.node(path, turn);
        let said = turn.by_person(Verb::MarkDone, path);
        let settled =
            [Direction::Probe, Direction::Void].map(|way| took(node, path, way, round, turn).is_some());
        if node.asks.tried() && !said && !(node.pivot && settled.contains(&true)) {
            match took(node, path, Direction::Do, round, turn) {
                Some(By::Message) => turn.takes(path, Direction::Do, round, Says::Done),
                Some(By::Attempt | By::Kept) => {}
                None => {
                    turn.find(Rule::Net, format!("{path} done without an answer"), "its answer as the cause");
                }
            }
        }
        let node = self.node(path, turn);
        node.undo = undo.or_else(|| node.undo.take());
        node.forward = Forward::Done;
        closes(path, turn);
    }

    pub(super) fn passed(&mut self, path: &str, round: u32, turn: &mut Turn<'_>) {
        if self.course != Course::Forward {
            let found = format!("pivot {path} passed, {}", self.course.word());
            turn.find(Rule::Pivot, found, "one pivot, passed on the way forward");
        }
        if !self.node(path, turn).pivot {
            turn.find(Rule::Pivot, format!("{path} passed as the pivot"), "a node asked as the pivot");
        }
        self.closes_done(path, round, None, turn);
        self.course = Course::Passed;
    }

    pub(super) fn refused(&mut self, path: &str, round: u32, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        if node.forward == Forward::Idle {
            // What cannot be built is never sent: refused before it was asked.
            self.opens(path, turn);
        } else if matches!(node.forward, Forward::Paused | Forward::Spent) {
            if node.asks.unsure && node.undo.is_some() {
                let found = format!("{path} taken for refused after an attempt that may have happened");
                turn.find(Rule::UndoSet, found, "unknown: it is undone with the others");
            }
        } else {
            let node = self.node(path, turn);
            let in_doubt = node.pivot && matches!(node.forward, Forward::InDoubt | Forward::Settling);
            self.answered(path, round, "refused", turn);
            if in_doubt {
                self.refused_in_doubt(path, round, turn);
            } else {
                self.refused_by_answer(path, round, turn);
            }
        }
        self.node(path, turn).forward = Forward::Refused;
    }

    /// What may have to be undone leaves the set by a definite no only. (A read may be given up by its timeout.)
    fn refused_by_answer(&mut self, path: &str, round: u32, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let has_undo = node.undo.is_some();
        match took(node, path, Direction::Do, round, turn) {
            Some(By::Message) => turn.takes(path, Direction::Do, round, Says::Refused),
            None if has_undo => {
                let found = format!("{path} taken for refused without an answer");
                turn.find(Rule::UndoSet, found, "its answer as the cause, or unknown");
            }
            _ => {}
        }
    }

    /// An outcome of an ask that is open, of its present round, before its undo was asked.
    fn answered(&mut self, path: &str, round: u32, word: &str, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let (forward, back, present) = (node.forward, node.back, node.asks.round);
        if back != Back::Idle {
            let found = format!("{path} {word} after its undo was asked");
            return turn.find(Rule::UndoSet, found, "a late answer, from which nothing follows");
        }
        if !matches!(
            forward,
            Forward::Asked | Forward::Unknown | Forward::InDoubt | Forward::Blocked | Forward::Settling
        ) {
            let found = format!("{path} {word} while it is {forward:?}");
            turn.find(Rule::Net, found, "one outcome of a node that was asked");
        } else if round != present {
            let found = format!("{path} {word} in round {round}");
            turn.find(Rule::Effects, found, format!("round {present}, the present one"));
        }
    }

    pub(super) fn unknown(&mut self, path: &str, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let open = matches!(node.forward, Forward::Asked | Forward::Paused | Forward::Spent);
        let forward = std::mem::replace(&mut node.forward, Forward::Unknown);
        if !open {
            let found = format!("{path} unknown while it is {forward:?}");
            turn.find(Rule::Net, found, "one outcome of a node that was asked");
        }
    }

    pub(super) fn failed(&mut self, failed: &AttemptFailed, turn: &mut Turn<'_>) {
        let AttemptFailed { node: path, direction, round, attempt, how, timer } = failed;
        let said = turn.by_person(Verb::MarkNotDone, path);
        let node = self.node(path, turn);
        let tries = node.tries_mut(*direction);
        let known = tries.tried() && (tries.fail((*round, *attempt), *how, timer.map(|t| t.due)) || said);
        match direction {
            Direction::Probe | Direction::Void if timer.is_some() => node.forward = Forward::Settling,
            Direction::Probe | Direction::Void => node.forward = Forward::Spent,
            Direction::Do => node.forward = if timer.is_some() { Forward::Paused } else { Forward::Spent },
            Direction::Undo => node.back = if timer.is_some() { Back::Paused } else { Back::Spent },
        }
        let word = direction.word();
        if !known {
            let found = format!("attempt {attempt} of round {round} of {path}/{word} failed");
            turn.find(Rule::Effects, found, "the attempt that was asked last, once");
        }
        let Some(timer) = timer else { return };
        self.sets(Some(path), *timer, turn);
        if timer.due < turn.time() {
            let found = format!("the next attempt of {path}/{word} is due at {}", timer.due);
            turn.find(Rule::Retries, found, format!("not before {}, when the last failed", turn.time()));
        }
        if *direction == Direction::Do && self.course == Course::Back {
            let found = format!("a further attempt of {path} planned after the saga turned back");
            turn.find(Rule::Forward, found, "none");
        }
    }

    pub(super) fn in_doubt(&mut self, path: &str, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let open = node.in_flight() && node.pivot;
        node.forward = Forward::InDoubt;
        if !open {
            turn.find(Rule::Net, format!("{path} in doubt"), "a pivot whose outcome is open");
        }
    }

    pub(super) fn blocked(&mut self, path: &str, turn: &mut Turn<'_>) {
        if self.node(path, turn).forward == Forward::Idle {
            self.opens(path, turn);
        }
        self.node(path, turn).forward = Forward::Blocked;
    }

    pub(super) fn skipped(&mut self, path: &str, why: SkippedBy, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let (idle, in_flight, set) = (node.forward == Forward::Idle, node.in_flight(), node.to_be_undone());
        match why {
            SkippedBy::Person => return self.skipped_by_person(path, turn),
            SkippedBy::When if idle => self.opens(path, turn),
            SkippedBy::When => {
                turn.find(Rule::Net, format!("{path} left out after it began"), "a node that has not begun");
            }
            SkippedBy::Undo if set => {
                turn.find(Rule::UndoSet, format!("{path} left out by the undo"), "it is undone");
            }
            SkippedBy::Undo if self.course != Course::Back || !in_flight => {
                let found = format!("{path} left out by the undo");
                turn.find(Rule::Net, found, "an open node of a saga that turned back");
            }
            SkippedBy::Undo => {}
        }
        self.node(path, turn).forward = Forward::Skipped;
    }

    /// S6.
    pub(super) fn only_forward(&mut self, path: &str, word: &str, turn: &mut Turn<'_>) {
        if self.course == Course::Back {
            turn.find(Rule::Forward, format!("{path} {word} after the saga turned back"), "nothing forward");
        }
    }
}

/// A node is closed; what opens in this commit follows it. (What opened in this very commit was opened by another.)
pub(super) fn closes(path: &str, turn: &mut Turn<'_>) {
    if !turn.opened.contains(path) {
        turn.closer = Some(path.to_owned());
    }
}

/// How an answer comes.
pub(super) enum By {
    /// By a channel, where both ends are compared.
    Message,
    /// From an attempt of an activity.
    Attempt,
    /// It was kept, and is taken now.
    Kept,
}

/// How the answer to an ask came, when this commit is the effect of one.
pub(super) fn took(node: &Node, path: &str, direction: Direction, round: u32, turn: &Turn<'_>) -> Option<By> {
    let attempt = node.tries(direction).attempt;
    let key = format!("{path}/{}", direction.word());
    let kept = |kept: &Kept| match kept {
        Kept::Reply { re } => *re == format!("{key}/{round}"),
        Kept::Attempt { key: of, round: r, attempt: a } => (of, *r, *a) == (&key, round, attempt),
        Kept::Message { .. } | Kept::Timer { .. } => false,
    };
    if turn.kept.iter().any(kept) {
        return Some(By::Kept);
    }
    match (&node.to, &turn.at.commit.cause) {
        (Some(To::Entity(_)), Cause::Channel { .. }) => Some(By::Message),
        (Some(To::Activity(_)), Cause::Activity(run)) => {
            (run.round == round && run.attempt == attempt && run.key == key).then_some(By::Attempt)
        }
        _ => None,
    }
}
