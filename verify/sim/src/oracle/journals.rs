//! S1, S2, S9 and the ends of sagas: each journal's end is one that the interpreter allows, and what stands at the
//! participants, in the slots and in the ledgers is what that end says.

use std::collections::{BTreeMap, BTreeSet};

use palinode_verify::{
    Stage,
    journal::{Entry, How, SkippedBy, Verb},
    record::Outcome,
};

use super::{Truth, model::History};
use crate::{
    definition::Order,
    interpreter::{Ends, Facts, Word, ends},
    program::{Fate, UndoFate, What},
    world::{World, kind},
};

/// How an instance stands at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Compensated,
    Killed,
    /// Not at its end.
    Open,
}

/// What is read from one journal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal {
    order: Option<String>,
    end: Option<End>,
    skipped: BTreeSet<String>,
    /// Nodes that met something: a failed attempt that is not fated, a contended slot, a timeout.
    touched: BTreeSet<String>,
    lost: BTreeMap<String, u32>,
    /// What people said of nodes.
    words: BTreeMap<String, Word>,
}

pub(super) fn judge(world: &World, truth: &Truth, history: &History, wrong: &mut Vec<String>) {
    let ledger = world.participants.ledger();
    for ((saga, node), entry) in &ledger {
        if let Some(breach) = &entry.breach {
            wrong.push(format!("S9: {saga}, node {node}: {breach}"));
        }
        if entry.done > 1 {
            wrong.push(format!("S9: {saga}, node {node} was done {} times", entry.done));
        }
    }
    let unfinished: BTreeMap<(&str, &str), Stage> =
        truth.report.unfinished.iter().map(|u| ((u.kind.as_str(), u.id.as_str()), u.stage)).collect();
    let verbs = verbs(world);
    let held = held(history);
    for ((program, id), journal) in journals(world, truth) {
        let Some(order) = journal.order.as_deref().and_then(|raw| serde_json::from_str::<Order>(raw).ok())
        else {
            continue;
        };
        let end = journal.end.unwrap_or(End::Open);
        let name = format!("{}/{id}", kind(program));
        let verbs = verbs.get(&(kind(program), id.clone())).copied().unwrap_or_default();
        let disturbed = |path: &str| {
            let far = ledger.get(&(id.clone(), path.to_owned())).is_some_and(|e| e.disturbed);
            far || journal.touched.contains(path)
        };
        let allowed = ends(
            &world.script.programs[program],
            &Facts {
                fate: &|path| order.fates.get(path).copied().unwrap_or((Fate::Done, UndoFate::Done)),
                disturbed: &disturbed,
                lost: &|path| journal.lost.get(path).is_some_and(|lost| *lost >= 3),
                turned: verbs.cancelled || world.script.programs[program].deadline_ms.is_some(),
                killed: verbs.killed,
                signals: verbs.signalled,
                word: &|path| journal.words.get(path).copied().unwrap_or_default(),
            },
        );
        let stuck = unfinished.get(&(kind(program).as_str(), id.as_str())) == Some(&Stage::Stuck);
        if !fits(end, stuck, allowed) {
            wrong.push(format!("S1: {name} ended {end:?} (stuck: {stuck}); allowed is {allowed:?}"));
        }
        let nodes = world.script.programs[program].nodes();
        for (path, what, late) in nodes {
            let expected = match end {
                End::Completed if !journal.skipped.contains(&path) => 1,
                End::Completed => 0,
                End::Compensated if matches!(what, What::Effect | What::Slot(_)) || path == "pay" => 0,
                _ => continue,
            };
            let found = match what {
                What::Effect | What::Trace | What::Read => {
                    ledger.get(&(id.clone(), path.clone())).map_or(0, |entry| entry.net)
                }
                What::Slot(_) if !late => held.get(&format!("{id}/{path}")).copied().unwrap_or(0),
                _ => continue,
            };
            // What a person closed may stand, or not.
            let word = journal.words.get(&path).copied().unwrap_or_default();
            if found != expected && !(word == Word::Closed && (0..=1).contains(&found)) {
                wrong.push(format!("S2: {name} is {end:?} and the net effect of {path} is {found}"));
            }
        }
    }
}

fn fits(end: End, stuck: bool, allowed: Ends) -> bool {
    match end {
        End::Completed => allowed.completed,
        End::Compensated => allowed.compensated,
        End::Killed => allowed.killed,
        End::Open => stuck && allowed.stuck,
    }
}

/// What people and others did to an instance.
#[derive(Debug, Clone, Copy, Default)]
struct Verbs {
    cancelled: bool,
    killed: bool,
    signalled: bool,
}

fn verbs(world: &World) -> BTreeMap<(String, String), Verbs> {
    let mut all: BTreeMap<(String, String), Verbs> = BTreeMap::new();
    for asked in world.history.all() {
        let to = &asked.message.to;
        let verbs = all.entry((to.kind.to_string(), to.id.to_string())).or_default();
        match &*asked.message.name {
            "cancel" => verbs.cancelled = true,
            "kill" => verbs.killed = true,
            "signal/go" => verbs.signalled = true,
            _ => {}
        }
    }
    all
}

/// Who holds a slot at the end, and how often.
fn held(history: &History) -> BTreeMap<String, i64> {
    let mut held = BTreeMap::new();
    for states in history.values().flat_map(BTreeMap::values) {
        let Some((.., state)) = states.last() else { continue };
        for (by, times) in state["holders"].as_object().into_iter().flatten() {
            *held.entry(by.clone()).or_default() += times.as_i64().unwrap_or(0);
        }
    }
    held
}

fn journals(world: &World, truth: &Truth) -> BTreeMap<(usize, String), Journal> {
    let mut journals: BTreeMap<(usize, String), Journal> = BTreeMap::new();
    let trips = truth.shards.iter().filter(|((service, _), _)| service == "trip");
    for effective in trips.flat_map(|(_, commits)| commits) {
        let Some(entity) = effective.entity() else { continue };
        let program = (0..world.sagas.len()).find(|n| kind(*n) == entity.kind);
        let Some(program) = program else { continue };
        let journal = journals.entry((program, entity.id.clone())).or_default();
        for event in &effective.commit.events {
            if let Some(Ok(entry)) = Entry::read(event) {
                journal.take(entry, world, program);
            }
        }
        if effective.commit.outcome == Outcome::Parked && !world.script.people.bugs.contains_key(&entity.id) {
            world.complain(format!("{entity} is parked"));
        }
    }
    journals
}

impl Journal {
    fn take(&mut self, entry: Entry, world: &World, program: usize) {
        match entry {
            Entry::Started(started) => self.order = Some(started.data.get().to_owned()),
            Entry::Completed {} => self.end = Some(End::Completed),
            Entry::Compensated { .. } => self.end = Some(End::Compensated),
            Entry::Killed { .. } => self.end = Some(End::Killed),
            Entry::Skipped { node, why: SkippedBy::When } => drop(self.skipped.insert(node)),
            Entry::Leaked { node } => drop(self.words.insert(node, Word::Closed)),
            Entry::Intervened { verb: Verb::Skip | Verb::MarkDone, node } => {
                self.words.insert(node, Word::Closed);
            }
            Entry::Intervened { node, .. } => drop(self.words.entry(node).or_insert(Word::Again)),
            Entry::StepRefused { node, .. } | Entry::StepUnknown { node, .. } => {
                let nodes = world.script.programs[program].nodes();
                let entity = |(path, what, _): &(String, What, bool)| {
                    *path == node && matches!(what, What::Slot(_) | What::Money(_))
                };
                if nodes.iter().any(entity) {
                    self.touched.insert(node);
                }
            }
            Entry::AttemptFailed(failed) if failed.how == How::Lost => {
                *self.lost.entry(failed.node.clone()).or_default() += 1;
                self.touched.insert(failed.node);
            }
            _ => {}
        }
    }
}
