//! S4: the order of nodes. A node begins when all it follows is closed; its undo is asked when nothing stands that
//! followed it (U2), and not before its own ask has an outcome (U4).
//!
//! Who follows whom is in the caller's graph. A journal does not list it, but proves a part: a commit is the effect of one
//! input, so what opens in the commit that closes a node was not ready before and follows that node, directly or through
//! others. Of a sequence this is all there is to know; of nodes that join branches it names the branch that closed last.

use super::{Turn, instance::Instance, node::Forward};
use crate::{journal::Verb, report::Rule};

impl Instance {
    /// A node begins.
    pub(super) fn opens(&mut self, path: &str, turn: &mut Turn<'_>) {
        let node = self.node(path, turn);
        let forward = node.forward;
        node.opened_by.clone_from(&turn.closer);
        if forward != Forward::Idle && !turn.by_person(Verb::Retry, path) {
            turn.find(Rule::Net, format!("{path} begins while it is {forward:?}"), "one beginning");
        }
        turn.opened.insert(path.to_owned());
        let Some(graph) = turn.graph else { return };
        let Some(after) = graph.after(path) else {
            return turn.find(Rule::Order, format!("a node {path}"), "a node of its definition");
        };
        for before in after {
            if !self.nodes.get(before).is_some_and(super::node::Node::closed) {
                turn.find(Rule::Order, format!("{path} begins"), format!("{before} closed before it"));
            }
        }
    }

    /// The undo of a node is asked.
    pub(super) fn undone_in_order(&self, path: &str, turn: &mut Turn<'_>) {
        if self.nodes.get(path).is_some_and(super::node::Node::in_flight) {
            let found = format!("the undo of {path} asked while {path} is in flight");
            turn.find(Rule::Order, found, "its outcome first, known or unknown");
        }
        for (other, node) in &self.nodes {
            let follows = turn.graph.is_some_and(|graph| graph.follows(other, path));
            if node.stands() && (follows || self.opened_after(other, path)) {
                let found = format!("the undo of {path} asked while {other} stands");
                turn.find(Rule::Order, found, format!("nothing of {other}, which followed it"));
            }
        }
    }

    /// Whether the journal proves that a node followed another.
    fn opened_after(&self, path: &str, before: &str) -> bool {
        let opener = |path: &str| self.nodes.get(path).and_then(|node| node.opened_by.as_deref());
        // Each step goes to a node that closed in an earlier commit; the bound is for journals that lie.
        let chain = std::iter::successors(opener(path), |at| opener(at));
        chain.take(self.nodes.len()).any(|at| at == before)
    }
}
