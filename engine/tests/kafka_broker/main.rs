//! Brokers of the tests' own, which may be killed, fill their disk and ask for passwords.

#![cfg(all(unix, feature = "sqlite"))]
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
#[path = "../kafka_faults/world.rs"]
mod world;

mod away;
mod broker;
mod full;
mod returns;
mod rights;
