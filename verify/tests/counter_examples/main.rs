//! The counter-examples of the design whose rule is pure: the fold, positions, digests, the hash. Each test is named by
//! its number and replays the trace; the engine's fold and the checker's own judge every record, and must agree.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests are tests")]

mod trace;

mod channels;
mod claims;
mod ids;
mod logs;
mod shards;
