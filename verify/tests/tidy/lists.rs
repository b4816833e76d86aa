//! Numbered files and lists that must be whole: migrations, the examples of the tour.

use std::collections::BTreeMap;

use crate::{Breach, tree::Tree};

/// A number stands once in a database, means the same in all, and its file is embedded under it.
pub(crate) fn migrations(tree: &Tree) -> Vec<Breach> {
    const RULE: &str = "migrations";
    let embedded: String =
        tree.text("migrations/src/lib.rs").unwrap_or_default().split_whitespace().collect();
    let (mut breaches, mut meaning, mut seen) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for (path, _) in tree.files("migrations/", ".sql") {
        let file =
            path["migrations/".len()..].split_once('/').and_then(|(db, file)| Some((db, numbered(file)?)));
        let Some((db, (number, name))) = file else {
            breaches.push(Breach::new(RULE, path, "is not named database/0001_what.sql"));
            continue;
        };
        if let Some(other) = seen.insert((db, number), path) {
            breaches.push(Breach::new(RULE, path, format!("has the number of {other}")));
        }
        let (first, meant) = *meaning.entry(number).or_insert((path, name));
        if meant != name {
            breaches.push(Breach::new(
                RULE,
                path,
                format!("gives number {number} another meaning than {first}"),
            ));
        }
        let line =
            format!("number:{number},name:\"{name}\",sql:include_str!(\"../{db}/{number:04}_{name}.sql\")");
        if !embedded.contains(&line) {
            breaches.push(Breach::new(RULE, path, format!("is not embedded as number {number}, {name:?}")));
        }
    }
    breaches
}

/// `0001_what.sql` as its number and name.
fn numbered(file: &str) -> Option<(u32, &str)> {
    let (digits, name) = file.strip_suffix(".sql")?.split_once('_')?;
    (digits.len() == 4).then(|| digits.parse().ok()).flatten().map(|number| (number, name))
}

/// Each program of the tour is a rung of the ladder that people read.
pub(crate) fn tour(tree: &Tree) -> Vec<Breach> {
    let pages: Vec<&str> = ["README.md", "ARCHITECTURE.md", "examples/tour/README.md"]
        .iter()
        .filter_map(|page| tree.text(page))
        .filter(|text| text.contains("tour"))
        .collect();
    if pages.is_empty() {
        return Vec::new();
    }
    let programs = ["examples/tour/examples/", "examples/tour/src/bin/"].into_iter();
    let files = programs
        .flat_map(|folder| tree.files(folder, ".rs").map(move |(path, _)| (path, &path[folder.len()..])));
    let rungs = files.filter_map(|(path, file)| match file.split_once('/') {
        // Only the first file of a program with more than one.
        Some((program, "main.rs")) => Some((path, program)),
        Some(_) => None,
        None => file.strip_suffix(".rs").map(|program| (path, program)),
    });
    rungs
        .filter(|(_, program)| !pages.iter().any(|page| page.contains(&format!("`{program}`"))))
        .map(|(path, program)| Breach::new("tour", path, format!("no page lists `{program}`")))
        .collect()
}
