//! Planted: entities whose versions jump or repeat, refusals with effects, ids executed twice, entities on a foreign
//! shard, attempts without intent.

use palinode_verify::Rule;
use serde_json::json;

use crate::history::*;

#[test]
fn a_sound_history_is_clean() {
    let report = History::of(story()).report();
    assert!(report.is_clean(), "{report}");
    let n = report.counts;
    assert_eq!((n.partitions, n.records, n.commits, n.claims, n.dead), (3, 13, 7, 3, 0));
    assert_eq!((n.events, n.entities, n.sent, n.accepted), (6, 2, 3, 3));
    assert_eq!((n.timers_set, n.runs_open, n.not_compared, report.open.len()), (0, 0, 0, 0));
}

#[test]
fn a_version_left_out() {
    planted(&[Rule::Versions], |s| s[REFUSED].body["entity"]["version"] = json!(5));
}

#[test]
fn a_version_given_out_twice() {
    planted(&[Rule::Versions], |s| {
        s[PAID].body["entity"]["version"] = json!(1);
        s[TIMED].body["entity"]["version"] = json!(2);
        s[REFUSED].body["entity"]["version"] = json!(3);
    });
}

#[test]
fn events_of_nobody() {
    planted(&[Rule::Versions], |s| s[CONFIRMED].body["entity"] = json!(null));
}

#[test]
fn a_rejection_with_events() {
    planted(&[Rule::Refusals], |s| s[TIMED].body["outcome"] = json!("rejected"));
}

#[test]
fn a_conflict_with_events() {
    planted(&[Rule::Refusals], |s| s[CONFIRMED].body["outcome"] = json!("conflict"));
}

#[test]
fn a_clients_message_executed_again_later() {
    planted(&[Rule::Ids], |s| s[REFUSED].body["cause"] = client(1));
}

#[test]
fn a_clients_message_executed_twice_in_a_row() {
    planted(&[Rule::Ids], |s| {
        let mut again = s[REFUSED].clone();
        again.body["time"] = json!(80_000);
        s.push(again);
    });
}

#[test]
fn an_entity_on_a_foreign_shard() {
    // A commit of room lisbon on the other shard of the hotel.
    planted(&[Rule::Placement], |s| {
        let body = json!({"time": 10, "cause": client(3), "outcome": "rejected",
            "entity": {"kind": "room", "id": "lisbon", "version": 0}});
        s.push(Step { service: "hotel", shard: 1 - hotel(), body });
    });
}

#[test]
fn a_message_sent_to_a_foreign_shard() {
    planted(&[Rule::Placement], |s| {
        let mut stray = s[START].body["sends"][0].clone();
        stray["shard"] = json!(1 - hotel());
        s[START].body["sends"].as_array_mut().unwrap().push(stray);
    });
}

#[test]
fn an_attempt_that_ends_twice() {
    planted(&[Rule::Effects], |s| {
        let pay = s[PAID].body["cause"].clone();
        s[REFUSED].body["cause"] = pay;
    });
}

#[test]
fn an_attempt_that_ends_without_an_intent() {
    planted(&[Rule::Effects], |s| s[PAID].body["cause"]["activity"]["attempt"] = json!(2));
}

#[test]
fn an_attempt_intended_twice() {
    planted(&[Rule::Effects], |s| {
        let pay = s[PAYING].body["runs"].clone();
        s[TIMED].body["runs"] = pay;
    });
}
