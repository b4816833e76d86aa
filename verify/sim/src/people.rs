//! People at the sagas: what they do at odd times, whether it makes sense or not, and what they do in the end with
//! whatever stands still. Every ask is made under a name of its own, so that its entry can be counted.

use std::collections::BTreeMap;

use ::booking::saga::BOOK_TRIP;
use palinode::{Address, Ids, log::memory::Chance, message::ClientMessage};
use palinode_sagas::verb::Verb;
use palinode_verify::{Stage, Unfinished};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::to_raw_value};

use crate::{
    definition,
    oracle::{Truth, paused},
    script::{Act, Deed, Program},
    world::World,
};

/// The most that is tried with one instance in the end.
const TRIES: u32 = 4;

/// What people will do to the sagas of a world, besides what clients do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct People {
    pub(crate) acts: Vec<Does>,
    /// Instances whose code breaks at a node, until it is mended.
    pub(crate) bugs: BTreeMap<String, String>,
    /// When it is mended, if not after all faults only.
    pub(crate) mend_ms: Option<u64>,
}

/// A verb at some time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Does {
    pub(crate) at_ms: u64,
    pub(crate) patience_ms: u64,
    pub(crate) program: usize,
    pub(crate) id: String,
    pub(crate) verb: Verb,
    pub(crate) node: Option<String>,
}

const OF_NODES: [Verb; 5] = [Verb::Retry, Verb::Skip, Verb::MarkDone, Verb::MarkNotDone, Verb::UndoAgain];

fn below(chance: &mut Chance, limit: usize) -> usize {
    usize::try_from(chance.below(limit as u64)).unwrap_or(0)
}

impl People {
    /// Drawn apart from everything else.
    pub(crate) fn draw(seed: u64, programs: &[Program], clients: &[Vec<Act>], safety_ms: u64) -> Self {
        let chance = &mut Chance::new(seed.wrapping_mul(0x2545_f491).wrapping_add(11));
        let mut people = Self::default();
        if chance.hits(400) {
            return people;
        }
        let buggy = chance.hits(300);
        for act in clients.iter().flatten() {
            let Deed::Start { program, id, .. } = &act.what else { continue };
            let nodes = programs.get(*program).map(Program::nodes).unwrap_or_default();
            if buggy && chance.hits(250) && !nodes.is_empty() {
                people.bugs.insert(id.clone(), nodes[below(chance, nodes.len())].0.clone());
            }
            let mut does = |chance: &mut Chance, at_ms, verb, node| {
                let patience_ms = [1_000, 10_000, 300_000][below(chance, 3)];
                let id = id.clone();
                let at_ms = u64::min(at_ms, safety_ms + 2_000);
                people.acts.push(Does { at_ms, patience_ms, program: *program, id, verb, node });
            };
            if chance.hits(300) {
                let at = act.at_ms + chance.below(3_000);
                does(chance, at, Verb::Pause, None);
                if chance.hits(700) {
                    let at = at + chance.below(8_000);
                    does(chance, at, Verb::Resume, None);
                }
            }
            for _ in 0..chance.below(4) {
                if chance.hits(600) && !nodes.is_empty() {
                    let node = nodes[below(chance, nodes.len())].0.clone();
                    let at = act.at_ms + chance.below(12_000);
                    let verb = OF_NODES[below(chance, OF_NODES.len())];
                    does(chance, at, verb, Some(node));
                }
            }
            if chance.hits(100) {
                // Somebody who does not stop asking, about when the pivot is passed.
                for n in 0..8 {
                    let at = act.at_ms + 150 + n * (50 + chance.below(500));
                    does(chance, at, Verb::Cancel, None);
                }
            }
            if chance.hits(100) {
                let at = act.at_ms + chance.below(9_000);
                does(chance, at, Verb::Unpark, None);
            }
        }
        people.mend_ms = chance.hits(500).then(|| chance.below(safety_ms));
        people.acts.sort_by_key(|does| does.at_ms);
        people
    }
}

/// The message of a verb, under a name that nobody else has.
pub(crate) fn message(world: &World, to: Address, verb: Verb, node: Option<&str>) -> ClientMessage {
    let id = world.ids.fresh(world.time.now());
    let mut data = json!({ "by": name(&id), "reason": "simulated" });
    if let Some(node) = node {
        data["node"] = json!(node);
    }
    if verb == Verb::MarkDone {
        data["reply"] = json!(1);
    }
    let data = to_raw_value(&data).unwrap();
    ClientMessage { id, to, name: verb.as_str().into(), data, expect_version: None, traceparent: None }
}

/// The name under which a message is asked.
pub(crate) fn name(id: &uuid::Uuid) -> String {
    format!("person-{id}")
}

/// What has to be done before nothing moves any more: whoever stands still goes on, whatever was set aside is set free,
/// and with what is stuck something is tried, or nothing.
pub(crate) fn left_to_do(
    world: &World,
    truth: &Truth,
    tried: &mut BTreeMap<String, u32>,
) -> Vec<ClientMessage> {
    let mut todo = Vec::new();
    let at = |kind: &str, id: &str| Address::new("trip", kind, id);
    for (kind, id) in paused(truth) {
        todo.push(message(world, at(&kind, &id), Verb::Resume, None));
    }
    for Unfinished { kind, id, stage, open, .. } in &truth.report.unfinished {
        match stage {
            Stage::Parked => {
                definition::mend(true);
                todo.push(message(world, at(kind, id), Verb::Unpark, None));
            }
            // What became of a guest's money is the bank's to say.
            Stage::Stuck if kind == BOOK_TRIP => {}
            Stage::Stuck => {
                let tries = tried.entry(format!("{kind}/{id}")).or_default();
                let draw = id.bytes().fold(world.script.seed, |sum, b| sum.wrapping_mul(31) + u64::from(b));
                let pick = (draw >> 4).wrapping_add(u64::from(*tries) * 7) % 10;
                // Some are left alone.
                let verb = match pick {
                    0..=1 => continue,
                    2..=3 => Verb::Retry,
                    4..=5 => Verb::Skip,
                    6 => Verb::MarkDone,
                    7..=8 => Verb::MarkNotDone,
                    _ => Verb::Cancel,
                };
                if *tries >= TRIES {
                    continue;
                }
                *tries += 1;
                let nodes: Vec<Option<&str>> = match verb.of_a_node() {
                    true => open.iter().map(|node| Some(node.as_str())).collect(),
                    false => vec![None],
                };
                todo.extend(nodes.into_iter().map(|node| message(world, at(kind, id), verb, node)));
            }
            Stage::Running => {}
        }
    }
    todo
}
