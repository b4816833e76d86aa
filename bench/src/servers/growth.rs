//! W12: commands over more and more partitions of one process, and sagas over more and more processes, with as many in
//! flight in all; each beside bare producers.

use super::{FULL, SHARDS, bare::Bare, member::Members, pair::Pairs, place::Place, work::Work};
use crate::{
    figure::Figure,
    setting::Setting,
    workload::{at, rates},
};

/// Rates.
pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let (partitions, all): (&[u32], &[usize]) =
        if setting.quick { (&[1, 8], &[2]) } else { (&[1, 8, 32], &[1, 2, 4]) };
    for &shards in partitions {
        let name = format!("{shards} partitions, {FULL} in flight");
        let pairs = Pairs::run(Work::Commands, shards, FULL, setting).await?;
        figures.push(pairs.rate("W12", &name, "commands/s"));
    }
    for &processes in all {
        figures.extend(over(processes, setting).await?);
    }
    Ok(figures)
}

/// Sagas over so many processes: each has its part of the callers, and any of the shards.
async fn over(processes: usize, setting: &Setting) -> anyhow::Result<[Figure; 2]> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..setting.repeat {
        let place = Place::create(Work::Sagas, SHARDS, setting).await?;
        let mut members = Members::start(&place, processes).await?;
        members.run(FULL, setting.warm).await?;
        ours.push(members.run(FULL, setting.time).await?);
        members.stop().await?;
        bare.push(Bare::run(&place, FULL, setting).await?);
        place.remove().await?;
    }
    let name = format!("{processes} processes, {FULL} in flight");
    let p50 = Figure::new("W12", format!("{name}, p50"), "ms", at(&ours, 0.5)).beside(at(&bare, 0.5));
    Ok([Figure::new("W12", name, "sagas/s", rates(&ours)).beside(rates(&bare)), p50])
}
