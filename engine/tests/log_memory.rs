//! The memory log keeps the contract, and does with faults what the contract lets it do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;

use async_trait::async_trait;
use palinode::{
    Log,
    log::{conformance::Harness, memory::MemoryCluster},
};

/// A cluster; each opening is a new node.
struct Cluster(MemoryCluster);

#[async_trait]
impl Harness for Cluster {
    async fn open(&self) -> Arc<dyn Log> {
        self.0.member("a")
    }
}

palinode::log_conformance!(Cluster(MemoryCluster::new(1)));
