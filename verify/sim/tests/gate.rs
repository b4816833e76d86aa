//! The gate of every change: the seeds that failed once, five hundred more, and two hundred of them again in another
//! order. The zoo and longer campaigns are `cargo xtask sim`.

#![allow(clippy::panic, reason = "a test may be blunt")]

use palinode_sim::{Campaign, Summary, campaign, known_seeds};

fn worlds(from: u64, seeds: u64, known: bool) -> Summary {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    campaign(&Campaign { seeds, from, within: None, threads, known }, |_, _| {})
}

#[track_caller]
fn well(summary: &Summary) {
    let said: Vec<String> =
        summary.failures.iter().map(|f| format!("seed {}: {}", f.seed, f.wrong.join("\n    "))).collect();
    assert_eq!(summary.failed, 0, "{}", said.join("\n"));
}

#[test]
fn five_hundred_worlds_and_those_that_failed_once_are_well() {
    let summary = worlds(1, 500, true);
    well(&summary);
    assert_eq!(summary.seeds, 500 + known_seeds().len() as u64);
    assert_eq!(summary.unreached, Vec::<String>::new(), "rare states that no world reached");
}

#[test]
fn two_hundred_worlds_are_the_same_in_another_order() {
    let forward = worlds(1, 200, false).traces;
    let mut back = std::collections::BTreeMap::new();
    for from in [101, 1] {
        back.extend(worlds(from, 100, false).traces);
    }
    assert_eq!(forward, back);
}
