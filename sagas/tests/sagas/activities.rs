//! Attempts of activities: retry, budgets, timeouts, take-over.

use std::{sync::Arc, time::Duration};

use palinode::{Activity, NoUndo};
use palinode_sagas::{
    Retry, Saga,
    testing::{Fate, Script},
};
use serde::{Deserialize, Serialize};

use crate::world::{Free, Pay, Reserve, Trip, outside, trip};

#[test]
fn attempts_of_a_round_carry_the_same_key_and_bytes() {
    let script = Script::of(&outside()).start(trip());
    let first = script.run("reserve/do").unwrap();
    let script =
        script.answer("reserve/do", &Fate::Unknown).then(["failed reserve 1.1 unknown"]).fire("reserve");
    let second = script.run("reserve/do").unwrap();
    assert_eq!((first.round, first.attempt, second.round, second.attempt), (1, 1, 1, 2));
    assert_eq!((first.key, first.request.get()), (second.key, second.request.get()));
}

/// A request without fields, which is `null` as JSON.
#[derive(Serialize, Deserialize)]
struct Ring;

impl Activity for Ring {
    const NAME: &'static str = "ring";
    type Reply = ();
    type Undo = NoUndo;
}

#[test]
fn a_request_without_fields_is_asked_again() {
    let saga: Saga<()> = Saga::define("bell", 1).pivot("ring", |()| Ring).finish();
    let script = Script::of(&saga).start(()).answer("ring/do", &Fate::Lost).fire("ring");
    let second = script.run("ring/do").unwrap();
    assert_eq!((second.attempt, second.request.get()), (2, "null"));
    script.answer("ring/do", &Fate::Done("null".into())).then(["passed ring", "completed"]);
}

#[test]
fn the_due_times_of_attempts_stay_inside_the_policy() {
    let mut script = Script::of(&outside()).start(trip());
    for attempt in 1..5_u32 {
        script = script.answer("reserve/do", &Fate::Transient);
        let wait = script.due("reserve").unwrap().since(script.now());
        assert!(wait <= Duration::from_millis(200) * 2_u32.pow(attempt - 1), "attempt {attempt}: {wait:?}");
        script = script.fire("reserve");
    }
}

#[test]
fn a_step_whose_attempts_never_happened_is_refused_after_its_budget() {
    let mut script = Script::of(&outside()).start(trip());
    for _ in 1..5 {
        script = script.answer("reserve/do", &Fate::Transient).fire("reserve");
    }
    script.answer("reserve/do", &Fate::Transient).then([
        "failed reserve 1.5 transient, the last",
        "refused reserve transient",
        "undo began: refused",
        "compensated",
    ]);
}

#[test]
fn one_attempt_that_may_have_happened_makes_the_whole_step_unknown() {
    let mut script =
        Script::of(&outside()).start(trip()).answer("reserve/do", &Fate::Unknown).fire("reserve");
    for _ in 2..5 {
        script = script.answer("reserve/do", &Fate::Transient).fire("reserve");
    }
    script.answer("reserve/do", &Fate::Transient).then([
        "failed reserve 1.5 transient, the last",
        "unknown reserve",
        "undo began: unknown",
        "undo asked reserve 1.1",
    ]);
}

#[test]
fn three_lost_attempts_end_the_budget() {
    Script::of(&outside())
        .start(trip())
        .answer("reserve/do", &Fate::Lost)
        .then(["failed reserve 1.1 lost"])
        .fire("reserve")
        .answer("reserve/do", &Fate::Lost)
        .fire("reserve")
        .answer("reserve/do", &Fate::Lost)
        .then([
            "failed reserve 1.3 lost, the last",
            "unknown reserve",
            "undo began: unknown",
            "undo asked reserve 1.1",
        ]);
}

#[test]
fn a_lost_attempt_of_an_undo_is_tried_again_in_the_same_round() {
    Script::of(&outside())
        .start(trip())
        .done("reserve", 1)
        .refused("pay")
        .answer("reserve/undo", &Fate::Lost)
        .then(["failed undo of reserve 1.1 lost"])
        .fire("reserve")
        .then(["undo asked reserve 1.2"])
        .undone("reserve")
        .then(["undone reserve", "compensated"]);
}

#[test]
fn a_step_timeout_ends_the_attempt_that_runs() {
    let saga = Saga::define("hasty", 1)
        .step("reserve", |t: &Trip| Reserve { trip: Arc::clone(&t.id) })
        .timeout(Duration::from_secs(3))
        .retry(Retry::step().attempts(2))
        .undo(|t, _| Free { trip: Arc::clone(&t.id) })
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish();
    let script = Script::of(&saga).start(trip()).fire("reserve");
    assert_eq!(script.told.as_ref().unwrap().stops.len(), 1);
    script
        .then(["unknown reserve", "undo began: unknown", "undo asked reserve 1.1"])
        .answer("reserve/do", &Fate::Refused("no".into()))
        .then(["late reserve/do/1 after_undo"]);
}

#[test]
fn a_retriable_activity_is_tried_for_a_day_and_then_blocked() {
    let mut script = Script::of(&outside()).start(trip()).done("reserve", 1).done("pay", "receipt");
    let began = script.now();
    script = script.answer("voucher/do", &Fate::Transient);
    while script.open_timers().iter().any(|t| t == "voucher") {
        script = script.fire("voucher").answer("voucher/do", &Fate::Transient);
    }
    assert!(script.now().since(began) > Duration::from_secs(23 * 3_600));
    let last: Vec<String> =
        script.journal().iter().rev().take(2).map(palinode_sagas::testing::line).collect();
    assert_eq!(last, ["stuck voucher", "blocked voucher"]);
}

#[test]
fn a_reply_of_another_shape_leaves_the_step_unknown() {
    Script::of(&outside()).start(trip()).done("reserve", "not a number").then([
        "failed reserve 1.1 fatal, the last",
        "unknown reserve",
        "undo began: unknown",
        "undo asked reserve 1.1",
    ]);
}
