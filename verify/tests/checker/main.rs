//! The checker finds what is planted: a sound history is clean, and each rule has histories that break it and nothing
//! else. A checker without planted bugs may check nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests are tests")]

mod file;
mod history;
mod tale;

mod channels;
mod entities;
mod partitions;
mod reading;
mod sagas;
mod time;
