//! Who may know whom: crates, adapters, drivers.

use crate::{Breach, tree::Tree};

pub(crate) fn engine_without_sagas(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, code) in tree.code("engine/src/") {
        let named = code.tokens().iter().find(|token| {
            token.contains("Saga") || token.split('_').any(|part| ["saga", "sagas", "SAGA"].contains(&part))
        });
        breaches
            .extend(named.map(|word| Breach::new("no sagas", path, format!("the engine names `{word}`"))));
    }
    breaches.extend(depends(tree, "engine/Cargo.toml", "", "palinode-sagas", "no sagas"));
    breaches
}

pub(crate) fn checker_apart(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, code) in tree.code("verify/src/") {
        for name in ["palinode", "palinode_sagas", "palinode_migrations"] {
            if code.names(name) {
                breaches.push(Breach::new("apart", path, format!("the checker names `{name}`")));
            }
        }
    }
    breaches.extend(depends(tree, "verify/Cargo.toml", "[dependencies]", "palinode", "apart"));
    breaches
}

pub(crate) fn migrations_alone(tree: &Tree) -> Vec<Breach> {
    depends(tree, "migrations/Cargo.toml", "[dependencies]", "", "alone")
}

/// The lines of a manifest's section (of any, when it is empty) that begin with this name.
fn depends(tree: &Tree, path: &str, section: &str, name: &str, rule: &'static str) -> Vec<Breach> {
    let mut current = "";
    let mut breaches = Vec::new();
    for line in tree.text(path).unwrap_or_default().lines().map(str::trim) {
        if line.starts_with('[') {
            current = line;
        } else if line.contains('=') && line.starts_with(name) && (section.is_empty() || current == section) {
            breaches.push(Breach::new(rule, path, format!("must not have `{line}`")));
        }
    }
    breaches
}

/// The adapters of each port.
const ADAPTERS: [(&str, &[&str]); 2] =
    [("log", &["memory", "sqlite", "kafka"]), ("store", &["memory", "sqlite", "postgres"])];
/// Where adapters are chosen: what users import, the node's builders, what a process is told, what tests are made of.
const CHOOSERS: [&str; 5] = [
    "engine/src/lib.rs",
    "engine/src/node.rs",
    "engine/src/node/",
    "engine/src/settings/",
    "engine/src/testing",
];

/// Nothing above the ports can tell which adapter is there, and no adapter knows another.
pub(crate) fn adapters(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, code) in tree.code("engine/src/") {
        if CHOOSERS.iter().any(|chooser| path.starts_with(chooser)) {
            continue;
        }
        let paths = code.paths();
        for (port, adapter) in ADAPTERS.iter().flat_map(|(port, all)| all.iter().map(move |a| (*port, *a))) {
            let own = format!("engine/src/{port}/{adapter}");
            let (full, inside) = (format!("{port}::{adapter}"), format!("super::{adapter}"));
            let within = path.starts_with(&format!("engine/src/{port}/"));
            let names = |p: &String| {
                let at = |prefix: &str| p == prefix || p.starts_with(&format!("{prefix}::"));
                at(&format!("crate::{full}")) || (within && at(&inside))
            };
            if !path.starts_with(&own) && paths.iter().any(names) {
                breaches.push(Breach::new("adapters", path, format!("names the adapter `{full}`")));
            }
        }
    }
    breaches
}

/// Each driver, and the beginnings of the paths that may name it.
const DRIVERS: [(&str, &[&str]); 4] = [
    ("rusqlite", &["engine/src/log/sqlite", "engine/src/store/sqlite"]),
    (
        "sqlx",
        &[
            "engine/src/store/driver",
            "engine/src/store/sqlite",
            "engine/src/store/postgres",
            // A projection writes its rows in a transaction of the database that it was given.
            "engine/src/projection",
            // What a participant outside the log needs, and the rows of sagas.
            "sagas/src/fence",
            "sagas/src/view",
        ],
    ),
    ("rdkafka", &["engine/src/log/kafka"]),
    ("opentelemetry", &["engine/src/telemetry/otel"]),
];

pub(crate) fn drivers(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, code) in tree.code("engine/src/").chain(tree.code("sagas/src/")) {
        for (driver, homes) in DRIVERS {
            if code.names(driver) && !homes.iter().any(|home| path.starts_with(home)) {
                breaches.push(Breach::new("drivers", path, format!("names the driver `{driver}`")));
            }
        }
    }
    breaches
}
