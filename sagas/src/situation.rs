//! Where an instance stands, in short: the answer to a verb. A function of its state; it calls no user code.

use std::{fmt, sync::Arc};

use palinode::{Address, Micros, activity::To};
use serde::{Deserialize, Serialize};

use crate::{
    definition::{Class, Definition, NodeId},
    state::{Phase, Settle, State, Status, Tries},
};

/// Where an instance stands after a verb.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Situation {
    /// Where it stands as a whole.
    pub phase: Phase,
    /// Nothing can move without a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stuck: bool,
    /// It stands still until it is resumed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// A cancel waits for the pivot, or for the end of the pause.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_asked: bool,
    /// Nodes closed by a person instead of by an outcome.
    #[serde(default, skip_serializing_if = "zero")]
    pub exceptions: u32,
    /// Where the node stands that the verb was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Status>,
    /// The nodes that are open, and what each of them waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Open>,
}

/// An open node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// Its path.
    pub node: Arc<str>,
    /// Where it stands.
    pub status: Status,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// When it ends without that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Micros>,
}

/// What an open node waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitsFor {
    /// The answer of an entity.
    Entity {
        /// Of this one.
        address: Address,
        /// In this round.
        round: u32,
    },
    /// The outcome of an attempt.
    Activity {
        /// The activity asked for forward; its undo has another name.
        name: Arc<str>,
        /// The round.
        round: u32,
        /// The attempt.
        attempt: u32,
    },
    /// This signal.
    Signal(Arc<str>),
    /// Time to pass.
    Time,
    /// A decision of a person.
    Person,
}

fn zero(n: &u32) -> bool {
    *n == 0
}

impl Situation {
    /// Of this state, with a verb's node.
    #[must_use]
    pub fn of(definition: &Definition, state: &State, node: Option<NodeId>) -> Self {
        let live = !state.phase.terminal();
        let open = definition.nodes().filter_map(|(id, _)| open(definition, state, id));
        Self {
            phase: state.phase,
            stuck: state.stuck,
            paused: state.paused.is_some(),
            cancel_asked: live && state.cancel.is_some() && !state.cancel_too_late,
            exceptions: state.exceptions,
            node: node.map(|id| state[id].status),
            open: open.collect(),
        }
    }
}

fn open(definition: &Definition, state: &State, id: NodeId) -> Option<Open> {
    let (def, node) = (&definition[id], &state[id]);
    let asked = |tries: Tries| match &node.to {
        Some(To::Entity(address)) => WaitsFor::Entity { address: address.clone(), round: tries.round },
        Some(To::Activity(name)) => {
            WaitsFor::Activity { name: Arc::clone(name), round: tries.round, attempt: tries.attempt }
        }
        None => WaitsFor::Person,
    };
    let repairing = node.status == Status::Undoing || node.status == Status::UndoWaiting;
    if state.phase.terminal() && !(repairing && state.leaks.contains(&def.path)) {
        return None;
    }
    let waits_for = match node.status {
        Status::Asked => asked(node.tries),
        Status::Undoing => asked(node.undo_tries),
        Status::Probing | Status::Voiding if node.timer.is_some() => WaitsFor::Time,
        Status::Probing => settling(node.probe.as_deref()),
        Status::Voiding => settling(node.void.as_deref()),
        Status::Waiting if def.class == Class::Wait => {
            WaitsFor::Signal(def.signal.unwrap_or_default().into())
        }
        Status::Waiting | Status::UndoWaiting => WaitsFor::Time,
        Status::Blocked | Status::UndoStuck => WaitsFor::Person,
        Status::Unknown if def.class == Class::Pivot => WaitsFor::Person,
        _ => return None,
    };
    let until = node.timer.map(|timer| timer.due);
    Some(Open { node: Arc::clone(&def.path), status: node.status, waits_for, until })
}

fn settling(settle: Option<&Settle>) -> WaitsFor {
    settle.map_or(WaitsFor::Person, |Settle { activity, tries, .. }| WaitsFor::Activity {
        name: Arc::clone(activity),
        round: tries.round,
        attempt: tries.attempt,
    })
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.phase)?;
        let overlays = [(self.stuck, "stuck"), (self.paused, "paused"), (self.cancel_asked, "cancel asked")];
        for (_, word) in overlays.iter().filter(|(holds, _)| *holds) {
            write!(f, ", {word}")?;
        }
        for open in &self.open {
            write!(f, "; {} is {}, waits for {}", open.node, open.status, open.waits_for)?;
        }
        Ok(())
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entity { address, round } if *round > 1 => {
                write!(f, "the answer of {address}, round {round}")
            }
            Self::Entity { address, .. } => write!(f, "the answer of {address}"),
            Self::Activity { name, round, attempt } if *round > 1 => {
                write!(f, "activity {name}, round {round}, attempt {attempt}")
            }
            Self::Activity { name, attempt, .. } => write!(f, "activity {name}, attempt {attempt}"),
            Self::Signal(name) => write!(f, "signal {name}"),
            Self::Time => f.write_str("its next attempt"),
            Self::Person => f.write_str("a person"),
        }
    }
}
