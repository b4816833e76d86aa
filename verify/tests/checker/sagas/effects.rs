//! S9 and S10. Planted: effects without a record, other bytes, rounds and attempts that jump or repeat; retries that come
//! too early, after the budget, or with a time that is not theirs.

use palinode_verify::Rule;
use serde_json::json;

use crate::{history::client, tale::*};

#[test]
fn an_effect_that_nobody_recorded() {
    completed_but(|t| t.at("car")["runs"] = json!([run("boat/do", 1)])).breaks(&[Rule::Effects]);
    completed_but(|t| {
        t.until("paid");
        let mut again = t.at("paid")["sends"][0].clone();
        again["reply"]["re"] = json!("ship/do/2");
        t.at("paid")["sends"].as_array_mut().unwrap().push(again);
    })
    .breaks(&[Rule::Effects]);
}

#[test]
fn a_message_sent_twice_in_one_round() {
    completed_but(|t| {
        t.until("paid");
        let again = t.at("paid")["sends"][0].clone();
        t.at("paid")["sends"].as_array_mut().unwrap().push(again);
    })
    .breaks(&[Rule::Effects]);
}

#[test]
fn an_entity_asked_twice_in_one_round() {
    completed_but(|t| {
        t.until("ship again");
        t.data("refused", "attempt_failed")["how"] = json!("unknown");
        t.data("ship again", "step_asked")["round"] = json!(1);
        t.data("ship again", "step_asked")["attempt"] = json!(2);
        t.at("ship again")["sends"][0]["reply"]["re"] = json!("ship/do/1");
    })
    .breaks(&[Rule::Effects]);
}

#[test]
fn other_bytes_in_another_round_of_the_same_request() {
    completed_but(|t| t.at("ship again")["sends"][0]["data"] = json!("ship it")).breaks(&[Rule::Effects]);
    completed_but(|t| t.data("van again", "step_asked")["request"] = json!("two vans"))
        .breaks(&[Rule::Effects]);
}

#[test]
fn an_undo_with_other_bytes_than_recorded() {
    // The undo recorded with the reply replaces that of the ask.
    compensated_but(|t| t.at("no car")["sends"][0]["data"] = json!("give?")).breaks(&[Rule::Effects]);
}

#[test]
fn an_attempt_that_is_left_out() {
    completed_but(|t| {
        t.data("van again", "step_asked")["attempt"] = json!(3);
        t.at("van again")["runs"][0]["attempt"] = json!(3);
        t.at("van")["cause"]["activity"]["attempt"] = json!(3);
    })
    .breaks(&[Rule::Effects]);
}

#[test]
fn a_round_that_rises_without_a_refusal() {
    completed_but(|t| {
        t.data("van again", "step_asked")["round"] = json!(2);
        t.data("van again", "step_asked")["attempt"] = json!(1);
        t.at("van again")["runs"][0] = json!({"key": "van/do", "round": 2, "attempt": 1});
        t.at("van")["cause"]["activity"] = json!({"key": "van/do", "round": 2, "attempt": 1});
        t.data("van", "step_done")["round"] = json!(2);
    })
    .breaks(&[Rule::Effects]);
}

#[test]
fn an_outcome_of_another_round() {
    completed_but(|t| {
        t.data("end", "step_done")["round"] = json!(1);
        t.at("ship")["sends"][0]["re"] = json!("ship/do/1");
    })
    .breaks(&[Rule::Effects]);
}

#[test]
fn a_failure_of_an_attempt_that_was_not_asked() {
    compensated_but(|t| t.data("van stays", "attempt_failed")["attempt"] = json!(2)).breaks(&[Rule::Effects]);
}

#[test]
fn an_ask_while_the_last_one_is_open() {
    completed_but(|t| {
        let again = json!({"node": "car", "round": 1, "attempt": 2});
        t.then(
            "van again",
            "car again",
            json!({"cause": client(8), "runs": [run("car/do", 2)],
            "events": [entry("step_asked", again)]}),
        );
        t.at("car")["cause"]["activity"]["attempt"] = json!(2);
    })
    .breaks(&[Rule::Effects]);
}

#[test]
fn a_retry_before_it_is_due() {
    // The timer in the log is the same, and it fires when it is due; the journal says another time.
    let retry = |t: &mut Tale| {
        t.data("van down", "attempt_failed")["timer"]["due"] = json!(55_000);
        t.at("van down")["timers"]["set"][0]["due"] = json!(55_000);
        t.at("van again")["cause"] = client(8);
    };
    completed_but(retry).breaks(&[Rule::Retries]);
    compensated_but(|t| {
        t.data("van stays", "attempt_failed")["timer"]["due"] = json!(110_001);
        t.at("van stays")["timers"]["set"][0]["due"] = json!(110_001);
        t.at("van back")["cause"] = client(8);
    })
    .breaks(&[Rule::Retries]);
}

#[test]
fn a_retry_after_the_budget_was_spent() {
    completed_but(|t| {
        t.data("refused", "attempt_failed").as_object_mut().unwrap().remove("timer");
        t.at("refused")["timers"] = json!({});
        t.entries("refused").push(entry("blocked", json!({"node": "ship", "why": "so"})));
        t.entries("refused").push(entry("stuck", json!({"nodes": ["ship"]})));
        t.at("ship again")["cause"] = client(8);
    })
    .breaks(&[Rule::Retries]);
}

#[test]
fn a_retry_planned_for_the_past() {
    completed_but(|t| {
        t.data("van down", "attempt_failed")["timer"]["due"] = json!(39_999);
        t.at("van down")["timers"]["set"][0]["due"] = json!(39_999);
    })
    .breaks(&[Rule::Retries]);
}

#[test]
fn a_first_ask_at_another_time_than_its_commit() {
    completed_but(|t| t.data("guest", "step_asked")["at"] = json!(79_999)).breaks(&[Rule::Retries]);
    compensated_but(|t| t.data("van back", "undo_asked")["at"] = json!(110_000)).breaks(&[Rule::Retries]);
}

#[test]
fn a_timer_with_a_serial_that_does_not_rise() {
    completed_but(|t| {
        t.data("car", "wait_began")["timer"]["serial"] = json!(1);
        t.at("car")["timers"]["set"][0]["serial"] = json!(1);
        t.at("guest")["timers"]["clear"][0]["serial"] = json!(1);
    })
    .breaks(&[Rule::Retries]);
}
