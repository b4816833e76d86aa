//! A4 to A7: what clients were told, held against the effective commits of their ids.

use std::collections::BTreeMap;

use palinode::Address;
use palinode_verify::record::{Cause, Outcome};

use super::Truth;
use crate::{
    history::Answered,
    script::{Fault, Wrong},
    world::{SERVICES, World},
};

/// A commit of a client's id.
struct Found {
    shard: u32,
    pseq: u64,
    outcome: Outcome,
    answer: String,
    version: u64,
    time: i64,
    events: usize,
}

pub(super) fn judge(world: &World, truth: &Truth, wrong: &mut Vec<String>) {
    let mut found: BTreeMap<uuid::Uuid, Vec<Found>> = BTreeMap::new();
    for ((_, shard), commits) in &truth.shards {
        for effective in commits {
            let commit = &effective.commit;
            let Cause::Client { id, .. } = &commit.cause else { continue };
            let answer = commit.answer.as_ref().map_or("null", |a| a.get()).to_owned();
            let version = effective.version_after().unwrap_or(0);
            let (outcome, events) = (commit.outcome, commit.events.len());
            let (pseq, time) = (commit.pseq, commit.time);
            let one = Found { shard: *shard, pseq, outcome, answer, version, time, events };
            found.entry(*id).or_default().push(one);
        }
    }
    let all = world.history.all();
    for asked in &all {
        let id = asked.id();
        let commits = found.get(&id).map_or(&[][..], Vec::as_slice);
        if commits.len() > 1 {
            wrong.push(format!("A6: {id} has {} effective commits", commits.len()));
        }
        if asked.letter && commits.is_empty() && arrives(world, &asked.message.to) {
            wrong.push(format!("A11: {id} lies in the inbox of {} and was never executed", asked.message.to));
        }
        for (_, answer) in &asked.answers {
            match answer {
                Answered::Recorded { outcome, answer, shard, pseq, version, time } => {
                    let same = commits.first().is_some_and(|c| {
                        (c.shard, c.pseq, c.version, c.time) == (*shard, *pseq, *version, *time)
                            && format!("{:?}", c.outcome) == format!("{outcome:?}")
                            && c.answer == *answer
                    });
                    if !same {
                        let place = format!("{}/{shard}, commit {pseq}", asked.message.to.service);
                        wrong.push(format!("A4: {id} was acknowledged as {outcome:?} {answer} at {place}"));
                    }
                }
                Answered::Invalid(why) => wrong.push(format!("A5: {id} was called invalid: {why}")),
                Answered::Parked(_) if world.script.people.bugs.contains_key(&*asked.message.to.id) => {}
                Answered::Parked(why) => wrong.push(format!("A5: {id} met a parked entity: {why}")),
                Answered::Expired if world.script.ids < 100_000 => {}
                Answered::Expired => wrong.push(format!("A6: {id} has expired within the window")),
            }
        }
        // What is set aside is kept in an event.
        let refused = |c: &&Found| !matches!(c.outcome, Outcome::Accepted | Outcome::Parked);
        for commit in commits.iter().filter(refused).filter(|c| c.events > 0) {
            wrong.push(format!("A5: {id} was refused with {} events", commit.events));
        }
        if asked.open {
            wrong.push(format!("A10: nobody answered {id} for {} in all the time", asked.message.to));
        }
    }
    order(&all, &found, wrong);
}

/// Whether what is put into this entity's inbox must be executed: nothing became of the inbox, no queue was too short,
/// and every clock that judges an id is about right.
fn arrives(world: &World, to: &Address) -> bool {
    let script = &world.script;
    let shard = to.key().shard(script.shards);
    let disturbed = |fault: &Fault| match &fault.what {
        Wrong::Inbox { service, shard: of, .. } => {
            SERVICES[service % SERVICES.len()] == &*to.service && *of == shard
        }
        Wrong::Skew { by_ms, .. } | Wrong::Strobe { by_ms, .. } => by_ms.unsigned_abs() > 50_000,
        _ => false,
    };
    script.queue > 100 && script.ids >= 100_000 && !script.faults.iter().any(disturbed)
}

/// A7: what was acknowledged before the other was sent lies earlier in the log.
fn order(all: &[crate::history::Asked], found: &BTreeMap<uuid::Uuid, Vec<Found>>, wrong: &mut Vec<String>) {
    // What is asked again under its id is the same operation.
    let mut operations: BTreeMap<uuid::Uuid, (String, i64, Option<i64>)> = BTreeMap::new();
    for asked in all {
        let told = asked.answers.iter().map(|(at, _)| *at).min();
        let first = (asked.message.to.to_string(), asked.invoked, told);
        let (_, sent, heard) = operations.entry(asked.id()).or_insert(first);
        *sent = asked.invoked.min(*sent);
        *heard = (*heard).into_iter().chain(told).min();
    }
    let mut entities: BTreeMap<String, Vec<(i64, Option<i64>, u64)>> = BTreeMap::new();
    for (id, (entity, sent, told)) in operations {
        let Some(commit) = found.get(&id).and_then(|c| c.first()) else { continue };
        entities.entry(entity).or_default().push((sent, told, commit.pseq));
    }
    for (entity, operations) in entities {
        for (_, told, earlier) in &operations {
            let later = |(sent, _, pseq): &&(i64, Option<i64>, u64)| {
                told.is_some_and(|told| told < *sent) && pseq < earlier
            };
            if let Some((_, _, pseq)) = operations.iter().find(later) {
                wrong.push(format!("A7: {entity}: commit {pseq} was sent after {earlier} was acknowledged"));
            }
        }
    }
}
