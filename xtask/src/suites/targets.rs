//! Which test targets need which servers: their names say it. Read from what cargo knows, so that no list has to be
//! kept. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::stack::{SERVERS, Server};

/// The beginning of a target's name, and the servers its ignored tests need.
const NEEDS: [(&str, &[&str]); 5] = [
    ("kafka_", &["kafka"]),
    ("postgres_", &["postgres"]),
    ("servers_", &["kafka", "postgres"]),
    ("jaeger_", &["kafka", "postgres", "jaeger"]),
    ("prometheus_", &["kafka", "postgres", "prometheus"]),
];

/// The part of `cargo metadata` that is of use here.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    /// Where cargo builds.
    pub(crate) target_directory: String,
    /// Where the root manifest is.
    pub(crate) workspace_root: String,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// A test target whose ignored tests need servers; in all packages that have one of this name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) packages: Vec<String>,
    pub(crate) servers: &'static [&'static str],
}

impl Metadata {
    /// All that need servers, in the order of their names.
    pub(crate) fn suites(&self) -> Vec<Suite> {
        let mut found: BTreeMap<&str, Suite> = BTreeMap::new();
        for package in &self.packages {
            for target in
                package.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "test"))
            {
                let Some(servers) = needs(&target.name) else { continue };
                let suite = || Suite { name: target.name.clone(), packages: Vec::new(), servers };
                found.entry(&target.name).or_insert_with(suite).packages.push(package.name.clone());
            }
        }
        found.into_values().collect()
    }
}

/// The servers that these need, in the order in which servers start.
pub(crate) fn needed<'a>(suites: impl IntoIterator<Item = &'a Suite>) -> Vec<&'static dyn Server> {
    let names: BTreeSet<&str> = suites.into_iter().flat_map(|suite| suite.servers).copied().collect();
    SERVERS.into_iter().filter(|server| names.contains(server.name())).collect()
}

fn needs(target: &str) -> Option<&'static [&'static str]> {
    NEEDS.into_iter().find(|(beginning, _)| target.starts_with(beginning)).map(|(_, servers)| servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_chosen_by_kind_and_name() {
        let text = r#"{
            "packages": [
                {"name": "palinode", "version": "0.1.0", "targets": [
                    {"name": "palinode", "kind": ["lib"]},
                    {"name": "postgres_store", "kind": ["test"]},
                    {"name": "kafka_log", "kind": ["test"], "required-features": ["kafka"]},
                    {"name": "log_kafka", "kind": ["test"]},
                    {"name": "kafka_tool", "kind": ["bin"]}
                ]},
                {"name": "booking", "targets": [
                    {"name": "servers_run", "kind": ["test"]},
                    {"name": "jaeger_trips", "kind": ["test"]},
                    {"name": "kafka_log", "kind": ["test"]}
                ]}
            ],
            "target_directory": "/somewhere/target",
            "workspace_root": "/somewhere"
        }"#;
        let metadata: Metadata = serde_json::from_str(text).unwrap();
        let suite = |name: &str, packages: &[&str], servers| Suite {
            name: name.into(),
            packages: packages.iter().map(|&package| package.into()).collect(),
            servers,
        };
        let suites = metadata.suites();
        assert_eq!(
            suites,
            [
                suite("jaeger_trips", &["booking"], &["kafka", "postgres", "jaeger"]),
                suite("kafka_log", &["palinode", "booking"], &["kafka"]),
                suite("postgres_store", &["palinode"], &["postgres"]),
                suite("servers_run", &["booking"], &["kafka", "postgres"]),
            ]
        );
        let needed = |suites: &[Suite]| needed(suites).iter().map(|server| server.name()).collect::<Vec<_>>();
        assert_eq!(needed(&suites), ["kafka", "postgres", "jaeger"]);
        assert_eq!(needed(&suites[1..2]), ["kafka"]);
        assert_eq!(metadata.target_directory, "/somewhere/target");
    }
}
