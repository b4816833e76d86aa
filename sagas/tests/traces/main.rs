//! What is seen of sagas: each is one tree, whichever road its messages take and whoever dies on the way. On a memory log,
//! under virtual time on one thread.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test may be blunt"
)]

mod crashes;
mod golden;
mod outside;
mod stories;
mod world;
