//! The workloads, one a file.

pub(crate) mod command;
pub(crate) mod saga;
