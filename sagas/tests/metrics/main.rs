//! What is counted of sagas: by hand, entry by entry; and by a real SDK of OpenTelemetry, where no id makes a series.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may be blunt")]

mod counted;
mod series;
#[path = "../sagas/world.rs"]
mod world;
