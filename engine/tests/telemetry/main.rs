//! What nodes and clients tell an observer: given what happens in the world, when it is over, then these facts and levels,
//! and by the adapter for OpenTelemetry these metrics.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "a test may be blunt, and shares a world with the disasters"
)]

#[path = "../disasters/check.rs"]
mod check;
#[path = "../disasters/kinds.rs"]
mod kinds;
#[path = "../disasters/ports.rs"]
mod ports;
#[path = "../disasters/world.rs"]
mod world;

mod alarms;
mod facts;
mod levels;
#[cfg(feature = "otel")]
mod otel;
mod page;
mod rows;
