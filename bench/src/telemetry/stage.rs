//! What is done, and how much of it is seen.

use std::{net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use palinode::{Node, Service, telemetry::Observe};
use palinode_telemetry::{Setup, Telemetry};

use super::collector::Collector;
use crate::{
    domain::{counters, travel},
    workload::STOP,
};

/// In flight.
pub(super) const FULL: usize = 256;
/// How long what was told may take to leave, once a run is over.
const DRAIN: Duration = Duration::from_secs(1);

/// How much is seen.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// What it is called.
    pub(super) name: &'static str,
    /// The part of traces that is kept; none: no collector.
    ratio: Option<&'static str>,
    hangs: bool,
    /// What may be left of the rate with nobody told.
    pub(super) rate: Option<f64>,
    /// How many times the instructions it may take.
    pub(super) instructions: Option<f64>,
}

/// More and more.
pub(super) const SEEN: [Seen; 4] = [
    Seen { name: "metrics", ratio: None, hangs: false, rate: Some(0.95), instructions: Some(1.05) },
    Seen {
        name: "metrics, 1 % of traces",
        ratio: Some("0.01"),
        hangs: false,
        rate: Some(0.92),
        instructions: Some(1.08),
    },
    Seen { name: "metrics, all traces", ratio: Some("1"), hangs: false, rate: None, instructions: None },
    Seen {
        name: "metrics, all traces, the collector hangs",
        ratio: Some("1"),
        hangs: true,
        rate: None,
        instructions: None,
    },
];

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Commands,
    Sagas,
}

impl Work {
    /// Both, with the names of their workloads.
    pub(super) const ALL: [(Self, &str); 2] = [(Self::Commands, "W1"), (Self::Sagas, "W2")];

    fn services(self) -> Vec<Service> {
        match self {
            Self::Commands => counters().into_iter().collect(),
            Self::Sagas => travel().into_iter().collect(),
        }
    }
}

/// A node on a new folder, and whoever is told of it.
pub(super) struct Stage {
    pub(super) node: Node,
    telemetry: Option<Telemetry>,
    _dir: tempfile::TempDir,
}

impl Stage {
    pub(super) async fn set(work: Work, seen: Option<Seen>) -> anyhow::Result<Self> {
        let telemetry = match seen {
            Some(seen) => Some(turned_on(seen, Collector::start(seen.hangs)?.endpoint()).await?),
            None => None,
        };
        let dir = tempfile::tempdir()?;
        let observer = telemetry.as_ref().and_then(Telemetry::observer);
        let node = node(dir.path(), work.services(), observer).await?;
        Ok(Self { node, telemetry, _dir: dir })
    }

    pub(super) async fn clear(self) -> anyhow::Result<()> {
        self.node.stop(STOP).await;
        if let Some(telemetry) = self.telemetry {
            // A collector that hangs takes nothing any more.
            tokio::task::spawn_blocking(move || telemetry.drain(DRAIN)).await?;
        }
        Ok(())
    }
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
    dir: &Path,
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
