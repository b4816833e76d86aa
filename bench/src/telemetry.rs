//! W13: what it costs to be seen. The same commands and sagas with nobody told, with metrics, with one trace in a hundred, with
//! all of them, and with a collector that hangs: in turns, each beside the run with nobody told before it.

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
    workload::{STOP, at, commands, rates, sagas},
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
const DRAIN: Duration = Duration::from_secs(5);

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
        let mut runs: BTreeMap<&str, Vec<[Seat; 2]>> = BTreeMap::new();
        for _ in 0..setting.repeat.max(PAIRS) {
            for (what, seen, _) in SEEN {
                let alone = once(work, None, setting).await?;
                let observed = once(work, Some(seen), setting).await?;
                runs.entry(what).or_default().push([observed, alone]);
            }
        }
        for (what, _, mark) in SEEN {
            let pairs = runs.remove(what).unwrap_or_default();
            let side = |n: usize| pairs.iter().filter_map(|pair| pair.get(n)).collect::<Vec<_>>();
            let of = |n, get: fn(&[Run]) -> Vec<f64>| {
                get(&side(n).into_iter().map(|seat| seat.run.clone()).collect::<Vec<_>>())
            };
            let rate = Figure::new("W13", format!("{name}: {what}"), unit, of(0, rates)).beside(of(1, rates));
            figures.push(match mark {
                Some(mark) => rate.mark(Mark::RatioAtLeast(mark)),
                None => rate,
            });
            let cpu: fn(&[Run]) -> Vec<f64> = |runs| runs.iter().map(|run| run.cpu_us).collect();
            let figure = Figure::new("W13", format!("{name}: {what}, CPU time of one"), "us", of(0, cpu));
            figures.push(figure.beside(of(1, cpu)));
            let p99: fn(&[Run]) -> Vec<f64> = |runs| at(runs, 0.99);
            let figure = Figure::new("W13", format!("{name}: {what}, p99"), "ms", of(0, p99));
            figures.push(figure.beside(of(1, p99)));
            let memory = |n| side(n).into_iter().map(|seat| seat.memory_mb).collect();
            let figure = Figure::new("W13", format!("{name}: {what}, resident at the end"), "MB", memory(0));
            figures.push(figure.beside(memory(1)));
        }
    }
    Ok(figures)
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
