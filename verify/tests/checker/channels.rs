//! Planted: messages accepted twice, out of order, with other bytes, by another entity, or never sent; sends with a
//! wrong number, parent or sender; sends forgotten too early. And what is under way is listed, not found.

use palinode_verify::Rule;
use serde_json::json;

use crate::history::*;

#[test]
fn a_message_accepted_twice() {
    planted(&[Rule::Channel], |s| {
        let mut again = s[CONFIRMED].clone();
        again.body["time"] = json!(55_000);
        again.body["entity"]["version"] = json!(2);
        s.push(again);
    });
}

#[test]
fn a_message_left_out() {
    planted(&[Rule::Channel], |s| {
        s[CONFIRMED].body["entity"]["version"] = json!(0);
        s[HELD].body["cause"] = client(9);
        s[HELD].body["entity"]["id"] = json!("lisbon");
        s[HELD].body["events"] = json!([]);
        s[PAYING].body["closed"] = json!([]);
    });
}

#[test]
fn a_message_accepted_with_other_bytes() {
    planted(&[Rule::Channel], |s| s[HELD].body["cause"]["channel"]["digest"] = json!("00000000000000ff"));
}

#[test]
fn a_message_taken_by_another_entity() {
    planted(&[Rule::Channel], |s| {
        // The trip's log has one shard, so any id is at home there.
        s[PAYING].body["entity"] = json!({"kind": "book-trip", "id": "t2", "version": 0});
        s[PAYING].body["runs"] = json!([]);
        s[PAID].body["cause"] = client(9);
        s[PAID].body["entity"]["version"] = json!(1);
        s[TIMED].body["entity"]["version"] = json!(2);
        s[REFUSED].body["entity"]["version"] = json!(3);
    });
}

#[test]
fn a_send_that_skips_a_number() {
    planted(&[Rule::Channel], |s| {
        s[PAID].body["sends"][0]["seq"] = json!(3);
        let digest = digest(&s[PAID].body["sends"][0]);
        s[CONFIRMED].body["cause"]["channel"]["digest"] = json!(digest);
    });
}

#[test]
fn a_send_on_another_parent() {
    planted(&[Rule::Channel], |s| {
        s[PAID].body["sends"][0]["prev"] = json!("0000000000000000");
        let digest = digest(&s[PAID].body["sends"][0]);
        s[CONFIRMED].body["cause"]["channel"]["digest"] = json!(digest);
    });
}

#[test]
fn a_send_in_the_name_of_another_shard() {
    planted(&[Rule::Channel], |s| {
        s[PAID].body["sends"][0]["from"]["shard"] = json!(7);
        let digest = digest(&s[PAID].body["sends"][0]);
        s[CONFIRMED].body["cause"]["channel"]["digest"] = json!(digest);
    });
}

#[test]
fn a_message_accepted_that_was_never_sent() {
    planted(&[Rule::Safe], |s| s[PAID].body["sends"] = json!([]));
}

#[test]
fn a_message_accepted_beyond_all_that_was_sent() {
    planted(&[Rule::Safe], |s| {
        let cause = channel(hotel_peer(), 2, "0000000000000005");
        s[REFUSED].body["cause"] = cause;
    });
}

#[test]
fn a_send_forgotten_before_it_was_accepted() {
    planted(&[Rule::Safe], |s| s[PAYING].body["closed"][0]["seq"] = json!(3));
}

#[test]
fn a_send_forgotten_that_never_was() {
    planted(&[Rule::Safe], |s| {
        s[HELD].body["closed"] = json!([{"to": trip_peer(), "seq": 2}]);
    });
}

#[test]
fn a_send_that_is_no_message() {
    planted(&[Rule::Readable], |s| {
        s[REFUSED].body["sends"] = json!([{"seq": 1}]);
    });
}

#[test]
fn a_message_under_way_is_open_and_no_mistake() {
    let mut story = story();
    story.remove(CONFIRMED);
    let report = History::of(story).report();
    assert!(report.is_clean(), "{report}");
    let open: Vec<String> = report.open.iter().map(ToString::to_string).collect();
    assert_eq!(open, [format!("open: trip/0 to hotel/{}, messages 2 to 2", hotel())]);
}

#[test]
fn a_channel_from_a_log_that_is_not_here_is_counted_and_not_judged() {
    let mut story = story();
    story[REFUSED].body["cause"] =
        channel(json!({"service": "car", "log_id": TRIP_LOG, "shard": 0}), 1, "00000000000000aa");
    let report = History::of(story).report();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.counts.not_compared, 1);
}
