//! The state of an instance: the fold of its journal. It takes recorded facts only and calls no user code, so a state
//! can always be folded, whatever the closures of a build do.

mod fold;
mod node;

use std::{
    collections::BTreeSet,
    fmt,
    ops::{Index, IndexMut},
    sync::Arc,
};

use palinode::{Digest, Micros};
use serde::{Deserialize, Serialize};

use crate::{
    definition::{Definition, NodeId},
    event::{Kept, Left, Timer, Why},
    metrics::Times,
    outcome::Raw,
    trace::Trace,
};

pub use node::{NodeState, Settle, Status, Tries};

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not started.
    #[default]
    None,
    /// Before the pivot.
    Forward,
    /// The pivot is asked.
    Committing,
    /// The pivot is done.
    Finishing,
    /// It is taken back.
    Undoing,
    /// Everything was done.
    Completed,
    /// Everything was taken back.
    Compensated,
    /// Stopped by a person.
    Killed,
}

impl Phase {
    /// Whether it has come to its end.
    #[must_use]
    pub fn terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated | Self::Killed)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Forward => "forward",
            Self::Committing => "committing",
            Self::Finishing => "finishing",
            Self::Undoing => "undoing",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::Killed => "killed",
        })
    }
}

/// A signal nobody has taken yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Buffered {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// What it says.
    pub data: Raw,
    /// The trace context of the call that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Arc<str>>,
}

/// The state of an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct State {
    /// Where it stands.
    pub phase: Phase,
    /// Version and fingerprint it is pinned to, and the digest of the data it was started with.
    pub origin: Option<Origin>,
    /// Its data, as last recorded.
    pub data: Raw,
    pub(crate) nodes: Vec<NodeState>,
    /// Signals nobody has taken yet, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Buffered>,
    /// Ids of all signals that came.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub signal_ids: BTreeSet<Arc<str>>,
    /// The saga's deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timer>,
    /// The serial of the newest timer.
    pub serial: u64,
    /// A cancel that waits for the pivot, or for the end of a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
    /// Whether that cancel came too late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_too_late: bool,
    /// Why it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Whether nothing can move without a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stuck: bool,
    /// Nodes closed by a person instead of by an outcome.
    #[serde(default, skip_serializing_if = "zero")]
    pub exceptions: u32,
    /// How it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killed: Option<Killed>,
    /// Since when it stands still, and what was left of its timers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Nodes of which something may stand although it was, or need not be, taken back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leaks: BTreeSet<Arc<str>>,
    /// Why it is set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Arc<str>>,
    /// Inputs kept while it is set aside, or stands still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
    /// Since when it, and what is open of it, lasts: for metrics.
    #[serde(default, skip_serializing_if = "Times::is_empty")]
    pub(crate) times: Times,
    /// Its trace, when somebody observed as it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Box<Trace>>,
}

/// What an instance is pinned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The definition's version.
    pub version: u32,
    /// Its fingerprint.
    pub fingerprint: Digest,
    /// Digest of the data it was started with: what a second start is compared to.
    pub digest: Digest,
}

/// A cancel that is not carried out yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cancel {
    /// Why.
    pub reason: Arc<str>,
    /// Who.
    pub by: Arc<str>,
}

/// A pause.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub at: Micros,
    /// What was left of each timer.
    pub left: Vec<Left>,
}

/// A stop by a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Killed {
    /// Why.
    pub reason: Arc<str>,
    /// Who.
    pub by: Arc<str>,
    /// Effect keys of what was left standing.
    pub standing: Vec<Arc<str>>,
}

fn zero(n: &u32) -> bool {
    *n == 0
}

impl State {
    /// An instance that has not started.
    #[must_use]
    pub fn blank(definition: &Definition) -> Self {
        Self {
            phase: Phase::None,
            origin: None,
            data: Raw::from(serde_json::value::RawValue::NULL.to_owned()),
            nodes: definition.nodes().map(|_| NodeState::default()).collect(),
            signals: Vec::new(),
            signal_ids: BTreeSet::new(),
            deadline: None,
            serial: 0,
            cancel: None,
            cancel_too_late: false,
            why: None,
            stuck: false,
            exceptions: 0,
            killed: None,
            paused: None,
            leaks: BTreeSet::new(),
            parked: None,
            kept: Vec::new(),
            times: Times::default(),
            trace: None,
        }
    }

    /// The state of every node, in the order of the definition.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &NodeState)> {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeId(i), node))
    }

    /// What needs a person: a blocked node, a stuck undo, a pivot in doubt.
    pub fn needs_person(&self) -> impl Iterator<Item = NodeId> {
        let doubt = self.phase == Phase::Committing;
        self.nodes().filter(move |(_, n)| n.needs_person(doubt)).map(|(id, _)| id)
    }
}

/// What the saga's deadline is called among its timers; no node can have this name.
pub const DEADLINE: &str = "@deadline";

impl Origin {
    /// Whether this definition may run the instance.
    ///
    /// # Errors
    /// Which version or fingerprint it needs.
    pub fn fits(&self, definition: &Definition) -> Result<(), String> {
        if self.version != definition.version() {
            return Err(format!(
                "needs {} v{}; this build has v{}",
                definition.name(),
                self.version,
                definition.version()
            ));
        }
        if self.fingerprint != definition.fingerprint() {
            return Err(format!(
                "began under {} v{} with fingerprint {}; this build's v{} has {}: a released version was changed",
                definition.name(),
                self.version,
                self.fingerprint,
                definition.version(),
                definition.fingerprint()
            ));
        }
        Ok(())
    }
}

/// What a second start is compared by.
pub(crate) fn digest_of(data: &str) -> Digest {
    Digest::of(data.as_bytes())
}

impl Index<NodeId> for State {
    type Output = NodeState;

    #[expect(clippy::indexing_slicing, reason = "a state has as many nodes as its definition")]
    fn index(&self, id: NodeId) -> &NodeState {
        &self.nodes[id.0]
    }
}

impl IndexMut<NodeId> for State {
    #[expect(clippy::indexing_slicing, reason = "a state has as many nodes as its definition")]
    fn index_mut(&mut self, id: NodeId) -> &mut NodeState {
        &mut self.nodes[id.0]
    }
}
