//! W1: one command to one of 1 000 aggregates, an event of 200 bytes.

use std::{sync::Arc, time::Duration};

use palinode::{Aggregate, Answer, Client};

use crate::{
    domain::{Command, Hotel, counters, text},
    figure::{Figure, Mark},
    limit::{Bare, sample},
    load::{Run, closed},
    setting::Setting,
    workload::{STOP, node},
};

/// How many aggregates there are.
pub(crate) const AGGREGATES: u64 = 1_000;

/// Commands with so many in flight.
pub(crate) async fn commands(
    client: &Client,
    first: u64,
    in_flight: usize,
    time: Duration,
) -> anyhow::Result<Run> {
    let (client, text) = (client.clone(), Arc::<str>::from(text()));
    closed(first, in_flight, time, move |n| {
        let (client, text) = (client.clone(), Arc::clone(&text));
        async move { command(&client, n, &text).await }
    })
    .await
}

/// One command, to its answer.
pub(crate) async fn command(client: &Client, n: u64, text: &str) -> anyhow::Result<()> {
    let ask = Hotel::at((n % AGGREGATES).to_string()).ask(Command::Enter(text.to_owned()));
    match client.execute(ask).await {
        Answer::Accepted(_) => Ok(()),
        other => anyhow::bail!("a command was answered {other:?}"),
    }
}

/// Rate and latency at each number in flight, in turns with the limit.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for in_flight in [1, 16, 64, 256, 1_024] {
        let (mut ours, mut limit) = (Vec::new(), Vec::new());
        for _ in 0..setting.repeat {
            let dir = tempfile::tempdir()?;
            let running = node(dir.path(), counters()).await?;
            let warm = commands(&running.client(), 0, in_flight, setting.warm).await?;
            ours.push(commands(&running.client(), warm.answers(), in_flight, setting.time).await?);
            running.stop(STOP).await;
            let bytes = sample(dir.path(), "hotel", 1).await?;
            limit.push(Bare::run(&bytes, in_flight, setting).await?);
        }
        let rate = Figure::new("W1", format!("{in_flight} in flight"), "commands/s", rates(&ours));
        let rate = rate.beside(rates(&limit));
        figures.push(if in_flight == 256 { rate.mark(Mark::RatioAtLeast(0.35)) } else { rate });
        let p50 = Figure::new("W1", format!("{in_flight} in flight, p50"), "ms", at(&ours, 0.5));
        let p50 = p50.beside(at(&limit, 0.5));
        figures.push(if in_flight == 1 { p50.mark(Mark::RatioAtMost(1.5)) } else { p50 });
        let p99 = Figure::new("W1", format!("{in_flight} in flight, p99"), "ms", at(&ours, 0.99));
        figures.push(p99.beside(at(&limit, 0.99)));
    }
    Ok(figures)
}

/// The rates of these runs.
pub(crate) fn rates(runs: &[Run]) -> Vec<f64> {
    runs.iter().map(|run| run.rate).collect()
}

/// A quantile of the latency of these runs, in milliseconds.
pub(crate) fn at(runs: &[Run], quantile: f64) -> Vec<f64> {
    runs.iter().map(|run| run.latency.value_at_quantile(quantile) as f64 / 1_000.0).collect()
}
