//! The log on Kafka keeps the contract.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    dead_code,
    reason = "helpers of tests"
)]

#[path = "kafka_support/cluster.rs"]
mod cluster;

use std::sync::Arc;

use async_trait::async_trait;
use cluster::Cluster;
use palinode::{Log, log::conformance::Harness};

#[async_trait]
impl Harness for Cluster {
    async fn open(&self) -> Arc<dyn Log> {
        self.creating().await
    }
}

palinode::log_conformance!(Cluster::new(), #[ignore = "needs Kafka: cargo xtask test starts one"]);
