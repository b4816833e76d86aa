//! W9: twice as many commands offered as the engine can do. An open loop: callers do not wait for each other. They run on
//! the machine they ask, so the same load is offered once more where nobody serves it: what it costs by itself.

use std::time::Duration;

use hdrhistogram::Histogram;
use palinode::{Aggregate, Answer, Client, Invalid, Service};
use tokio::{sync::mpsc, time::MissedTickBehavior};

use crate::{
    domain::{Command, Hotel, counters, text},
    figure::{Figure, Mark},
    host,
    setting::Setting,
    workload::{STOP, command::commands, node},
};

/// What became of the commands offered.
struct Offered {
    seconds: f64,
    accepted: Histogram<u64>,
    overloaded: u64,
    /// Told that nobody serves it.
    unserved: u64,
    /// CPU time of the whole process.
    cpu: Duration,
}

/// One of them.
enum Told {
    /// After so long.
    Accepted(Duration),
    Overloaded,
    Unserved,
}

/// Throughput beside the best, latency of what was accepted, and the part that was told `Overloaded`.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let time = Duration::from_secs(setting.size(30, 2));
    let (mut ours, mut best, mut p99, mut refused) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut alone = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    for _ in 0..setting.repeat {
        let dir = tempfile::tempdir()?;
        let running = node(dir.path(), counters()).await?;
        let warm = commands(&running.client(), 0, 256, setting.warm).await?;
        let closed = commands(&running.client(), warm.answers(), 256, setting.time).await?;
        let told = offer(&running.client(), closed.rate * 2.0, time).await?;
        running.stop(STOP).await;
        anyhow::ensure!(told.unserved == 0, "{} commands were told that nobody serves them", told.unserved);
        let dir = tempfile::tempdir()?;
        let elsewhere = node(dir.path(), [Service::new("nothing")]).await?;
        let load = offer(&elsewhere.client(), closed.rate * 2.0, time).await?;
        elsewhere.stop(STOP).await;
        anyhow::ensure!(load.accepted.is_empty() && load.overloaded == 0, "the load by itself was served");
        alone.push(load.cpu.as_secs_f64() / load.seconds / cores);
        best.push(closed.rate);
        ours.push(told.accepted.len() as f64 / told.seconds);
        p99.push(told.accepted.value_at_quantile(0.99) as f64 / 1_000.0);
        let all = told.accepted.len() + told.overloaded;
        refused.push(told.overloaded as f64 / all as f64);
    }
    let rate = Figure::new("W9", "accepted, limit: the best", "commands/s", ours);
    Ok(vec![
        rate.beside(best).mark(Mark::RatioAtLeast(0.9)),
        Figure::new("W9", "p99 of what was accepted", "ms", p99),
        Figure::new("W9", "part told Overloaded", "of all", refused),
        Figure::new("W9", "the load where nobody serves it: CPU time", "of the machine", alone),
    ])
}

/// Offers so many commands a second, whatever becomes of them.
async fn offer(client: &Client, rate: f64, time: Duration) -> anyhow::Result<Offered> {
    let (answers, mut told) = mpsc::unbounded_channel();
    let (begun, cpu) = (host::now(), host::cpu());
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut offered = 0;
    while begun.elapsed() < time {
        tick.tick().await;
        let due = begun.elapsed().as_secs_f64() * rate;
        while f64::from(offered) < due {
            let ask = Hotel::at((offered % 1_000).to_string()).ask(Command::Enter(text()));
            let (client, answers) = (client.clone(), answers.clone());
            tokio::spawn(async move {
                let asked = host::now();
                let answer = match client.execute(ask).await {
                    Answer::Accepted(_) => Ok(Told::Accepted(asked.elapsed())),
                    Answer::Overloaded => Ok(Told::Overloaded),
                    Answer::Invalid(Invalid::NotServed { .. }) => Ok(Told::Unserved),
                    other => Err(format!("{other:?}")),
                };
                // The receiver waits for all of them.
                answers.send(answer).unwrap_or_default();
            });
            offered += 1;
        }
    }
    drop(answers);
    let accepted = Histogram::new_with_bounds(1, 600_000_000, 3)?;
    let mut result = Offered { seconds: 0.0, accepted, overloaded: 0, unserved: 0, cpu: Duration::ZERO };
    while let Some(answer) = told.recv().await {
        match answer {
            Ok(Told::Accepted(latency)) => {
                result.accepted.saturating_record(u64::try_from(latency.as_micros())?);
            }
            Ok(Told::Overloaded) => result.overloaded += 1,
            Ok(Told::Unserved) => result.unserved += 1,
            Err(other) => anyhow::bail!("a command was answered {other}"),
        }
    }
    result.seconds = begun.elapsed().as_secs_f64();
    result.cpu = host::cpu().saturating_sub(cpu);
    Ok(result)
}
