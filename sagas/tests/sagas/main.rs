//! Sagas driven by hand, input by input: one test per rule of the undo and per row of the transition table. The script
//! drops and refolds the instance after every commit, so each of them is a crash test too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may be blunt"
)]

mod activities;
mod definitions;
mod journal;
mod limits;
mod linear;
mod parked;
mod pause;
mod performing;
mod persons;
mod random;
mod rows;
mod segments;
mod settle;
mod table;
mod undo_rules;
mod verbs;
mod waits;
mod world;
