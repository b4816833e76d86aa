//! The trips to book: where they come from and what they are, before anything is asked of the engine.

pub(crate) mod generate;
pub(crate) mod id;
pub(crate) mod plan;
pub(crate) mod row;
pub(crate) mod rules;

pub(crate) use plan::{Guest, Hotel, Plan, Trip};
