//! The scene of one disaster: its place, the processes, the load. What a disaster can do to them, and how it waits until
//! something is so. Judges nothing.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use palinode::log::memory::Chance;
use tokio::time::{Instant, sleep};

use crate::{
    domain::{SERVICES, SHARDS},
    load::Load,
    place::Place,
    process::{Manner, Process},
    servers::Servers,
};

/// How often something is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// How long something may take that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Everything a disaster may touch.
pub(crate) struct Scene<'a> {
    pub(crate) servers: &'a Servers,
    pub(crate) place: Arc<Place>,
    pub(crate) nodes: Vec<Process>,
    pub(crate) load: Load,
    pub(crate) chance: Chance,
    /// This program.
    program: PathBuf,
    /// Where processes log.
    logs: PathBuf,
    /// How many processes were started.
    started: u32,
}

impl<'a> Scene<'a> {
    /// A fresh place with so many processes that share all shards, and a load on them.
    pub(crate) async fn set(
        servers: &'a Servers,
        program: PathBuf,
        logs: PathBuf,
        seed: u64,
        nodes: u32,
    ) -> anyhow::Result<Self> {
        let place = Arc::new(Place::make(servers).await?);
        let load = Load::start(place.client().await?, seed);
        let chance = Chance::new(seed);
        let mut scene = Self { servers, place, nodes: Vec::new(), load, chance, program, logs, started: 0 };
        for _ in 0..nodes {
            scene.start(&Manner::default())?;
        }
        scene.whole("it begins").await?;
        scene.progress(150).await?;
        Ok(scene)
    }

    /// Starts a process.
    pub(crate) fn start(&mut self, manner: &Manner) -> anyhow::Result<&Process> {
        self.started += 1;
        let name = format!("node-{}", self.started);
        self.nodes.push(Process::start(&self.program, &name, &self.place, manner, &self.logs)?);
        self.nodes.last().context("no process")
    }

    /// Takes a process out of the scene that owns something.
    pub(crate) fn take_owner(&mut self) -> anyhow::Result<Process> {
        let owners: Vec<usize> =
            (0..self.nodes.len()).filter(|n| self.nodes.get(*n).is_some_and(Process::is_owner)).collect();
        let one = self.chance.below(owners.len() as u64);
        let at = usize::try_from(one).ok().and_then(|one| owners.get(one));
        Ok(self.nodes.swap_remove(*at.context("no process owns anything")?))
    }

    /// The process of this name.
    pub(crate) fn node(&self, name: &str) -> Option<&Process> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Takes the process of this name out of the scene.
    pub(crate) fn take(&mut self, name: &str) -> anyhow::Result<Process> {
        let at = self.nodes.iter().position(|node| node.name == name);
        Ok(self.nodes.swap_remove(at.with_context(|| format!("there is no {name}"))?))
    }

    /// How many shards are served, by how many of the processes each.
    pub(crate) fn served(&self) -> BTreeMap<String, usize> {
        let mut served = BTreeMap::new();
        for shard in self.nodes.iter().flat_map(|node| node.said().serving) {
            *served.entry(shard).or_default() += 1;
        }
        served
    }

    /// Waits until every shard is served by exactly one process, each of them serves some, and none had to stop.
    pub(crate) async fn whole(&mut self, when: &str) -> anyhow::Result<()> {
        let all = SERVICES.len() * usize::try_from(SHARDS)?;
        let until = Instant::now() + PATIENCE;
        loop {
            self.alive()?;
            let served = self.served();
            if served.len() == all && served.values().all(|n| *n == 1) {
                return Ok(());
            }
            ensure!(Instant::now() < until, "{when}: not every shard is served by one process: {served:?}");
            sleep(LOOK).await;
        }
    }

    /// Waits until so many more answers came.
    pub(crate) async fn progress(&mut self, answers: u64) -> anyhow::Result<()> {
        let (from, until) = (self.load.answers(), Instant::now() + PATIENCE);
        while self.load.answers() < from + answers {
            self.alive()?;
            let came = self.load.answers() - from;
            ensure!(Instant::now() < until, "{came} answers came within {PATIENCE:?}, not {answers}");
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until this is so.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        mut so: impl FnMut(&mut Self) -> bool,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while !so(self) {
            self.alive()?;
            ensure!(Instant::now() < until, "never within {PATIENCE:?}: {what}");
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// No process has ended by itself, and no shard had to stop.
    pub(crate) fn alive(&mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            if let Some(status) = node.ended() {
                bail!("{} ended by itself: {status}", node.name);
            }
            if let [why, ..] = &node.said().halted[..] {
                bail!("{} had to stop a shard: {why}", node.name);
            }
        }
        Ok(())
    }

    /// Ends all processes in order.
    pub(crate) async fn end(nodes: Vec<Process>) -> anyhow::Result<()> {
        let all = nodes.into_iter().map(Process::stop);
        futures_util::future::try_join_all(all).await.map(drop)
    }
}
