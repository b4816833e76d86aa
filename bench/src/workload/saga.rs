//! W2 and W3: a saga of three steps on three services, seven commits in sequence; and the same when one in five is refused
//! at its third step and taken back.

use std::time::Duration;

use palinode::Answer;
use palinode_sagas::{SagaClient, client::Sagas};

use crate::{
    domain::{Trip, travel, trip},
    figure::{Figure, Mark},
    limit::{Bare, sample},
    load::{Run, closed},
    setting::Setting,
    workload::{
        STOP,
        command::{at, rates},
        node,
    },
};

/// Commits of one saga.
const COMMITS: usize = 7;

/// Sagas with so many in flight, each from its start to its terminal commit; of every hundred so many are refused.
pub(crate) async fn sagas(
    sagas: Sagas<Trip>,
    first: u64,
    in_flight: usize,
    time: Duration,
    refused: u64,
) -> anyhow::Result<Run> {
    closed(first, in_flight, time, move |n| one(sagas.clone(), n, n % 100 < refused)).await
}

/// One saga, to its end.
pub(crate) async fn one(sagas: Sagas<Trip>, n: u64, refused: bool) -> anyhow::Result<()> {
    let data = Trip { counter: u32::try_from(n % 1_000)?, refused, guest: "ada".into() };
    let started = match sagas.start(format!("{n:09}"), data).await {
        Answer::Accepted(started) => started.reply,
        other => anyhow::bail!("a start was answered {other:?}"),
    };
    let end = started.finished().await;
    end.ok_or_else(|| anyhow::anyhow!("the node stopped"))??;
    Ok(())
}

/// W2: rate and latency at each number in flight, in turns with the limit.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for in_flight in [1, 16, 64, 256] {
        let (mut ours, mut limit) = (Vec::new(), Vec::new());
        for _ in 0..setting.repeat {
            let (run, bytes) = fresh(setting, in_flight, 0).await?;
            ours.push(run);
            limit.push(Bare::run(&bytes, in_flight, setting).await?);
        }
        let rate = Figure::new("W2", format!("{in_flight} in flight"), "sagas/s", rates(&ours));
        let rate = rate.beside(rates(&limit));
        figures.push(if in_flight == 256 { rate.mark(Mark::AtLeast(12_000.0)) } else { rate });
        let p50 = Figure::new("W2", format!("{in_flight} in flight, p50"), "ms", at(&ours, 0.5));
        let p50 = p50.beside(at(&limit, 0.5));
        figures.push(if in_flight == 1 { p50.mark(Mark::AtMost(1.5)) } else { p50 });
        let p99 = Figure::new("W2", format!("{in_flight} in flight, p99"), "ms", at(&ours, 0.99));
        figures.push(p99.beside(at(&limit, 0.99)));
        let cpu = |runs: &[Run]| runs.iter().map(|run| run.cpu_us).collect::<Vec<_>>();
        let figure =
            Figure::new("W2", format!("{in_flight} in flight, CPU time of a saga"), "us", cpu(&ours));
        figures.push(figure.beside(cpu(&limit)));
    }
    Ok(figures)
}

/// W3: beside W2 itself, in turns.
pub(crate) async fn measure_refused(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..setting.repeat {
        ours.push(fresh(setting, 256, 20).await?.0);
        plain.push(fresh(setting, 256, 0).await?.0);
    }
    let rate = Figure::new("W3", "256 in flight, limit: W2", "sagas/s", rates(&ours));
    let p99 = Figure::new("W3", "256 in flight, p99, limit: W2", "ms", at(&ours, 0.99));
    Ok(vec![rate.beside(rates(&plain)).mark(Mark::RatioAtLeast(0.8)), p99.beside(at(&plain, 0.99))])
}

/// On a new folder: the run, and the bytes of one saga's commits.
async fn fresh(
    setting: &Setting,
    in_flight: usize,
    refused: u64,
) -> anyhow::Result<(Run, Vec<std::sync::Arc<[u8]>>)> {
    let dir = tempfile::tempdir()?;
    let running = node(dir.path(), travel()).await?;
    let all = running.client().sagas("trip", &trip());
    let warm = sagas(all.clone(), 0, in_flight, setting.warm, refused).await?;
    let run = sagas(all, warm.answers(), in_flight, setting.time, refused).await?;
    running.stop(STOP).await;
    // Four of its commits are the saga's own, and one is each counter's.
    let mut bytes = sample(dir.path(), "trip", COMMITS - 3).await?;
    for service in ["hotel", "flight", "car"] {
        bytes.extend(sample(dir.path(), service, 1).await?);
    }
    Ok((run, bytes))
}
