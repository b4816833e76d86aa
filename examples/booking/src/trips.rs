//! The trips to book: where they come from and what they are, before anything is asked of the engine.

pub mod generate;
pub mod id;
pub mod plan;
pub mod row;
pub mod rules;

pub use plan::{Guest, Hotel, Plan, Trip};
