//! What the processes of a measurement do: commands to one service, or sagas over four.

use std::time::Duration;

use palinode::{Client, Service};
use palinode_sagas::SagaClient;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{counters, travel, trip},
    load::Run,
    workload,
};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// W1.
    Commands,
    /// W2.
    Sagas,
}

impl Work {
    /// The services that are asked.
    pub(super) fn services(self) -> Vec<Service> {
        match self {
            Self::Commands => counters().into(),
            Self::Sagas => travel().into(),
        }
    }

    /// Their names, and how many commits of each one unit of the work makes.
    pub(super) fn commits(self) -> &'static [(&'static str, usize)] {
        match self {
            Self::Commands => &[("hotel", 1)],
            Self::Sagas => &[("trip", 4), ("hotel", 1), ("flight", 1), ("car", 1)],
        }
    }

    /// Does it with so many in flight.
    pub(super) async fn run(
        self,
        client: &Client,
        first: u64,
        in_flight: usize,
        time: Duration,
    ) -> anyhow::Result<Run> {
        match self {
            Self::Commands => workload::commands(client, first, in_flight, time).await,
            Self::Sagas => workload::sagas(client.sagas("trip", &trip()), first, in_flight, time, 0).await,
        }
    }
}
