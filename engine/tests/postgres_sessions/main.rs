//! Sessions of PostgreSQL under cancellation, cuts and terminated backends: what the driver does, and that our
//! transactions do not suffer from it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

mod cancelled;
mod proxy;
mod terminated;
mod unanswered;
mod world;
