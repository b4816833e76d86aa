//! S11. Planted: asks that were never sent, timers that were never set, outcomes from which nothing follows, answers that
//! are swallowed on their way.

use palinode_verify::Rule;
use serde_json::json;

use crate::{history::client, tale::*};

#[test]
fn an_ask_that_is_not_sent() {
    completed_but(|t| {
        t.until("start");
        t.at("start")["sends"] = json!([]);
    })
    .breaks(&[Rule::Wakes]);
    completed_but(|t| {
        t.until("held");
        t.at("held")["runs"] = json!([run("car/do", 1)]);
    })
    .breaks(&[Rule::Wakes]);
}

#[test]
fn an_undo_that_is_not_sent() {
    compensated_but(|t| {
        t.until("no car");
        t.at("no car")["sends"] = json!([]);
    })
    .breaks(&[Rule::Wakes]);
}

#[test]
fn a_timer_that_is_not_set() {
    completed_but(|t| {
        t.until("car");
        t.at("car")["timers"] = json!({});
    })
    .breaks(&[Rule::Wakes]);
    completed_but(|t| {
        t.until("van down");
        t.at("van down")["timers"]["set"][0]["due"] = json!(46_000);
    })
    .breaks(&[Rule::Wakes]);
    completed_but(|t| {
        t.until("start");
        t.data("start", "started")["deadline"] = json!({"serial": 1, "due": 500_000});
    })
    .breaks(&[Rule::Wakes]);
}

#[test]
fn an_attempt_that_ends_without_an_entry() {
    completed_but(|t| {
        t.until("van");
        t.at("van")["events"] = json!([]);
    })
    .breaks(&[Rule::Wakes]);
}

#[test]
fn an_answer_that_is_awaited_taken_for_late() {
    let late =
        |re: &str| entry("late_reply", json!({"re": re, "class": "duplicate", "answer": {"done": "yes"}}));
    completed_but(|t| {
        t.until("held");
        t.at("held")["runs"] = json!([]);
        t.at("held")["events"] = json!([late("room/do/1")]);
    })
    .breaks(&[Rule::Wakes]);
    completed_but(|t| {
        t.until("van");
        t.at("van")["events"] = json!([late("van/do/1")]);
    })
    .breaks(&[Rule::Wakes]);
}

#[test]
fn an_answer_that_was_never_sent() {
    // The room was held, and says so to nobody.
    completed_but(|t| {
        t.until("hold");
        t.at("hold")["sends"] = json!([]);
    })
    .breaks(&[Rule::Wakes]);
    compensated_but(|t| {
        t.until("give");
        t.at("give")["sends"] = json!([]);
    })
    .breaks(&[Rule::Wakes]);
}

#[test]
fn an_answer_that_is_under_way_is_no_mistake() {
    completed_but(|t| t.until("hold")).breaks(&[]);
    completed_but(|t| t.until("start")).breaks(&[]);
}

#[test]
fn an_ask_that_a_parked_entity_keeps_is_no_mistake() {
    completed_but(|t| {
        t.until("hold");
        t.at("hold")["sends"] = json!([]);
        t.at("hold")["events"] = json!([]);
        t.at("hold")["outcome"] = json!("parked");
    })
    .breaks(&[]);
}

#[test]
fn nothing_that_is_awaited() {
    // The last branch is done, and nobody begins what follows.
    completed_but(|t| {
        t.until("car");
        t.at("car")["timers"] = json!({});
        t.entries("car").truncate(1);
    })
    .breaks(&[Rule::Wakes]);
    // Everything is taken back that can be, and the rest is forgotten.
    compensated_but(|t| {
        t.until("no car");
        t.at("no car")["sends"] = json!([]);
        t.entries("no car").truncate(1);
    })
    .breaks(&[Rule::Wakes]);
}

#[test]
fn a_refusal_that_does_not_turn_the_saga_back() {
    completed_but(|t| {
        t.until("van");
        t.entries("van")[0] =
            entry("step_refused", json!({"node": "van", "round": 1, "code": "no", "text": "no"}));
    })
    .breaks(&[Rule::Wakes]);
}

#[test]
fn a_node_given_up_without_an_outcome() {
    completed_but(|t| {
        t.until("van down");
        t.data("van down", "attempt_failed").as_object_mut().unwrap().remove("timer");
        t.at("van down")["timers"] = json!({});
    })
    .breaks(&[Rule::Wakes]);
}

#[test]
fn stuck_while_something_moves() {
    completed_but(|t| {
        t.until("guest");
        let stuck = entry("stuck", json!({"nodes": ["ship"]}));
        t.then("guest", "stuck", json!({"cause": client(8), "events": [stuck]}));
    })
    .breaks(&[Rule::Wakes]);
}
