//! Several processes share the work: nodes and pure clients on one memory log, under virtual time on one thread. At the
//! end of each scenario the raw partitions are folded again and compared with what was promised.

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

mod halted;
mod hand_over;
mod inboxes;
mod member;
mod patience;
mod peers;
mod pure_clients;
mod read_models;
mod refusals;
mod still;
mod wire;
