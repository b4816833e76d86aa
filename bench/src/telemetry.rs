//! W13: what it costs to be seen. The same commands and sagas with nobody told, with metrics, with one trace in a hundred, with
//! all of them, and with a collector that hangs: each run in a pair with one of nobody told.

mod collector;

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use palinode::{Node, Service, telemetry::Observe};
use palinode_sagas::SagaClient;
use palinode_telemetry::{Setup, Telemetry};

use self::collector::Collector;
use crate::{
    domain::{counters, travel, trip},
    figure::{Figure, Mark},
    host,
    load::Run,
    setting::Setting,
    workload::{STOP, commands, sagas},
};

/// The only one.
pub(crate) const NAMES: [&str; 1] = ["W13"];

/// What it does, in a line.
pub(crate) const ABOUT: &str = "W1 and W2 with 256 in flight, observed more and more";

/// In flight.
const FULL: usize = 256;
/// Pairs at least: the differences are small.
const PAIRS: usize = 10;
/// How long what was told may take to leave, once a run is over.
const DRAIN: Duration = Duration::from_secs(1);

/// How much is seen, and what may be left of the rate with nobody told.
const SEEN: [(&str, Seen, Option<f64>); 4] = [
    ("metrics", Seen { ratio: None, hangs: false }, Some(0.95)),
    ("metrics, 1 % of traces", Seen { ratio: Some("0.01"), hangs: false }, Some(0.92)),
    ("metrics, all traces", Seen { ratio: Some("1"), hangs: false }, None),
    ("metrics, all traces, the collector hangs", Seen { ratio: Some("1"), hangs: true }, None),
];

#[derive(Clone, Copy)]
struct Seen {
    /// The part of traces that is kept; none: no collector.
    ratio: Option<&'static str>,
    hangs: bool,
}

/// What is done.
#[derive(Clone, Copy)]
enum Work {
    Commands,
    Sagas,
}

/// Rates, CPU time and memory, each beside that with nobody told.
pub(crate) async fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (work, name, unit) in [(Work::Commands, "W1", "commands/s"), (Work::Sagas, "W2", "sagas/s")] {
        let mut pairs: BTreeMap<&str, Vec<Pair>> = BTreeMap::new();
        for n in 0..setting.repeat.max(PAIRS) {
            for (what, seen, _) in SEEN {
                pairs.entry(what).or_default().push(pair(work, seen, n % 2 == 0, setting).await?);
            }
        }
        for (what, _, mark) in SEEN {
            let pairs = pairs.remove(what).unwrap_or_default();
            let figure = |name: String, unit, get: fn(&Seat) -> f64| {
                let (seen, alone) = pairs.iter().map(|pair| (get(&pair.seen), get(&pair.alone))).unzip();
                Figure::new("W13", name, unit, seen).paired(alone)
            };
            let rate = figure(format!("{name}: {what}"), unit, |seat| seat.run.rate);
            figures.push(match mark {
                Some(mark) => rate.mark(Mark::RatioAtLeast(mark)),
                None => rate,
            });
            figures.push(figure(format!("{name}: {what}, CPU time of one"), "us", |seat| seat.run.cpu_us));
            figures.push(figure(format!("{name}: {what}, p99"), "ms", |seat| {
                seat.run.latency.value_at_quantile(0.99) as f64 / 1_000.0
            }));
            figures.push(figure(format!("{name}: {what}, resident at the end"), "MB", |seat| seat.memory_mb));
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

/// On a new folder, seen so.
async fn once(work: Work, seen: Option<Seen>, setting: &Setting) -> anyhow::Result<Seat> {
    let collector = seen.map(|seen| Collector::start(seen.hangs)).transpose()?;
    let telemetry = match (seen, &collector) {
        (Some(seen), Some(collector)) => Some(turned_on(seen, collector.endpoint()).await?),
        _ => None,
    };
    let dir = tempfile::tempdir()?;
    let observer = telemetry.as_ref().and_then(Telemetry::observer);
    let services: Vec<Service> = match work {
        Work::Commands => counters().into_iter().collect(),
        Work::Sagas => travel().into_iter().collect(),
    };
    let node = node(dir.path(), services, observer).await?;
    let run = match work {
        Work::Commands => {
            let warm = commands(&node.client(), 0, FULL, setting.warm).await?;
            commands(&node.client(), warm.answers(), FULL, setting.time).await?
        }
        Work::Sagas => {
            let all = node.client().sagas("trip", &trip());
            let warm = sagas(all.clone(), 0, FULL, setting.warm, 0).await?;
            sagas(all, warm.answers(), FULL, setting.time, 0).await?
        }
    };
    let memory_mb = host::memory_mb();
    node.stop(STOP).await;
    if let Some(telemetry) = telemetry {
        // A collector that hangs takes nothing any more.
        tokio::task::spawn_blocking(move || telemetry.drain(DRAIN)).await?;
    }
    Ok(Seat { run, memory_mb })
}

/// Exporters are made where they may wait.
async fn turned_on(seen: Seen, endpoint: String) -> anyhow::Result<Telemetry> {
    let started = tokio::task::spawn_blocking(move || {
        let setup = Setup::new("bench").metrics((Ipv4Addr::LOCALHOST, 0).into());
        let setup = if seen.ratio.is_some() { setup.traces() } else { setup };
        setup.start_with(|name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
            "OTEL_TRACES_SAMPLER" => seen.ratio.map(|_| "traceidratio".to_owned()),
            "OTEL_TRACES_SAMPLER_ARG" => seen.ratio.map(str::to_owned),
            _ => None,
        })
    });
    Ok(started.await??)
}

async fn node(
    dir: &std::path::Path,
    services: Vec<Service>,
    observer: Option<Arc<dyn Observe>>,
) -> anyhow::Result<Node> {
    let node = services.into_iter().fold(Node::embedded(dir), |node, service| node.service(service));
    let node = match observer {
        Some(observer) => node.observe(observer),
        None => node,
    };
    Ok(node.start().await?)
}
