//! W13: rates, CPU time and memory, each beside that of a run right before or after it with nobody told.

use std::collections::BTreeMap;

use palinode_sagas::SagaClient;

use super::stage::{FULL, SEEN, Seen, Stage, Work};
use crate::{
    domain::trip,
    figure::{Figure, Mark},
    host,
    load::Run,
    setting::Setting,
    workload::{commands, sagas},
};

/// Pairs at least: the differences are small.
const PAIRS: usize = 10;

/// Figures of all pairs.
pub(super) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (work, name) in Work::ALL {
        let mut pairs: BTreeMap<&str, Vec<Pair>> = BTreeMap::new();
        for n in 0..setting.repeat.max(PAIRS) {
            for seen in SEEN {
                pairs.entry(seen.name).or_default().push(pair(work, seen, n % 2 == 0, setting).await?);
            }
        }
        for seen in SEEN {
            let pairs = pairs.remove(seen.name).unwrap_or_default();
            let figure = |more: &str, unit, get: fn(&Seat) -> f64| {
                let (seen_, alone) = pairs.iter().map(|pair| (get(&pair.seen), get(&pair.alone))).unzip();
                Figure::new("W13", format!("{name}: {}{more}", seen.name), unit, seen_).paired(alone)
            };
            let unit = if work == Work::Commands { "commands/s" } else { "sagas/s" };
            let rate = figure("", unit, |seat| seat.run.rate);
            figures.push(match seen.rate {
                Some(mark) => rate.mark(Mark::RatioAtLeast(mark)),
                None => rate,
            });
            figures.push(figure(", CPU time of one", "us", |seat| seat.run.cpu_us));
            figures.push(figure(", p99", "ms", |seat| {
                seat.run.latency.value_at_quantile(0.99) as f64 / 1_000.0
            }));
            figures.push(figure(", resident at the end", "MB", |seat| seat.memory_mb));
        }
    }
    Ok(figures)
}

/// Two runs, one right after the other.
struct Pair {
    seen: Seat,
    alone: Seat,
}

/// One of them comes first, the next time the other.
async fn pair(work: Work, seen: Seen, first: bool, setting: &Setting) -> anyhow::Result<Pair> {
    Ok(if first {
        Pair { seen: once(work, Some(seen), setting).await?, alone: once(work, None, setting).await? }
    } else {
        let alone = once(work, None, setting).await?;
        Pair { alone, seen: once(work, Some(seen), setting).await? }
    })
}

/// One run, and the memory of this process right after it.
struct Seat {
    run: Run,
    memory_mb: f64,
}

async fn once(work: Work, seen: Option<Seen>, setting: &Setting) -> anyhow::Result<Seat> {
    let stage = Stage::set(work, seen).await?;
    let client = stage.node.client();
    let run = match work {
        Work::Commands => {
            let warm = commands(&client, 0, FULL, setting.warm).await?;
            commands(&client, warm.answers(), FULL, setting.time).await?
        }
        Work::Sagas => {
            let all = client.sagas("trip", &trip());
            let warm = sagas(all.clone(), 0, FULL, setting.warm, 0).await?;
            sagas(all, warm.answers(), FULL, setting.time, 0).await?
        }
    };
    let memory_mb = host::memory_mb();
    stage.clear().await?;
    Ok(Seat { run, memory_mb })
}
