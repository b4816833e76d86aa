//! The shard machine: the pure heart. What counts in a log, and what an input becomes.

pub mod fold;
