//! W7: the rate of commands while the log grows.

use crate::{
    child::many,
    domain::counters,
    figure::{Figure, Mark},
    setting::Setting,
    workload::{
        STOP,
        command::{commands, rates},
        node,
    },
};

/// The rate at each size, and the last beside the first.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let sizes: &[u64] =
        if setting.quick { &[10_000, 50_000] } else { &[10_000, 100_000, 1_000_000, 10_000_000] };
    let mut rate_at = vec![Vec::new(); sizes.len()];
    for _ in 0..setting.repeat {
        let dir = tempfile::tempdir()?;
        let running = node(dir.path(), counters()).await?;
        let mut written = 0;
        for (size, rate_at) in sizes.iter().zip(&mut rate_at) {
            many(&running.client(), size.saturating_sub(written)).await?;
            written = written.max(*size);
            let run = commands(&running.client(), written, 256, setting.time).await?;
            written += run.answers();
            rate_at.push(run);
        }
        running.stop(STOP).await;
    }
    let mut figures: Vec<Figure> = sizes
        .iter()
        .zip(&rate_at)
        .map(|(size, runs)| Figure::new("W7", format!("with {size} events"), "commands/s", rates(runs)))
        .collect();
    if let (Some(first), Some(last)) = (rate_at.first(), rate_at.last()) {
        let figure = Figure::new("W7", "the largest log, limit: the smallest", "commands/s", rates(last));
        figures.push(figure.beside(rates(first)).mark(Mark::RatioAtLeast(0.7)));
    }
    Ok(figures)
}
