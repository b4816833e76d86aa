//! A8 for sagas: every state of an instance that was ever saved in a snapshot, held against the journal before it. The
//! journal is read once more here, from what its entries mean and not from the fold of `sagas`: where the instance and
//! each of its nodes stand, how often each was tried, what it waits for and until when, the signals that came.

use std::collections::{BTreeMap, BTreeSet};

use palinode_verify::{
    Effective,
    journal::{Direction, Entry, How, Then, Timer},
};
use serde_json::{Value, json};

use super::Truth;
use crate::{
    store::Kept,
    world::{World, kind},
};

/// What a journal says of one node.
#[derive(Debug, Clone, PartialEq)]
struct Node {
    status: &'static str,
    ask: Tries,
    undo: Tries,
    timer: Option<Timer>,
}

/// Round and attempt, failures and losses since a person last renewed them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tries {
    round: u32,
    attempt: u32,
    failures: u32,
    lost: u32,
}

/// What a journal says of an instance.
#[derive(Debug, Clone)]
struct Reading {
    phase: &'static str,
    data: Value,
    nodes: BTreeMap<String, Node>,
    deadline: Option<Timer>,
    ids: BTreeSet<String>,
    untaken: Vec<String>,
    paused: bool,
}

/// The readings of each instance: after which record, oldest first.
type Readings = BTreeMap<String, Vec<(u64, Reading)>>;

/// Holds the saved states of sagas against their journals.
pub(super) fn judge(world: &World, truth: &Truth, kept: &[Kept], wrong: &mut Vec<String>) {
    let mut shards: BTreeMap<u32, Readings> = BTreeMap::new();
    for kept in kept.iter().filter(|kept| kept.service == "trip") {
        let of = || readings(truth.shards.get(&(kept.service.clone(), kept.shard)).into_iter().flatten());
        let readings = shards.entry(kept.shard).or_insert_with(of);
        for (entity, _, value) in &kept.rows {
            let Some((kind_of, _)) = entity.split_once('/') else { continue };
            let Some(program) = (0..world.sagas.len()).find(|n| kind(*n) == kind_of) else { continue };
            let saved = value.as_ref().and_then(|value| serde_json::from_slice::<Value>(value).ok());
            let before = |(offset, _): &&(u64, Reading)| *offset <= kept.offset;
            let reading = readings.get(entity).and_then(|all| all.iter().rev().find(before));
            let (Some(saved), Some((_, reading))) = (saved, reading) else { continue };
            let definition = world.sagas[program].definition();
            let paths: Vec<String> = definition.nodes().map(|(_, node)| node.path.to_string()).collect();
            let expected = reading.shape(&paths);
            let found = shape(&saved["state"], &expected);
            if found != expected && saved["parked"].is_null() {
                wrong.push(format!(
                    "A8: the snapshot of trip/{} at {} holds {entity} as {found}, its journal says {expected}",
                    kept.shard, kept.pseq
                ));
            }
        }
    }
}

fn readings<'a>(commits: impl Iterator<Item = &'a Effective>) -> Readings {
    let mut all = Readings::new();
    for effective in commits {
        let Some(entity) = effective.entity() else { continue };
        let states = all.entry(entity.to_string()).or_default();
        let mut reading = states.last().map_or_else(Reading::blank, |(_, reading)| reading.clone());
        for event in &effective.commit.events {
            let Some(Ok(entry)) = Entry::read(event) else { continue };
            let raw: Value = serde_json::from_str(event.data.get()).unwrap_or(Value::Null);
            reading.take(entry, &raw);
        }
        states.push((effective.offset, reading));
    }
    all
}

/// The parts of a saved state that a reading speaks of.
fn shape(state: &Value, like: &Value) -> Value {
    let or = |value: &Value, default: Value| if value.is_null() { default } else { value.clone() };
    let tries = |tries: &Value| {
        let number = |name: &str| or(&tries[name], json!(0));
        json!([number("round"), number("attempt"), number("failures"), number("lost")])
    };
    let nodes = state["nodes"].as_array().into_iter().flatten();
    let nodes: Vec<Value> = nodes
        .map(|n| json!([n["status"], tries(&n["tries"]), tries(&n["undo_tries"]), n["timer"]]))
        .collect();
    let signals = state["signals"].as_array().into_iter().flatten();
    let mut all = like.clone();
    all["phase"] = state["phase"].clone();
    all["data"] = state["data"].clone();
    all["nodes"] = json!(nodes);
    all["deadline"] = state["deadline"].clone();
    all["ids"] = or(&state["signal_ids"], json!([]));
    all["untaken"] = json!(signals.map(|signal| &signal["id"]).collect::<Vec<_>>());
    all["paused"] = json!(!state["paused"].is_null());
    all
}

fn timer(timer: Option<Timer>) -> Value {
    timer.map_or(Value::Null, |t| json!({ "serial": t.serial, "due": t.due }))
}

impl Tries {
    fn ask(&mut self, round: u32, attempt: u32) {
        (self.round, self.attempt) = (round, attempt);
    }

    fn renew(&mut self) {
        (self.failures, self.lost) = (0, 0);
    }

    fn shape(self) -> Value {
        json!([self.round, self.attempt, self.failures, self.lost])
    }
}

impl Node {
    fn idle() -> Self {
        Self { status: "idle", ask: Tries::default(), undo: Tries::default(), timer: None }
    }
}

impl Reading {
    fn blank() -> Self {
        Self {
            phase: "none",
            data: Value::Null,
            nodes: BTreeMap::new(),
            deadline: None,
            ids: BTreeSet::new(),
            untaken: Vec::new(),
            paused: false,
        }
    }

    fn shape(&self, paths: &[String]) -> Value {
        let node = |path: &String| {
            let node = self.nodes.get(path).cloned().unwrap_or_else(Node::idle);
            json!([node.status, node.ask.shape(), node.undo.shape(), timer(node.timer)])
        };
        json!({
            "phase": self.phase,
            "data": self.data,
            "nodes": paths.iter().map(node).collect::<Vec<_>>(),
            "deadline": timer(self.deadline),
            "ids": self.ids,
            "untaken": self.untaken,
            "paused": self.paused,
        })
    }

    /// An entry about a node says what its timer is from then on: this one, or none.
    fn node(&mut self, path: &str, status: Option<&'static str>, timer: Option<Timer>) -> &mut Node {
        let node = self.nodes.entry(path.to_owned()).or_insert_with(Node::idle);
        node.status = status.unwrap_or(node.status);
        node.timer = timer;
        node
    }

    fn no_timers(&mut self) {
        self.deadline = None;
        self.nodes.values_mut().for_each(|node| node.timer = None);
    }

    fn end(&mut self, phase: &'static str) {
        self.phase = phase;
        self.paused = false;
        self.no_timers();
    }

    fn take(&mut self, entry: Entry, raw: &Value) {
        // What a step's reply, the pivot's or a signal changed in the data is recorded with it.
        let changes = matches!(
            entry,
            Entry::Started(_) | Entry::StepDone { .. } | Entry::PivotPassed { .. } | Entry::WaitDone { .. }
        );
        if changes && !raw["data"].is_null() {
            self.data = raw["data"].clone();
        }
        match entry {
            Entry::Started(started) => (self.phase, self.deadline) = ("forward", started.deadline),
            Entry::Completed {} => self.end("completed"),
            Entry::Compensated { .. } => self.end("compensated"),
            Entry::Killed { .. } => self.end("killed"),
            Entry::UndoBegan {} => (self.phase, self.deadline) = ("undoing", None),
            Entry::DeadlinePassed {} => self.deadline = None,
            Entry::StepAsked(asked) => {
                if asked.pivot || asked.node == "pay" {
                    self.phase = "committing";
                }
                self.node(&asked.node, Some("asked"), asked.timer).ask.ask(asked.round, asked.attempt);
            }
            Entry::StepDone { node, .. } => {
                self.node(&node, Some("done"), None);
            }
            Entry::PivotPassed { node, .. } => {
                self.phase = "finishing";
                self.node(&node, Some("done"), None);
            }
            Entry::StepRefused { node, .. } => {
                self.node(&node, Some("refused"), None);
            }
            Entry::StepUnknown { node, .. } | Entry::InDoubt { node } => {
                self.node(&node, Some("unknown"), None);
            }
            Entry::Blocked { node } => {
                self.node(&node, Some("blocked"), None);
            }
            Entry::Skipped { node, .. } => {
                self.node(&node, Some("skipped"), None);
            }
            Entry::AttemptFailed(failed) => {
                let (status, undo) = match failed.direction {
                    Direction::Do => (Some("waiting"), false),
                    Direction::Undo => (Some("undo_waiting"), true),
                    Direction::Probe | Direction::Void => (None, false),
                };
                let node = self.node(&failed.node, status, failed.timer);
                if status.is_some() {
                    let tries = if undo { &mut node.undo } else { &mut node.ask };
                    tries.failures += 1;
                    tries.lost += u32::from(failed.how == How::Lost);
                }
            }
            Entry::WaitBegan { node, timer, .. } => {
                self.node(&node, Some("waiting"), Some(timer));
            }
            Entry::Signalled { id, .. } => {
                self.untaken.push(id.clone());
                self.ids.insert(id);
            }
            Entry::WaitDone { node, id } => {
                self.untaken.retain(|untaken| Some(untaken) != id.as_ref());
                self.node(&node, Some("done"), None);
            }
            Entry::TimedOut { node, then } => {
                let status = match then {
                    Then::GoOn => "skipped",
                    Then::Undo => "refused",
                    Then::Block => "blocked",
                };
                self.node(&node, Some(status), None);
            }
            Entry::Draining { node, timer } => {
                self.node(&node, None, Some(timer));
            }
            Entry::UndoAsked { node, round, attempt, .. } => {
                self.node(&node, Some("undoing"), None).undo.ask(round, attempt);
            }
            Entry::Undone { node, .. } => {
                self.node(&node, Some("undone"), None);
            }
            Entry::UndoStuck { node } => {
                self.node(&node, Some("undo_stuck"), None);
            }
            Entry::Awaited { node, direction, timer } => {
                let status = if direction == Direction::Undo { "undoing" } else { "asked" };
                self.node(&node, Some(status), timer);
            }
            Entry::SettleAsked(asked) => {
                let status = if asked.direction == Direction::Void { "voiding" } else { "probing" };
                self.node(&asked.node, Some(status), None);
            }
            Entry::LateReply { re, class } if class == "leak" => {
                let path = re.rsplit_once("/do/").map_or("", |(path, _)| path);
                if let Some(node) = self.nodes.get_mut(path) {
                    node.undo.renew();
                }
            }
            Entry::Intervened { node, .. } => {
                if let Some(node) = self.nodes.get_mut(&node) {
                    let back = ["undo_stuck", "undo_waiting", "undone"].contains(&node.status);
                    if back { node.undo.renew() } else { node.ask.renew() }
                }
            }
            Entry::Paused { .. } => {
                self.paused = true;
                self.no_timers();
            }
            Entry::Resumed { timers, .. } => {
                self.paused = false;
                for set in timers {
                    match self.nodes.get_mut(&set.node) {
                        Some(node) => node.timer = Some(set.timer),
                        None => self.deadline = Some(set.timer),
                    }
                }
            }
            _ => {}
        }
    }
}
