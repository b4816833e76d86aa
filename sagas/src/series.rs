//! What is counted of the instances of a definition: its series, each made once and found by the words that tell it from
//! others. Knows names, and no journal; no id is in a metric.

use std::sync::Arc;

use palinode::measure::{Instrument, Measured, Series};

/// The buckets of durations: those of the engine, and what lasts longer than a minute.
const BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0, 300.0, 3_600.0, 86_400.0,
];

static STARTED: Instrument = Instrument::counter("saga.started", "{saga}", "Sagas begun.");
static FINISHED: Instrument =
    Instrument::counter("saga.finished", "{saga}", "Sagas that have come to their end.");
static DURATION: Instrument =
    Instrument::histogram("saga.duration", "s", "From the start of a saga to its end.", BUCKETS);
static NODE_DURATION: Instrument =
    Instrument::histogram("saga.node.duration", "s", "From the first ask to the outcome.", BUCKETS);
static NODE_ATTEMPTS: Instrument =
    Instrument::counter("saga.node.attempts", "{attempt}", "Attempts of nodes.");

/// How an instance ends.
const ENDS: [&str; 3] = ["completed", "compensated", "killed"];
/// Where an attempt goes.
const DIRECTIONS: [&str; 4] = ["forward", "undo", "probe", "void"];
/// What a node is busy with, and how that ends.
const OUTCOMES: [(&str, &str); 8] = [
    ("forward", "done"),
    ("forward", "refused"),
    ("forward", "unknown"),
    ("undo", "done"),
    ("undo", "unknown"),
    ("wait", "done"),
    ("wait", "skipped"),
    ("wait", "refused"),
];

/// The series of a definition.
pub(crate) struct AllSeries {
    started: Arc<Series>,
    finished: ByWords<&'static str>,
    lasted: ByWords<&'static str>,
    nodes: Vec<OfNode>,
}

struct OfNode {
    attempts: ByWords<&'static str>,
    lasted: ByWords<(&'static str, &'static str)>,
}

type ByWords<W> = Vec<(W, Arc<Series>)>;

impl AllSeries {
    /// Of the definition of this name and version, with these nodes.
    pub(crate) fn of<'a>(saga: &Arc<str>, version: u32, nodes: impl Iterator<Item = &'a Arc<str>>) -> Self {
        let saga = || ("saga", Arc::clone(saga));
        let version = || ("version", Arc::from(version.to_string()));
        let outcome = |outcome: &str| ("outcome", Arc::from(outcome));
        let direction = |direction: &str| ("direction", Arc::from(direction));
        let ends = |series: &dyn Fn(&'static str) -> Arc<Series>| ENDS.map(|end| (end, series(end))).into();
        let of_node = |path: &Arc<str>| {
            let node = || ("node", Arc::clone(path));
            let attempts = DIRECTIONS.map(|to| (to, NODE_ATTEMPTS.series([saga(), node(), direction(to)])));
            let lasted = OUTCOMES.map(|(to, end)| {
                ((to, end), NODE_DURATION.series([saga(), node(), direction(to), outcome(end)]))
            });
            OfNode { attempts: attempts.into(), lasted: lasted.into() }
        };
        Self {
            started: STARTED.series([saga(), version()]),
            finished: ends(&|end| FINISHED.series([saga(), version(), outcome(end)])),
            lasted: ends(&|end| DURATION.series([saga(), outcome(end)])),
            nodes: nodes.map(of_node).collect(),
        }
    }

    /// One has begun.
    pub(crate) fn started(&self) -> Measured {
        self.started.measured(1.0)
    }

    /// One has ended.
    pub(crate) fn finished(&self, outcome: &str) -> Option<Measured> {
        Some(find(&self.finished, &outcome)?.measured(1.0))
    }

    /// One has ended, after so many seconds.
    pub(crate) fn lasted(&self, outcome: &str, seconds: f64) -> Option<Measured> {
        Some(find(&self.lasted, &outcome)?.measured(seconds))
    }

    /// A node is asked.
    pub(crate) fn attempt(&self, node: usize, direction: &str) -> Option<Measured> {
        Some(find(&self.nodes.get(node)?.attempts, &direction)?.measured(1.0))
    }

    /// What a node was busy with has ended, after so many seconds.
    pub(crate) fn node_lasted(&self, node: usize, how: (&str, &str), seconds: f64) -> Option<Measured> {
        Some(find(&self.nodes.get(node)?.lasted, &how)?.measured(seconds))
    }
}

fn find<'a, W: PartialEq>(all: &'a [(W, Arc<Series>)], words: &W) -> Option<&'a Arc<Series>> {
    all.iter().find_map(|(of, series)| (of == words).then_some(series))
}
