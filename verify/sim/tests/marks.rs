//! The list of rare states is the one that stands in the source.

#![allow(clippy::unwrap_used, reason = "a test may be blunt")]

use std::{collections::BTreeSet, fs, path::Path};

fn marks(folder: &Path, all: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            marks(&path, all);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let names = text.split("sometimes!(\"").skip(1).filter_map(|rest| rest.split_once('"'));
        all.extend(names.map(|(name, _)| name.to_owned()));
    }
}

#[test]
fn every_mark_of_the_source_is_listed_and_no_other() {
    let mut found = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    marks(&root.join("engine/src"), &mut found);
    marks(&root.join("sagas/src"), &mut found);
    marks(&root.join("verify/sim/src"), &mut found);
    let listed: BTreeSet<String> = include_str!("../marks.txt").lines().map(str::to_owned).collect();
    assert_eq!(found, listed, "verify/sim/marks.txt");
}
