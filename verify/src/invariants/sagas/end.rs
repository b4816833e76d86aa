//! The end. S1: there is one. S2: what must be closed by then. S3: what must be undone by then, or is named as standing.

use std::collections::BTreeSet;

use super::{
    Turn,
    instance::{Course, End, Instance},
    node::{Back, Node},
};
use crate::report::Rule;

impl Instance {
    pub(super) fn completed(&mut self, turn: &mut Turn<'_>) {
        if self.course == Course::Back {
            turn.find(Rule::Net, "completed after it turned back", "compensated");
        }
        for (path, node) in &self.nodes {
            if !node.closed() {
                turn.find(Rule::Net, format!("completed while {path} is {:?}", node.forward), "all closed");
            }
            if node.back != Back::Idle {
                turn.find(Rule::UndoSet, format!("completed with the undo of {path}"), "nothing undone");
            }
        }
        let missing: Vec<_> = turn.graph.into_iter().flat_map(|graph| graph.nodes()).collect();
        for path in missing.into_iter().filter(|path| !self.nodes.contains_key(*path)) {
            turn.find(Rule::Net, format!("completed without {path}"), "all nodes of its definition");
        }
        self.ended = Some(End::Completed);
    }

    pub(super) fn compensated(&mut self, exceptions: u64, turn: &mut Turn<'_>) {
        if self.course != Course::Back {
            turn.find(Rule::Net, format!("compensated, {}", self.course.word()), "undo_began before it");
        }
        if exceptions != self.exceptions {
            let found = format!("compensated with {exceptions} exceptions");
            turn.find(Rule::Person, found, format!("{}, as persons closed", self.exceptions));
        }
        let standing =
            |node: &Node| node.to_be_undone() && !matches!(node.back, Back::Undone | Back::LeftOut);
        for (path, _) in self.nodes.iter().filter(|(_, node)| standing(node)) {
            turn.find(Rule::UndoSet, format!("compensated while {path} is not undone"), "everything undone");
        }
        for (path, node) in self.nodes.iter().filter(|(_, node)| !standing(node) && node.open()) {
            turn.find(Rule::Net, format!("compensated while {path} is {:?}", node.forward), "nothing open");
        }
        self.ended = Some(End::Compensated);
    }

    pub(super) fn killed(&mut self, standing: &[String], turn: &mut Turn<'_>) {
        let named: BTreeSet<&str> =
            standing.iter().map(|key| key.strip_suffix("/do").unwrap_or(key)).collect();
        for (path, node) in &self.nodes {
            let gone = matches!(node.back, Back::Undone | Back::LeftOut);
            if node.to_be_undone() && !gone && !named.contains(path.as_str()) {
                turn.find(Rule::UndoSet, format!("killed without naming {path}"), "all that stands");
            }
        }
        for path in named {
            let stands = self.nodes.get(path).is_some_and(|node| {
                let gone = node.back == Back::Undone || node.forward == super::node::Forward::Refused;
                node.asks.tried() && (node.leaked || !gone)
            });
            if !stands {
                turn.find(
                    Rule::UndoSet,
                    format!("killed with {path} as standing"),
                    "what was asked and stands",
                );
            }
        }
        self.ended = Some(End::Killed);
    }

    /// The end is in the commit that is marked as the entity's end.
    pub(super) fn marked_as_ended(&self, turn: &mut Turn<'_>) {
        match (self.ended.is_some(), turn.at.commit.ended) {
            (true, false) => {
                turn.find(Rule::Ends, "an end in a commit that is none", "the commit marked ended")
            }
            (false, true) => {
                turn.find(Rule::Ends, "a commit marked ended without an end", "an end in its journal")
            }
            _ => {}
        }
    }
}
