//! Projections on SQLite: rows equal the fold, exactly once, whatever dies, lies or goes away.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may be blunt")]

mod following;
#[path = "../projection_support/journal.rs"]
mod journal;
mod outages;
mod parked;

mod rebuild;
mod records;
mod waiting;
mod world;
