//! The server from the outside: a child process, spoken to over sockets.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

mod busy;
mod crash;
mod guide;
mod harm;
mod once;
mod refusals;
mod routes;
#[path = "../support/run.rs"]
mod run;
mod sagas;
mod seen;
#[path = "../support/server.rs"]
mod server;
mod stop;
mod tokens;
