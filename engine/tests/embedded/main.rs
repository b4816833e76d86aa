//! A node on the embedded log, from the outside: what a client is promised, across restarts.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may be blunt")]

mod bank;
mod definitions;
mod read_models;
mod restart;
