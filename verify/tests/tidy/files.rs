//! Rules of single files: size, header, name, nothing left for later.

use crate::{Breach, tree::Tree};

const LINES: usize = 400;

/// Past this a file holds more than one concept, or its exception says why.
pub(crate) fn small(tree: &Tree) -> Vec<Breach> {
    let long = tree.files("", ".rs").filter(|(_, text)| text.lines().count() > LINES);
    long.map(|(path, text)| {
        Breach::new("size", path, format!("{} lines, more than {LINES}: split it", text.lines().count()))
    })
    .collect()
}

/// What the room is for, and what it must never know.
pub(crate) fn headed(tree: &Tree) -> Vec<Breach> {
    // Programs that must not compile are read by the compiler's message beside them.
    let rooms = tree.files("", ".rs").filter(|(path, _)| !path.contains("/tests/ui/"));
    let bare = rooms.filter(|(_, text)| !text.starts_with("//!"));
    bare.map(|(path, _)| Breach::new("header", path, "does not begin with `//!`: say what the room is for"))
        .collect()
}

/// `machine.rs` stands beside `machine/`.
pub(crate) fn no_mod_rs(tree: &Tree) -> Vec<Breach> {
    let found = tree.files("", "/mod.rs");
    found.map(|(path, _)| Breach::new("mod.rs", path, "name the module's file by its noun")).collect()
}

/// Work is finished or not begun.
pub(crate) fn finished(tree: &Tree) -> Vec<Breach> {
    // Written apart, so that this file does not find itself.
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimple", "mented!(")];
    let mut breaches = Vec::new();
    for (path, text) in [".rs", ".sql", ".toml"].iter().flat_map(|end| tree.files("", end)) {
        for mark in marks.iter().filter(|mark| text.contains(**mark)) {
            breaches.push(Breach::new("finished", path, format!("has {mark}: finish it, or leave it out")));
        }
    }
    breaches
}

/// The beginnings of the names of test targets whose tests need real servers, and what such a test says that it needs.
const ON_SERVERS: [(&str, &str); 5] = [
    ("kafka_", "needs Kafka"),
    ("postgres_", "needs PostgreSQL"),
    ("servers_", "needs Kafka and PostgreSQL"),
    ("jaeger_", "needs Kafka, PostgreSQL and Jaeger"),
    ("prometheus_", "needs Kafka, PostgreSQL and Prometheus"),
];

/// Tests that need a real server stand in targets of their own, all of them ignored until `cargo xtask test` has started
/// one; and no other test is set aside.
pub(crate) fn set_aside(tree: &Tree) -> Vec<Breach> {
    const RULE: &str = "set aside";
    // Written apart, so that this file does not find itself.
    let mark = concat!("#[ig", "nore");
    let mut breaches = Vec::new();
    for (path, text) in tree.files("", ".rs") {
        let target = path.split_once("/tests/").map_or("", |(_, target)| target);
        let Some((_, needs)) = ON_SERVERS.iter().find(|(beginning, _)| target.starts_with(beginning)) else {
            if text.contains(mark) {
                breaches.push(Breach::new(RULE, path, "has an ignored test: run it always, or remove it"));
            }
            continue;
        };
        let begin = |beginnings: &[&str]| {
            let lines = text.lines().map(str::trim_start);
            lines.filter(|line| beginnings.iter().any(|beginning| line.starts_with(beginning))).count()
        };
        let reason = format!("{mark} = \"{needs}: cargo xtask test starts");
        if begin(&["#[test]", "#[tokio::test"]) != begin(&[&reason]) {
            breaches.push(Breach::new(RULE, path, format!("a test does not say {reason} ..")));
        }
    }
    breaches
}
