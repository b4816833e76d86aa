//! Planted: times that stand still or go back, effects before their cause, timers that fire early, twice, or after they
//! were cleared.

use palinode_verify::Rule;
use serde_json::json;

use crate::history::*;

#[test]
fn a_time_that_stands_still() {
    planted(&[Rule::Time], |s| s[REFUSED].body["time"] = json!(60_000));
}

#[test]
fn a_time_that_goes_back() {
    planted(&[Rule::Time], |s| s[REFUSED].body["time"] = json!(1));
}

#[test]
fn an_effect_stamped_with_the_time_of_its_cause() {
    planted(&[Rule::Time], |s| s[CONFIRMED].body["time"] = json!(40_000));
}

#[test]
fn a_message_stamped_with_another_time_than_its_commit() {
    planted(&[Rule::Time], |s| {
        s[PAID].body["sends"][0]["time"] = json!(39_000);
        let digest = digest(&s[PAID].body["sends"][0]);
        s[CONFIRMED].body["cause"]["channel"]["digest"] = json!(digest);
    });
}

#[test]
fn a_timer_that_fires_a_microsecond_early() {
    planted(&[Rule::Due], |s| s[START].body["timers"]["set"][0]["due"] = json!(60_001));
}

#[test]
fn a_timer_set_again_for_later_that_fires_at_its_first_time() {
    planted(&[Rule::Due], |s| {
        s[PAID].body["timers"] = json!({"set": [{"node": "guest", "serial": 1, "due": 90_000}]});
    });
}

#[test]
fn a_timer_that_fires_twice() {
    planted(&[Rule::Fired], |s| s[REFUSED].body["cause"] = s[TIMED].body["cause"].clone());
}

#[test]
fn a_timer_that_fires_twice_although_it_was_set_again() {
    planted(&[Rule::Fired], |s| {
        s[TIMED].body["timers"] = s[START].body["timers"].clone();
        s[REFUSED].body["cause"] = s[TIMED].body["cause"].clone();
    });
}

#[test]
fn a_timer_that_fires_after_it_was_cleared() {
    planted(&[Rule::Fired], |s| {
        s[PAID].body["timers"] = json!({"clear": [{"node": "guest", "serial": 1}]});
    });
}

#[test]
fn a_timer_that_fires_after_its_node_was_set_with_another_serial() {
    planted(&[Rule::Fired], |s| {
        s[PAID].body["timers"] = json!({"set": [{"node": "guest", "serial": 2, "due": 10}]});
    });
}

#[test]
fn a_timer_that_was_never_set() {
    planted(&[Rule::Fired], |s| s[START].body["timers"] = json!({}));
}

#[test]
fn a_timer_of_nobody() {
    planted(&[Rule::Versions], |s| {
        s[TIMED].body["entity"] = json!(null);
        s[TIMED].body["events"] = json!([]);
        s[REFUSED].body["entity"]["version"] = json!(3);
    });
}

#[test]
fn a_timer_cleared_too_late_is_no_mistake() {
    let mut story = story();
    story[REFUSED].body["timers"] = json!({"clear": [{"node": "guest", "serial": 1}]});
    finds(&[], &History::of(story));
}
