//! Many disasters, one after another in an order drawn from a seed, until the time is over; and the table of what came of
//! them.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use palinode::log::memory::Chance;
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    disaster::{self, Disaster},
    run::{Verdict, run},
    say,
    servers::Servers,
};

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
        let chosen: Vec<&dyn Disaster> = disaster::all()
            .into_iter()
            .filter(|disaster| self.only.as_ref().is_none_or(|only| only == disaster.name()))
            .collect();
        let names: Vec<&str> = disaster::all().iter().map(|disaster| disaster.name()).collect();
        anyhow::ensure!(!chosen.is_empty(), "there is no such disaster; there are: {}", names.join(", "));
        let mut servers = Servers::start()?;
        let (begun, mut chance) = (Instant::now(), Chance::new(self.seed));
        let mut verdicts: Vec<Verdict> = Vec::new();
        let goes_on = |struck: usize| match self.within {
            Some(within) => begun.elapsed() < within,
            None => struck < chosen.len(),
        };
        let mut round = Vec::new();
        while goes_on(verdicts.len()) {
            if round.is_empty() {
                round.clone_from(&chosen);
            }
            let next = usize::try_from(chance.below(round.len() as u64)).unwrap_or(0);
            let disaster = round.swap_remove(next);
            say(format_args!("{}: {}", disaster.name(), disaster.what()));
            let verdict = run(disaster, &mut servers, chance.draw(), &self.program, &self.kept).await?;
            say(format_args!("{}", row(&verdict)));
            verdicts.push(verdict);
        }
        let held = verdicts.iter().all(Verdict::held);
        Ok(Outcome { seed: self.seed, held, verdicts })
    }
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
