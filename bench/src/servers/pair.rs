//! W1 and W2 on Kafka: the engine in one process, in turns with bare producers of the same records.

use super::{FULL, QUARTER, SHARDS, bare::Bare, place::Place, work::Work};
use crate::{
    figure::{Figure, Mark},
    load::Run,
    setting::Setting,
    workload::{STOP, at, rates},
};

/// Runs of the engine, and those of its limit in between.
pub(super) struct Pairs {
    pub(super) ours: Vec<Run>,
    pub(super) bare: Vec<Run>,
}

impl Pairs {
    /// In turns, each on a place of its own.
    pub(super) async fn run(
        work: Work,
        shards: u32,
        in_flight: usize,
        setting: &Setting,
    ) -> anyhow::Result<Self> {
        let mut pairs = Self { ours: Vec::new(), bare: Vec::new() };
        for _ in 0..setting.repeat {
            let place = Place::create(work, shards, setting).await?;
            let node = place.start().await?;
            let warm = work.run(&node.client(), 0, in_flight, setting.warm).await?;
            let run = work.run(&node.client(), warm.answers(), in_flight, setting.time).await?;
            let (commits, each) = (node.counts().commits(), work.commits().iter().map(|(_, n)| *n as u64));
            let expected = (warm.answers() + run.answers()) * each.sum::<u64>();
            anyhow::ensure!(commits == expected, "{commits} commits, {expected} were answered");
            node.stop(STOP).await;
            pairs.ours.push(run);
            pairs.bare.push(Bare::run(&place, in_flight, setting).await?);
            place.remove().await?;
        }
        Ok(pairs)
    }

    /// The rate.
    pub(super) fn rate(&self, workload: &'static str, name: &str, unit: &'static str) -> Figure {
        Figure::new(workload, name, unit, rates(&self.ours)).beside(rates(&self.bare))
    }

    /// A quantile of the latency.
    fn latency(&self, workload: &'static str, name: &str, quantile: f64) -> Figure {
        let name = format!("{name}, p{:.0}", quantile * 100.0);
        Figure::new(workload, name, "ms", at(&self.ours, quantile)).beside(at(&self.bare, quantile))
    }

    /// CPU time of this process; the servers have theirs.
    fn cpu(&self, workload: &'static str, name: &str) -> Figure {
        let us = |runs: &[Run]| runs.iter().map(|run| run.cpu_us).collect();
        Figure::new(workload, format!("{name}, CPU time of one"), "us", us(&self.ours)).beside(us(&self.bare))
    }
}

/// W1: alone, and with 32 in flight on every partition.
pub(super) async fn commands(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mark = Mark::RatioAtLeast(0.4);
    measure("W1", (Work::Commands, SHARDS), "commands/s", mark, setting).await
}

/// W2: the same of sagas; and over four times as many partitions.
pub(super) async fn sagas(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mark = Mark::AtLeast(6_000.0);
    let mut figures = measure("W2", (Work::Sagas, QUARTER), "sagas/s", mark, setting).await?;
    let pairs = Pairs::run(Work::Sagas, SHARDS, FULL, setting).await?;
    let name = format!("{FULL} in flight, {SHARDS} partitions a service");
    figures.extend([pairs.rate("W2", &name, "sagas/s"), pairs.cpu("W2", &name)]);
    Ok(figures)
}

async fn measure(
    workload: &'static str,
    (work, shards): (Work, u32),
    unit: &'static str,
    mark: Mark,
    setting: &Setting,
) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for in_flight in [1, FULL] {
        let pairs = Pairs::run(work, shards, in_flight, setting).await?;
        let (name, full) = (format!("{in_flight} in flight"), in_flight == FULL);
        let rate = pairs.rate(workload, &name, unit);
        figures.push(if full { rate.mark(mark) } else { rate });
        let p50 = pairs.latency(workload, &name, 0.5);
        let marked = !full && work == Work::Commands;
        figures.push(if marked { p50.mark(Mark::RatioAtMost(1.5)) } else { p50 });
        figures.push(pairs.latency(workload, &name, 0.99));
        figures.push(pairs.cpu(workload, &name));
    }
    Ok(figures)
}
