//! A closed loop: so many callers at once, each asking again as soon as it is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use hdrhistogram::Histogram;

use crate::host;

/// What one run of a closed loop showed.
#[derive(Clone)]
pub(crate) struct Run {
    /// Answers in a second.
    pub(crate) rate: f64,
    /// From the call to the durable answer, in microseconds.
    pub(crate) latency: Histogram<u64>,
    /// CPU time of the whole process for one answer, in microseconds.
    pub(crate) cpu_us: f64,
}

impl Run {
    /// Several at the same time, as one.
    #[cfg(feature = "servers")]
    pub(crate) fn together(runs: &[Self]) -> anyhow::Result<Self> {
        let mut latency = Histogram::new_with_bounds(1, 600_000_000, 2)?;
        for run in runs {
            latency.add(&run.latency)?;
        }
        let cpu: f64 = runs.iter().map(|run| run.cpu_us * run.answers() as f64).sum();
        let cpu_us = cpu / latency.len() as f64;
        Ok(Self { rate: runs.iter().map(|run| run.rate).sum(), latency, cpu_us })
    }

    /// How many were answered.
    pub(crate) fn answers(&self) -> u64 {
        self.latency.len()
    }
}

/// Runs `work(n)` for n = first.. with so many in flight, until the time is over.
pub(crate) async fn closed<F, W>(first: u64, in_flight: usize, time: Duration, work: W) -> anyhow::Result<Run>
where
    W: Fn(u64) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let next = Arc::new(AtomicU64::new(first));
    let (begun, cpu) = (host::now(), host::cpu());
    let until = begun + time;
    let callers = (0..in_flight).map(|_| {
        let (next, work) = (Arc::clone(&next), work.clone());
        tokio::spawn(caller(next, until, work))
    });
    let mut latency = Histogram::new_with_bounds(1, 600_000_000, 2)?;
    for told in join_all(callers).await {
        latency.add(told??)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let answers = latency.len() as f64;
    let cpu_us = (host::cpu() - cpu).as_secs_f64() * 1e6 / answers;
    Ok(Run { rate: answers / seconds, latency, cpu_us })
}

async fn caller<F, W>(next: Arc<AtomicU64>, until: Instant, work: W) -> anyhow::Result<Histogram<u64>>
where
    W: Fn(u64) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    let mut latency = Histogram::new_with_bounds(1, 600_000_000, 2)?;
    loop {
        let begun = host::now();
        if begun >= until {
            return Ok(latency);
        }
        work(next.fetch_add(1, Ordering::Relaxed)).await?;
        latency.saturating_record(u64::try_from(begun.elapsed().as_micros())?);
    }
}
