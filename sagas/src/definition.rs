//! The finished definition: nodes, graph, names, version, fingerprint; its mistakes with reasons. User code lives in
//! the erased closures of `Code`; nothing here calls it.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Index,
    sync::{Arc, OnceLock},
    time::Duration,
};

use palinode::{
    Digest,
    activity::{Outbound, To},
    address::check_name,
    entity::TargetKind,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{event::Direction, retry::Retry, series::AllSeries};

/// A node of one definition, by its place in it. Nodes are numbered so that whatever a node follows has a lower number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub(crate) usize);

/// What a node is to the undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A step that is taken back.
    Compensatable,
    /// Changes nothing anywhere.
    Read,
    /// Waits for a signal.
    Wait,
    /// Lets time pass.
    Timer,
    /// The point of no return.
    Pivot,
    /// A step after the pivot: tried until it is done.
    Retriable,
}

/// What follows when a wait ends without its signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The saga is taken back.
    Undo,
    /// It goes on.
    GoOn,
    /// A person must decide.
    Block,
}

/// One box of a definition.
#[non_exhaustive]
pub struct Node {
    /// Its name, with the names of the branches it stands in before it: `hotel/hold-room`.
    pub path: Arc<str>,
    /// What it is.
    pub class: Class,
    /// Whether it stands after the pivot.
    pub late: bool,
    /// What it follows directly.
    pub after: Vec<NodeId>,
    /// What follows it directly.
    pub next: Vec<NodeId>,
    /// What it addresses, when it asks something.
    pub target: Option<TargetKind>,
    /// The signal it waits for.
    pub signal: Option<&'static str>,
    /// How long it is waited for.
    pub timeout: Option<Duration>,
    /// What follows a wait without a signal.
    pub on_timeout: Then,
    /// How its attempts, or its rounds, are repeated.
    pub retry: Retry,
    /// The same of its undo.
    pub undo_retry: Retry,
    /// What settles a doubt, when it is a pivot that has such activities: the probe, the void.
    pub settles: Vec<TargetKind>,
    /// Why there is nothing to undo, when the author says so.
    pub nothing_to_undo: Option<&'static str>,
    /// Effect key of its ask inside the instance.
    pub(crate) do_key: Arc<str>,
    /// Effect key of its undo inside the instance.
    pub(crate) undo_key: Arc<str>,
    pub(crate) code: Code,
}

/// The saga's data, its type erased.
pub(crate) type Typed = Box<dyn Any + Send>;
type Fallible<R> = Result<R, String>;
type When = dyn Fn(&dyn Any) -> Fallible<bool> + Send + Sync;
pub(crate) type Ask = dyn Fn(&dyn Any) -> Fallible<Outbound> + Send + Sync;
type Decode = dyn Fn(&RawValue) -> Fallible<Box<dyn Any>> + Send + Sync;
pub(crate) type Save = dyn Fn(&mut dyn Any, &dyn Any) -> Fallible<()> + Send + Sync;
type Undo = dyn Fn(&dyn Any, Option<&dyn Any>, &To) -> Fallible<Outbound> + Send + Sync;

/// The closures of a node, their types erased. They are pure functions of the data; whoever calls them catches panics.
#[derive(Default)]
pub(crate) struct Code {
    pub(crate) when: Option<Box<When>>,
    pub(crate) ask: Option<Box<Ask>>,
    pub(crate) decode: Option<Box<Decode>>,
    pub(crate) save: Option<Box<Save>>,
    pub(crate) undo: Option<Box<Undo>>,
    pub(crate) probe: Option<Box<Ask>>,
    pub(crate) void: Option<Box<Ask>>,
}

/// How the data of a definition is read and written.
#[derive(Clone, Copy)]
pub(crate) struct DataCode {
    pub(crate) decode: fn(&RawValue) -> Fallible<Typed>,
    pub(crate) encode: fn(&dyn Any) -> Fallible<Box<RawValue>>,
}

/// A saga as data: what the coordinator runs, and what a picture is drawn from.
pub struct Definition {
    name: Arc<str>,
    version: u32,
    fingerprint: Digest,
    nodes: Vec<Node>,
    by_path: BTreeMap<Arc<str>, NodeId>,
    deadline: Option<Duration>,
    problems: Vec<Problem>,
    pub(crate) data: DataCode,
    /// What is counted of its instances; made when the first of them is.
    series: OnceLock<AllSeries>,
}

/// A mistake in a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("saga {saga:?} v{version}: {what}")]
pub struct Problem {
    /// The definition's name.
    pub saga: Arc<str>,
    /// Its version.
    pub version: u32,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What a definition is made from.
pub(crate) struct Draft {
    pub(crate) name: Arc<str>,
    pub(crate) version: u32,
    pub(crate) nodes: Vec<Node>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) mistakes: Vec<String>,
    pub(crate) data: DataCode,
}

impl Node {
    /// The effect key of one direction inside the instance.
    pub(crate) fn key(&self, direction: Direction) -> Arc<str> {
        match direction {
            Direction::Do => Arc::clone(&self.do_key),
            Direction::Undo => Arc::clone(&self.undo_key),
            Direction::Probe | Direction::Void => format!("{}/{}", self.path, direction.word()).into(),
        }
    }
}

impl Definition {
    pub(crate) fn new(draft: Draft) -> Self {
        let Draft { name, version, mut nodes, deadline, mistakes, data } = draft;
        let edges: Vec<(NodeId, NodeId)> = nodes
            .iter()
            .enumerate()
            .flat_map(|(i, n)| n.after.iter().map(move |a| (*a, NodeId(i))))
            .collect();
        for (from, to) in edges {
            if let Some(node) = nodes.get_mut(from.0) {
                node.next.push(to);
            }
        }
        let by_path = nodes.iter().enumerate().map(|(i, n)| (Arc::clone(&n.path), NodeId(i))).collect();
        let fingerprint = fingerprint(&name, &nodes);
        let problems = mistakes
            .into_iter()
            .chain(check(&name, version, &nodes))
            .map(|what| Problem { saga: Arc::clone(&name), version, what })
            .collect();
        let series = OnceLock::new();
        Self { name, version, fingerprint, nodes, by_path, deadline, problems, data, series }
    }

    /// The stable name: the kind of its instances.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The version its new instances are pinned to.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// A hash of names, order, classes and target kinds. It cannot cover what closures build; samples do.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// How long an instance may take before it is taken back.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Its nodes, whatever a node follows before it.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeId(i), node))
    }

    /// The node of this path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<NodeId> {
        self.by_path.get(path).copied()
    }

    pub(crate) fn series(&self) -> &AllSeries {
        let paths = self.nodes.iter().map(|node| &node.path);
        self.series.get_or_init(|| AllSeries::of(&self.name, self.version, paths))
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Index<NodeId> for Definition {
    type Output = Node;

    #[expect(clippy::indexing_slicing, reason = "ids are made only by the definition that holds the node")]
    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "saga {} v{} ({} nodes)", self.name, self.version, self.nodes.len())
    }
}

fn fingerprint(name: &str, nodes: &[Node]) -> Digest {
    let mut text = format!("{name}\n");
    for node in nodes {
        let after: Vec<usize> = node.after.iter().map(|a| a.0).collect();
        let target = node.target.map_or_else(String::new, |t| match t {
            TargetKind::Aggregate { service, kind } => format!("{service}/{kind}"),
            TargetKind::Activity { name, undo } => format!("{name} {}", undo.unwrap_or("-")),
        });
        let undone = node.code.undo.is_some();
        let signal = node.signal.unwrap_or("-");
        let conditional = node.code.when.is_some();
        text.push_str(&format!(
            "{} {:?} {after:?} {target:?} {undone} {signal} {conditional}\n",
            node.path, node.class
        ));
    }
    Digest::of(text.as_bytes())
}

fn check(name: &str, version: u32, nodes: &[Node]) -> Vec<String> {
    let mut found = Vec::new();
    if let Err(bad) = check_name("saga", name) {
        found.push(bad.to_string());
    }
    if version == 0 {
        found.push("version 0: versions are numbered from 1".into());
    }
    if nodes.is_empty() {
        found.push("it has no nodes: add at least one step".into());
    }
    let mut seen = BTreeSet::new();
    for node in nodes {
        if !seen.insert(&*node.path) {
            found.push(format!("two nodes are named {:?}: names are stored and must differ", node.path));
        }
        for part in node.path.split('/') {
            if let Err(bad) = check_name("node", part) {
                found.push(bad.to_string());
            }
        }
        if node.timeout.is_some_and(|t| t.is_zero()) {
            found.push(format!("node {:?} has a timeout of zero: it could never be done", node.path));
        }
        if node.retry.attempts == Some(0) || node.undo_retry.attempts == Some(0) {
            found.push(format!("node {:?} allows no attempts: allow at least one", node.path));
        }
    }
    found
}
