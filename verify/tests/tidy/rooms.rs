//! Pure rooms: no runtime, driver, clock, random source, environment or default-hasher map; and of the engine they know
//! only each other.

use crate::{Breach, code::Code, tree::Tree};

const ENGINE: [&str; 17] = [
    "aggregate",
    "entity",
    "event",
    "measure",
    "message",
    "address",
    "position",
    "time",
    "codec",
    "digest",
    "commit",
    "record",
    "receipt",
    "sealed",
    "machine",
    "retry",
    "trace",
];
const SAGAS: [&str; 15] = [
    "define",
    "definition",
    "event",
    "state",
    "coordinator",
    "ask",
    "undo",
    "wait",
    "branch",
    "child",
    "outcome",
    "entity",
    "limit",
    "metrics",
    "trace",
];
/// Words that name what a pure room must not have.
const IMPURE: [&str; 22] = [
    "tokio",
    "tokio_util",
    "async_trait",
    "futures_util",
    "rusqlite",
    "sqlx",
    "rdkafka",
    "reqwest",
    "SystemTime",
    "Instant",
    "rand",
    "getrandom",
    "new_v4",
    "now_v7",
    "HashMap",
    "HashSet",
    "RandomState",
    "async",
    "await",
    "Mutex",
    "RwLock",
    "println",
];
/// Modules of `std` that a pure room must not use.
const IMPURE_STD: [&str; 6] = ["std::fs", "std::env", "std::net", "std::thread", "std::process", "std::io"];
/// Rooms of the engine that stand outside the pure ones: ports, adapters, shell.
const OUTSIDE: [&str; 22] = [
    "activity",
    "checkpoint",
    "client",
    "clock",
    "fault",
    "health",
    "ids",
    "keys",
    "log",
    "node",
    "owner",
    "projection",
    "public",
    "reactor",
    "relay",
    "remote",
    "service",
    "shutdown",
    "snapshots",
    "store",
    "telemetry",
    "testing",
];

/// The files of these rooms of a crate: `name.rs` and all of `name/`.
fn code<'a>(tree: &'a Tree, src: &'a str, rooms: &'a [&str]) -> impl Iterator<Item = (&'a str, Code)> {
    tree.code(src).filter(move |(path, _)| {
        let room = path[src.len()..].split('/').next().unwrap();
        rooms.contains(&room.trim_end_matches(".rs"))
    })
}

pub(crate) fn pure(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, code) in code(tree, "engine/src/", &ENGINE).chain(code(tree, "sagas/src/", &SAGAS)) {
        for word in IMPURE.iter().filter(|word| code.names(word)) {
            breaches.push(Breach::new("pure", path, format!("a pure room that names `{word}`")));
        }
        let paths = code.paths();
        for module in IMPURE_STD.iter().filter(|module| paths.iter().any(|p| p.starts_with(**module))) {
            breaches.push(Breach::new("pure", path, format!("a pure room that uses `{module}`")));
        }
    }
    breaches
}

pub(crate) fn inward(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, code) in code(tree, "engine/src/", &ENGINE) {
        for named in code.paths() {
            let mut parts = named.split("::");
            let room = if parts.next() == Some("crate") { parts.next() } else { None };
            if let Some(room) = room.filter(|room| OUTSIDE.contains(room)) {
                breaches.push(Breach::new(
                    "inward",
                    path,
                    format!("a pure room that knows `{room}` (`{named}`)"),
                ));
            }
        }
    }
    breaches
}
