//! The pages for people tell the truth about the tree: links lead somewhere, named files are there, every room is named.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be blunt")]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().parent().unwrap().to_owned()
}

fn pages() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = ["", "docs", "docs/decisions"]
        .iter()
        .flat_map(|dir| fs::read_dir(root().join(dir)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    paths.sort();
    assert!(paths.len() > 10, "the pages are not where this test looks for them");
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The text between each `open` and the `close` after it.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

/// The anchor of a heading, as the usual renderers make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for (page, text) in pages() {
        for link in between(&text, "](", ")").filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            let found = heading.is_empty()
                || fs::read_to_string(&target)
                    .unwrap()
                    .lines()
                    .any(|l| l.starts_with('#') && anchor(l.trim_start_matches('#')) == heading);
            assert!(found, "{}: {link} names no heading", page.display());
        }
    }
}

#[test]
fn every_file_that_is_named_is_there() {
    let rooms = ["engine/", "sagas/", "verify/", "examples/", "migrations/", "docs/", "xtask/"];
    for (page, text) in pages() {
        for name in between(&text, "`", "`") {
            let is_path =
                rooms.iter().any(|room| name.starts_with(room)) && !name.contains([' ', '*', '<', '\n']);
            assert!(
                !is_path || root().join(name).exists(),
                "{} names {name}, which is not there",
                page.display()
            );
        }
    }
}

/// A folder belongs to the room of its name: `machine/` to `machine.rs`.
#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for source in ["engine/src", "sagas/src"] {
        for entry in fs::read_dir(root().join(source)).unwrap() {
            let path = entry.unwrap().path();
            let room = format!("`{source}/{}.rs`", path.file_stem().unwrap().to_str().unwrap());
            let on_map = path.ends_with("lib.rs") || map.contains(&room);
            assert!(on_map, "the code map of ARCHITECTURE.md does not name {room}");
        }
    }
}
