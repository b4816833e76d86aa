//! Planted: numbers and terms that jump, parents that differ, records that are damaged, missing or newer, and more than
//! one beginning. And what late, doubled and lost appends leave behind is dead, not wrong.

use palinode_verify::Rule;
use serde_json::json;

use crate::history::*;

const OTHER: &str = "00000000-0000-7000-8000-0000000000c9";

fn sound() -> History {
    History::of(story())
}

#[test]
fn a_claim_that_skips_a_term() {
    let mut history = sound();
    history.claim("trip", 0, 3, OTHER);
    finds(&[Rule::Numbers], &history);
}

#[test]
fn a_commit_under_another_claim_of_the_same_term() {
    planted(&[Rule::Numbers], |s| s[REFUSED].body["claim"] = json!(OTHER));
}

#[test]
fn a_commit_of_a_term_that_has_not_begun() {
    planted(&[Rule::Numbers], |s| s[REFUSED].body["term"] = json!(2));
}

#[test]
fn a_commit_on_another_parent() {
    planted(&[Rule::Parent], |s| s[REFUSED].body["prev"] = json!("00000000000000ff"));
}

#[test]
fn a_commit_rewritten_afterwards_with_a_good_checksum() {
    let mut history = sound();
    history.rewrite("trip", 0, 3, |commit| commit["events"][0]["data"] = json!({"n": 2}));
    finds(&[Rule::Parent], &history);
}

#[test]
fn a_flipped_bit() {
    let mut history = sound();
    history.0.get_mut(&("trip", 0)).unwrap()[4].value[20] ^= 1;
    finds(&[Rule::Readable], &history);
}

#[test]
fn a_record_of_a_newer_format() {
    let mut history = sound();
    history.0.get_mut(&("trip", 0)).unwrap()[4].mark = Some(2);
    finds(&[Rule::Readable], &history);
}

#[test]
fn a_record_of_no_known_type() {
    let mut history = sound();
    history.push("trip", 0, "note", json!({}));
    finds(&[Rule::Readable], &history);
}

#[test]
fn a_record_that_is_missing() {
    let mut history = sound();
    history.0.get_mut(&("trip", 0)).unwrap().remove(3);
    finds(&[Rule::Readable], &history);
}

#[test]
fn a_record_without_a_checksum() {
    let mut history = sound();
    history.0.get_mut(&("hotel", hotel())).unwrap()[2].crc = None;
    finds(&[Rule::Readable], &history);
}

#[test]
fn a_second_beginning_of_another_log() {
    let mut history = sound();
    let genesis = json!({"log_id": OTHER, "service": "trip", "partitions": 1, "format": 1});
    history.push("trip", 0, "genesis", genesis);
    finds(&[Rule::Genesis], &history);
}

#[test]
fn two_partitions_of_two_logs() {
    let mut history = sound();
    history.rewrite("hotel", 1 - hotel(), 0, |genesis| genesis["log_id"] = json!(OTHER));
    finds(&[Rule::Genesis], &history);
}

#[test]
fn a_log_without_its_beginning() {
    let mut history = History::begin();
    let trip = history.0.get_mut(&("trip", 0)).unwrap();
    trip.remove(0);
    trip[0].offset = 0;
    finds(&[Rule::Genesis], &history);
}

#[test]
fn a_partition_that_is_missing() {
    let mut history = sound();
    history.0.remove(&("hotel", 1 - hotel()));
    finds(&[Rule::Genesis], &history);
}

#[test]
fn a_log_of_another_service() {
    let mut history = sound();
    history.rewrite("trip", 0, 0, |genesis| genesis["service"] = json!("boat"));
    finds(&[Rule::Genesis], &history);
}

#[test]
fn what_was_late_doubled_or_lost_is_dead_and_no_mistake() {
    let mut history = sound();
    // Given the last commit doubled, one whose predecessor was lost, and a foreign record.
    let last = value(history.0[&("trip", 0)].last().unwrap());
    history.push("trip", 0, "commit", last.clone());
    let mut jumped = last.clone();
    jumped["pseq"] = json!(99);
    history.push("trip", 0, "commit", jumped);
    history.push("trip", 0, "commit", json!({"anything": 1}));
    history.0.get_mut(&("trip", 0)).unwrap().last_mut().unwrap().mark = None;
    // And a new owner, the claim that lost against it, a late commit, genesis again.
    history.claim("trip", 0, 2, OTHER);
    history.claim("trip", 0, 2, "00000000-0000-7000-8000-0000000000c8");
    let mut late = last;
    late["pseq"] = json!(6);
    history.push("trip", 0, "commit", late);
    let genesis = value(&history.0[&("trip", 0)][0]);
    history.push("trip", 0, "genesis", genesis);

    let report = history.report();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.counts.commits, report.counts.claims, report.counts.dead), (7, 4, 6));
}

#[test]
fn what_lies_beyond_an_impossible_record_is_not_blamed_on_others() {
    // Given a trip that cannot be read after its start: the room has accepted a message that is not seen sent.
    let mut history = sound();
    history.0.get_mut(&("trip", 0)).unwrap()[4].crc = Some(0);
    finds(&[Rule::Readable], &history);
    assert_eq!(history.report().counts.not_compared, 1);
}
