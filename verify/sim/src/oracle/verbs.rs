//! People's verbs: each that was carried out has one entry in the journal, in its own commit and under the name of who
//! asked; one that was refused has none. A saga that stands still asks nobody anything.

use std::collections::{BTreeMap, BTreeSet};

use ::booking::saga::BOOK_TRIP;
use palinode_sagas::verb::Verb;
use palinode_verify::{
    Effective,
    journal::Entry,
    record::{Cause, Outcome},
};

use super::Truth;
use crate::{people, world::World};

/// The journals' commits.
/// The commits of the random sagas: nobody but its guest says anything to a booked trip.
fn trips(truth: &Truth) -> impl Iterator<Item = &Effective> {
    let all =
        truth.shards.iter().filter(|((service, _), _)| service == "trip").flat_map(|(_, commits)| commits);
    all.filter(|effective| effective.entity().is_none_or(|entity| entity.kind != BOOK_TRIP))
}

pub(super) fn judge(world: &World, truth: &Truth, wrong: &mut Vec<String>) {
    entries(world, truth, wrong);
    standing_still(truth, wrong);
}

fn entries(world: &World, truth: &Truth, wrong: &mut Vec<String>) {
    let verbs: BTreeMap<uuid::Uuid, Verb> = world
        .history
        .all()
        .iter()
        .filter_map(|asked| Some((asked.id(), asked.message.name.parse().ok()?)))
        .collect();
    for effective in trips(truth) {
        let commit = &effective.commit;
        let mine = match &commit.cause {
            Cause::Client { id, .. } => verbs.get(id).map(|verb| (*verb, people::name(id))),
            _ => None,
        };
        let mut named: Vec<String> = commit.events.iter().filter_map(who).collect();
        if let Some((verb, by)) = &mine {
            let before = named.len();
            named.retain(|name| name != by);
            let found = before - named.len();
            let accepted = commit.outcome == Outcome::Accepted;
            // A saga that is being taken back already has nothing to say to a cancel; a parked one keeps it.
            let expected = match verb {
                Verb::Cancel if accepted => 0..=1,
                _ if accepted => 1..=1,
                _ => 0..=0,
            };
            if !expected.contains(&found) {
                let (at, outcome) = (&effective.at, commit.outcome);
                wrong.push(format!(
                    "audit: {verb} by {by} at {at} was {outcome:?}, and {found} entries say so"
                ));
            }
        }
        // Who sets an instance free has it take what was kept: others' cancels too.
        let frees = mine.is_some_and(|(verb, _)| verb == Verb::Unpark);
        if let Some(name) = named.first().filter(|_| !frees) {
            wrong.push(format!("audit: {} commit {}: an entry of {name}", effective.at, commit.pseq));
        }
    }
}

/// Whose verb an entry is; a cancel that waited is named again when it is honoured.
fn who(event: &palinode_verify::record::Event) -> Option<String> {
    let verbs = ["intervened", "paused", "resumed", "unparked", "killed", "cancel_asked"];
    let tag = event.name.rsplit('.').next()?;
    let data: serde_json::Value = serde_json::from_str(event.data.get()).ok()?;
    let by = |of: &serde_json::Value| of["by"].as_str().map(str::to_owned);
    if verbs.contains(&tag) { by(&data) } else { None }
}

/// The instances that stand still at the end of the log.
pub(crate) fn paused(truth: &Truth) -> BTreeSet<(String, String)> {
    let mut still = BTreeSet::new();
    for effective in trips(truth) {
        let Some(entity) = effective.entity() else { continue };
        for entry in effective.commit.events.iter().filter_map(Entry::read).flatten() {
            let instance = (entity.kind.clone(), entity.id.clone());
            match entry {
                Entry::Paused { .. } => drop(still.insert(instance)),
                Entry::Resumed { .. } | Entry::Killed { .. } => drop(still.remove(&instance)),
                _ => {}
            }
        }
    }
    still
}

fn standing_still(truth: &Truth, wrong: &mut Vec<String>) {
    let mut still = BTreeSet::new();
    for effective in trips(truth) {
        let Some(entity) = effective.entity() else { continue };
        let instance = (entity.kind.clone(), entity.id.clone());
        let stood = still.contains(&instance);
        for entry in effective.commit.events.iter().filter_map(Entry::read).flatten() {
            match entry {
                Entry::Paused { .. } => drop(still.insert(instance.clone())),
                Entry::Resumed { .. } | Entry::Killed { .. } => drop(still.remove(&instance)),
                _ => {}
            }
        }
        let (sends, runs) = (effective.commit.sends.len(), effective.commit.runs.len());
        if stood && still.contains(&instance) && sends + runs > 0 {
            let (at, pseq) = (&effective.at, effective.commit.pseq);
            wrong.push(format!("S12: {entity} stands still, and asks in commit {pseq} of {at}"));
        }
    }
}
