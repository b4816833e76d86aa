//! Saga rows: equal to a fold of the journals, whatever the batches; right on a real node, after a token, after a restart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may be blunt"
)]

mod batches;
mod node;
mod reference;
mod shop;
#[path = "../sagas/world.rs"]
mod world;
