//! Sagas driven by hand, input by input: one test per rule and per row of the transition table.

mod linear;
mod world;
