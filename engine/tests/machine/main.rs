//! The shard machine as a pure function: given what was committed, when an input comes, then this commit.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may be blunt")]

mod bench;
mod channels;
mod clients;
mod parking;
mod replay;
mod time;
