//! What is seen of trips: each way in which one ends is one tree, with every attempt, what was taken back and what a person
//! did in it; also when a node dies after any of its commits. On a memory log, under virtual time on one thread.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

mod crashes;
mod golden;
mod outside;
mod stories;
mod world;
