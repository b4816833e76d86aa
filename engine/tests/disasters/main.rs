//! Disasters: whole nodes on the memory log, under virtual time on one thread, each scenario with its name. At the end of
//! each the raw partitions are folded again and compared with what was promised.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may be blunt")]

mod check;
mod kinds;
mod ports;
mod world;

mod bad_days;
mod broken_inputs;
mod crashes;
mod cx01_two_incarnations;
mod cx02_adjacency_in_order;
mod cx03_impossible_logs;
mod cx04_slow_claim;
mod cx07_receiver_moves;
mod cx08_inbox_holes;
mod cx09_snapshots;
mod cx15_clocks;
mod cx16_zombies;
mod cx18_repeats;
mod health;
mod lost_acknowledgement;
mod overload;
mod plain;
