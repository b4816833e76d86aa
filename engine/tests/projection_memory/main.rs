//! Projections on the database in memory: ends of transactions that are not known, runners that fight, rebuilds that die.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may be blunt")]

mod ends;
#[path = "../projection_support/journal.rs"]
mod journal;
mod killed;
mod lines;
mod runners;
