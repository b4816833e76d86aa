//! The workloads of several processes: the log on Kafka, everything derived in PostgreSQL. `cargo xtask bench --kafka`
//! starts both servers; where they are, the environment says. Each workload gives its figures; none knows how they are
//! shown.

mod asking;
mod bare;
mod growth;
mod member;
mod moving;
mod pair;
mod place;
mod read_model;
mod work;

pub(crate) use member::serve;

use crate::{figure::Figure, setting::Setting};

/// All of them, in order: those that the embedded engine has too under their names, then those of several processes.
pub(crate) const NAMES: [&str; 6] = ["W1", "W2", "W4", "W10", "W11", "W12"];

/// Shards of a service, where nothing else is said.
const SHARDS: u32 = 8;
/// Shards of each of a saga's four services, so that there are eight in all.
const QUARTER: u32 = SHARDS / 4;
/// Callers that keep 32 in flight on every one of them.
const FULL: usize = 256;

/// What a workload does, in a line.
pub(crate) fn about(name: &str) -> &'static str {
    match name {
        "W1" => "on Kafka, 8 partitions: one command to one of 1 000 aggregates, an event of 200 bytes",
        "W2" => {
            "on Kafka, 8 partitions in all: a saga of three steps on three services, seven commits in sequence"
        }
        "W4" => "a read model rebuilt from Kafka into PostgreSQL",
        "W10" => "one of two processes is killed; when the last of its shards answers again",
        "W11" => "processes come and go in order; how long a shard that moves gives no answer",
        _ => "the rate over 1, 8, 32 partitions, and over 1, 2, 4 processes",
    }
}

/// Measures it.
pub(crate) async fn run(name: &str, setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    match name {
        "W1" => pair::commands(setting).await,
        "W2" => pair::sagas(setting).await,
        "W4" => read_model::measure(setting).await,
        "W10" => moving::killed(setting).await,
        "W11" => moving::handed_over(setting).await,
        _ => growth::measure(setting).await,
    }
}
