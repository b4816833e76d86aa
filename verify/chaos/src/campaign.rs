//! Many disasters in an order drawn from a seed, until the time is over; and the table of what came of them. Those that leave
//! the servers alone happen side by side.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use futures_util::future::try_join_all;
use palinode::log::memory::Chance;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    disaster::{self, Disaster},
    run::{Verdict, run},
    say,
    servers::Servers,
};

/// How many disasters happen at the same time, to scenes of their own on the same servers.
const SIDE_BY_SIDE: usize = 3;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// No disaster begins after so long; without it, each strikes once.
    pub within: Option<Duration>,
    /// What order and details are drawn from.
    pub seed: u64,
    /// Only disasters of this name.
    pub only: Option<String>,
    /// This program.
    pub program: PathBuf,
    /// Where evidence goes.
    pub kept: PathBuf,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Whether all held.
    pub held: bool,
    /// One after another.
    pub verdicts: Vec<Verdict>,
}

impl Campaign {
    /// Strikes.
    ///
    /// # Errors
    /// When the servers cannot be started, or there is no such disaster.
    pub async fn run(&self) -> anyhow::Result<Outcome> {
        let chosen: Vec<&'static dyn Disaster> = disaster::all()
            .into_iter()
            .filter(|disaster| self.only.as_ref().is_none_or(|only| only == disaster.name()))
            .collect();
        let names: Vec<&str> = disaster::all().iter().map(|disaster| disaster.name()).collect();
        anyhow::ensure!(!chosen.is_empty(), "there is no such disaster; there are: {}", names.join(", "));
        let servers = Servers::start()?;
        let (begun, mut chance) = (Instant::now(), Chance::new(self.seed));
        let (mut verdicts, mut round) = (Vec::new(), chosen.clone());
        loop {
            let batch = batch(&mut round, &mut chance);
            let strikes = batch.into_iter().map(|(disaster, seed)| self.strike(disaster, &servers, seed));
            verdicts.extend(try_join_all(strikes).await?);
            let over = match self.within {
                Some(within) => begun.elapsed() >= within,
                None => round.is_empty(),
            };
            if over {
                break;
            }
            if round.is_empty() {
                round.clone_from(&chosen);
            }
        }
        let held = verdicts.iter().all(Verdict::held);
        Ok(Outcome { seed: self.seed, held, verdicts })
    }

    async fn strike(&self, disaster: &dyn Disaster, servers: &Servers, seed: u64) -> anyhow::Result<Verdict> {
        say(format_args!("{}: {}", disaster.name(), disaster.what()));
        let verdict = run(disaster, servers, seed, &self.program, &self.kept).await?;
        say(format_args!("{}", row(&verdict)));
        Ok(verdict)
    }
}

/// The next disasters, drawn from what is left of a round, each with its seed: one that hurts the servers, or several that
/// do not.
fn batch(round: &mut Vec<&'static dyn Disaster>, chance: &mut Chance) -> Vec<(&'static dyn Disaster, u64)> {
    let mut batch: Vec<(&'static dyn Disaster, u64)> = Vec::new();
    while batch.len() < SIDE_BY_SIDE && batch.last().is_none_or(|(last, _)| !last.is_alone()) {
        let fit: Vec<usize> = (0..round.len())
            .filter(|n| round.get(*n).is_some_and(|disaster| batch.is_empty() || !disaster.is_alone()))
            .collect();
        let drawn = usize::try_from(chance.below(fit.len() as u64)).unwrap_or_default();
        let Some(at) = fit.get(drawn) else { break };
        batch.push((round.swap_remove(*at), chance.draw()));
    }
    batch
}

const HEAD: &str =
    "disaster              acknowledged  completed  taken back   dead  claims  seconds  verdict";

fn row(v: &Verdict) -> String {
    let verdict = if v.held() { "held" } else { "FAILED" };
    format!(
        "{:<22}{:>12}{:>11}{:>12}{:>7}{:>8}{:>9.1}  {verdict}: {}",
        v.disaster, v.acknowledged, v.completed, v.compensated, v.dead, v.claims, v.seconds, v.did
    )
}

impl Outcome {
    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for verdict in &self.verdicts {
            let _ = writeln!(text, "{}", row(verdict));
            for wrong in &verdict.wrong {
                let _ = writeln!(text, "    {wrong}");
            }
            if let Some(folder) = &verdict.evidence {
                let _ = writeln!(text, "    evidence: {}", folder.display());
            }
        }
        let failed = self.verdicts.iter().filter(|verdict| !verdict.held()).count();
        let acknowledged: usize = self.verdicts.iter().map(|verdict| verdict.acknowledged).sum();
        let all = self.verdicts.len();
        let _ =
            write!(text, "{all} disasters, {acknowledged} acknowledged, {failed} failed; seed {}", self.seed);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_every_disaster_once_and_those_that_hurt_the_servers_by_themselves() {
        let (all, mut chance) = (disaster::all(), Chance::new(7));
        let (mut round, mut names) = (all.clone(), Vec::new());
        while !round.is_empty() {
            let batch = batch(&mut round, &mut chance);
            assert!(batch.len() == 1 || batch.iter().all(|(disaster, _)| !disaster.is_alone()));
            names.extend(batch.iter().map(|(disaster, _)| disaster.name()));
        }
        names.sort_unstable();
        let mut expected: Vec<&str> = all.iter().map(|disaster| disaster.name()).collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}
