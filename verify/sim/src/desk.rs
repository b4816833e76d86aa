//! People at the desk of the read models: they build versions beside the live ones, compare, move readers, take versions
//! away, look at what is parked and try it again. What they ask is asked at whichever process runs the read model, again
//! and again under a new name, until there is an answer.

use std::{collections::BTreeSet, time::Duration};

use palinode::{
    checkpoint::Class,
    log::memory::Chance,
    projection::{ApplyError, Parked, ReadModel, Said},
};
use serde::{Deserialize, Serialize};

use crate::{
    read_models::{Breaks, Mistake},
    readers::{ALL, Compared},
    world::World,
};

/// How long one call may take, and how long is asked again.
const CALL: Duration = Duration::from_secs(8);
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that people will do to the read models of a world.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Desk {
    /// What is wrong with the code.
    pub(crate) mistake: Option<Mistake>,
    /// Whether somebody mends it in the end.
    pub(crate) mended: bool,
    pub(crate) acts: Vec<Act>,
}

/// Something that somebody does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Act {
    pub(crate) at_ms: u64,
    /// Which projection, of all.
    pub(crate) projection: usize,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// A version is built from the first record on.
    Build(u32),
    /// Readers are moved.
    Swap(u32),
    Diff(u32),
    Remove(u32),
    /// The n-th parked key is tried again.
    Retry(usize),
    RetryCause(usize),
    /// The first event that it holds is left out.
    Skip(usize),
    /// All that it holds is left out.
    Discard(usize),
    /// The mistake is mended.
    Mend,
}

/// What somebody asked, under a name of its own, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) by: String,
    pub(crate) what: What,
    /// How many it was done to; an error that is not an outage is a no; nothing: not known.
    pub(crate) answer: Option<Result<usize, String>>,
}

fn below(chance: &mut Chance, limit: usize) -> usize {
    usize::try_from(chance.below(limit as u64)).unwrap_or(0)
}

impl Desk {
    /// What people do in this time, drawn apart from everything else.
    pub(crate) fn draw(seed: u64, safety_ms: u64) -> Self {
        let chance = &mut Chance::new(seed.wrapping_mul(0x51_7c_c1).wrapping_add(5));
        let breaks = [Breaks::Fold, Breaks::Panic, Breaks::Write][below(chance, 3)];
        let mistake = chance.hits(400).then(|| Mistake { one_in: [3, 6, 12][below(chance, 3)], breaks });
        let mended = chance.hits(700);
        let mut acts = Vec::new();
        if chance.hits(500) {
            for _ in 0..1 + chance.below(2) {
                versions(chance, safety_ms, &mut acts);
            }
        }
        if mistake.is_some() {
            parked(chance, safety_ms, &mut acts);
            if mended && chance.hits(500) {
                acts.push(Act { at_ms: chance.below(safety_ms), projection: 0, what: What::Mend });
            }
        }
        acts.sort_by_key(|act| act.at_ms);
        Self { mistake, mended, acts }
    }
}

/// Built, looked at, moved to, and the old one taken away; any of it left out, and at odd times.
fn versions(chance: &mut Chance, safety_ms: u64, acts: &mut Vec<Act>) {
    use What::{Build, Diff, Remove, Swap};
    let projection = below(chance, ALL.len());
    let mut at_ms = chance.below(safety_ms / 2);
    acts.push(Act { at_ms, projection, what: Build(2) });
    let road = [
        Diff(1),
        Swap(2),
        Diff(2),
        Remove(1),
        Build(3),
        Diff(3),
        Remove(2),
        Swap(3),
        Swap(1),
        Build(1),
        Remove(2),
        Build(2),
    ];
    for what in road {
        at_ms += chance.below(4_000);
        if at_ms < safety_ms && chance.hits(700) {
            acts.push(Act { at_ms, projection, what });
        }
    }
}

fn parked(chance: &mut Chance, safety_ms: u64, acts: &mut Vec<Act>) {
    for _ in 0..chance.below(8) {
        let nth = below(chance, 4);
        let all = [What::Retry(nth), What::RetryCause(nth), What::Skip(nth), What::Discard(nth)];
        let what = all[below(chance, all.len())];
        acts.push(Act { at_ms: chance.below(safety_ms), projection: below(chance, ALL.len()), what });
    }
}

/// One act, until it has an answer or patience ends.
pub(crate) async fn carry_out(world: World, act: Act) {
    world.time.reach(Duration::from_millis(act.at_ms)).await;
    let projection = ALL[act.projection % ALL.len()].0;
    world.count(format!("desk.{}", name(act.what)));
    match act.what {
        What::Mend => return world.readers.mend(),
        What::Build(version) => return world.readers.want(projection, version, true),
        _ => {}
    }
    let until = world.time.passed() + PATIENCE;
    ask(&world, projection, act.what, until).await;
}

fn name(what: What) -> &'static str {
    match what {
        What::Build(_) => "build",
        What::Swap(_) => "swap",
        What::Diff(_) => "diff",
        What::Remove(_) => "remove",
        What::Retry(_) => "retry",
        What::RetryCause(_) => "retry of a cause",
        What::Skip(_) => "skip",
        What::Discard(_) => "discard",
        What::Mend => "mend",
    }
}

/// Asks until there is a definite answer; whether there was one.
async fn ask(world: &World, projection: &'static str, what: What, until: Duration) -> bool {
    let mut turn = 0;
    while world.time.passed() < until {
        let models = world.models(projection);
        let model = models.get(turn % models.len().max(1)).cloned();
        turn += 1;
        if let Some(model) = model {
            let by = world.readers.asks(what);
            let said = Said::new(by.clone(), "simulated");
            let end = tokio::time::timeout(CALL, obey(world, projection, &model, what, &said)).await;
            let answer = match end {
                Ok(Ok(keys)) => Some(Ok(keys)),
                Ok(Err(e)) if e.class != Class::Outage => Some(Err(e.what.to_string())),
                Ok(Err(_)) | Err(_) => None,
            };
            let definite = answer.is_some();
            world.readers.answers(&by, answer);
            if definite {
                return true;
            }
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    false
}

async fn obey(
    world: &World,
    projection: &'static str,
    model: &ReadModel,
    what: What,
    said: &Said,
) -> Result<usize, ApplyError> {
    match what {
        What::Build(_) | What::Mend => Ok(0),
        What::Diff(other) => {
            let differences = model.diff(other, 3).await?;
            let (versions, age) = ((model.version(), other), world.db.age());
            for found in differences {
                world.readers.compares(Compared { projection, versions, found, age });
            }
            Ok(0)
        }
        What::Swap(to) => model.swap(to, Duration::from_secs(5), said).await.map(|()| 1),
        What::Remove(version) => {
            let active = model.versions().await?.iter().any(|v| v.version == version && v.active);
            if !active {
                // Whoever takes it away does not start it again.
                world.readers.want(projection, version, false);
            }
            model.remove(version, said).await.map(|()| 1)
        }
        What::RetryCause(nth) => match nth_of(model, nth).await? {
            Some(parked) => model.retry_cause(&parked.cause, said).await,
            None => Ok(0),
        },
        What::Retry(nth) => match nth_of(model, nth).await? {
            Some(Parked { shard, key, .. }) => model.retry(shard, &key, said).await.map(|()| 1),
            None => Ok(0),
        },
        What::Skip(nth) => match nth_of(model, nth).await? {
            Some(parked) => model.skip(&parked, said).await.map(|()| 1),
            None => Ok(0),
        },
        What::Discard(nth) => match nth_of(model, nth).await? {
            Some(Parked { shard, key, .. }) => model.discard(shard, &key, said).await.map(|()| 1),
            None => Ok(0),
        },
    }
}

async fn nth_of(model: &ReadModel, nth: usize) -> Result<Option<Parked>, ApplyError> {
    let parked = model.parked().await?;
    Ok(parked.get(nth % parked.len().max(1)).cloned())
}

/// After the faults somebody tidies up: what is parked is tried again until it is free, or, where the mistake is not
/// mended, left out event by event, or left alone.
pub(crate) async fn tidy_up(world: World, until: Duration) {
    if world.script.desk.mended {
        world.readers.mend();
    }
    let leave_alone = !world.script.desk.mended && world.script.seed.is_multiple_of(2);
    for (projection, _) in ALL {
        while !leave_alone && world.time.passed() < until {
            let models = world.models(projection);
            let all: BTreeSet<u32> = models.iter().map(ReadModel::version).collect();
            if all != world.readers.wanted(projection) {
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
            let mut free = true;
            for model in &models {
                match nth_of(model, 0).await {
                    Ok(None) => continue,
                    Ok(Some(parked)) if !parked.resuming => {
                        let what = if world.script.desk.mended { What::Retry(0) } else { What::Skip(0) };
                        let by = world.readers.asks(what);
                        let said = Said::new(by.clone(), "tidied up");
                        let end = match what {
                            What::Skip(_) => model.skip(&parked, &said).await,
                            _ => model.retry(parked.shard, &parked.key, &said).await,
                        };
                        let answer = match end {
                            Ok(()) => Some(Ok(1)),
                            Err(e) if e.class == Class::Outage => None,
                            Err(e) => Some(Err(e.what.to_string())),
                        };
                        world.readers.answers(&by, answer);
                    }
                    _ => {}
                }
                free = false;
            }
            if free {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    world.readers.set_tidy(true);
}
