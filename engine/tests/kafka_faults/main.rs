//! What goes wrong with a cluster under running nodes, and what people put into its topics: each is a clear sentence in a
//! node's health, nothing is lost, and what can go on goes on.

#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    dead_code,
    reason = "helpers of tests"
)]

#[path = "../embedded/bank.rs"]
mod bank;
#[path = "../kafka_support/cluster.rs"]
mod cluster;

mod clocks;
mod foreign;
mod kinds;
mod newer;
mod restored;
mod topics;
mod world;
