//! The workloads, one a file. Each gives its figures; none knows how they are shown.

mod command;
mod growth;
mod memory;
mod overload;
mod read_model;
mod restart;
mod saga;
mod start;

use palinode::{Node, Service};

#[cfg(feature = "servers")]
pub(crate) use command::AGGREGATES;
#[cfg(feature = "telemetry")]
pub(crate) use command::command;
pub(crate) use command::commands;
#[cfg(feature = "servers")]
pub(crate) use command::{at, rates};
#[cfg(feature = "servers")]
pub(crate) use read_model::{LAST, last, shown};
pub(crate) use saga::{one, sagas};

use crate::{figure::Figure, setting::Setting};

/// All of them, in order.
pub(crate) const NAMES: [&str; 9] = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9"];

/// What a workload does, in a line.
pub(crate) fn about(name: &str) -> &'static str {
    match name {
        "W1" => "one command to one of 1 000 aggregates, an event of 200 bytes",
        "W2" => "a saga of three steps on three services: seven commits in sequence",
        "W3" => "the same with every fifth saga refused at its third step and undone",
        "W4" => "a read model rebuilt, and the lag of a live one at 5 000 events/s",
        "W5" => "killed, started again, first saga done",
        "W6" => "a cold start to the first saga; size of the program; packages",
        "W7" => "the rate while the log grows",
        "W8" => "memory and CPU",
        _ => "twice as many commands offered as it can do",
    }
}

/// Measures it.
pub(crate) async fn run(name: &str, setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    match name {
        "W1" => command::measure(setting).await,
        "W2" => saga::measure(setting).await,
        "W3" => saga::measure_refused(setting).await,
        "W4" => read_model::measure(setting).await,
        "W5" => restart::measure(setting).await,
        "W6" => start::measure(setting).await,
        "W7" => growth::measure(setting).await,
        "W8" => memory::measure(setting).await,
        _ => overload::measure(setting).await,
    }
}

/// A node with these services on this folder.
pub(crate) async fn node(
    dir: &std::path::Path,
    services: impl IntoIterator<Item = Service>,
) -> anyhow::Result<Node> {
    let node = services.into_iter().fold(Node::embedded(dir), |node, service| node.service(service));
    Ok(node.start().await?)
}

/// How long a node may take to stop.
pub(crate) const STOP: std::time::Duration = std::time::Duration::from_secs(60);
