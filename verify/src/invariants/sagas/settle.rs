//! A pivot that may have happened. S7: only an answer, a tombstone at its participant or a person's word leads from doubt
//! to either road.

use super::{
    Turn,
    effects::Intent,
    forward::took,
    instance::Instance,
    node::{Forward, Node},
};
use crate::{
    journal::{Direction, SettleAsked, Verb},
    report::Rule,
};

impl Instance {
    pub(super) fn settle_asked(&mut self, asked: &SettleAsked, turn: &mut Turn<'_>) {
        let SettleAsked { node: path, direction, round, attempt, at } = asked;
        let now = turn.time();
        let told = turn.by_person(Verb::MarkNotDone, path);
        let node = self.node(path, turn);
        let open = node.pivot && (node.in_flight() || node.forward == Forward::InDoubt);
        let demanded = *direction == Direction::Probe || told || node.voids.tried();
        let present = node.asks.round == *round;
        if node.tries(*direction).tried() && told {
            node.tries_mut(*direction).renew(now, false);
        }
        let tried = node.tries_mut(*direction).ask(*round, *attempt, now);
        node.forward = Forward::Settling;
        let word = direction.word();
        if !open || !demanded || !present {
            let found = format!("the {word} of {path} asked");
            turn.find(Rule::Pivot, found, "a pivot that may have happened; a void by a person");
        }
        if let Err((rule, expected)) = tried {
            turn.find(
                rule,
                format!("the {word} of {path} asked, round {round}, attempt {attempt}"),
                expected,
            );
        }
        if *at > now {
            turn.find(Rule::Retries, format!("the {word} of {path} first asked at {at}"), "not after now");
        }
        let (node, direction, round, attempt) = (path.clone(), *direction, *round, *attempt);
        turn.intents.push(Intent { node, direction, round, attempt });
    }

    /// The probe proves nothing: the pivot is in doubt.
    pub(super) fn not_known(&mut self, path: &str, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let answered = took(node, path, Direction::Probe, node.probes.round, turn).is_some();
        let settling = std::mem::replace(&mut self.node(path, turn).forward, Forward::Spent);
        if settling != Forward::Settling || !answered {
            turn.find(Rule::Pivot, format!("{path} not known"), "the answer of its probe");
        }
    }

    /// A pivot that may have happened is taken for refused: by its own answer, by a tombstone, or by a person.
    pub(super) fn refused_in_doubt(&mut self, path: &str, round: u32, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let by_answer =
            [Direction::Do, Direction::Void].map(|way| took(node, path, way, round, turn).is_some());
        let by_person = turn.by_person(Verb::MarkNotDone, path) && node_leaked(self.nodes.get(path));
        if !by_answer.contains(&true) && !by_person {
            let found = format!("{path}, which may have happened, taken for refused");
            turn.find(Rule::Pivot, found, "its refusal, a tombstone, or a person");
        }
    }
}

fn node_leaked(node: Option<&Node>) -> bool {
    node.is_some_and(|node| node.leaked)
}
