//! Pause and resume: clocks stand still, nothing is asked, nothing is lost.

use std::time::Duration;

use palinode::Aggregate;
use palinode_sagas::{
    Saga, Verb,
    event::Event,
    testing::{Fate, Script},
};

use crate::world::{Confirmed, Room, Trip, branched, held, hold, linear, outside, release, trip};

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn timers_stand_still_and_run_on_for_what_was_left() {
    let script = Script::of(&branched()).start(trip()).done("room", held(1)).done("seat", held(1));
    let left = script.due("guest").unwrap().since(script.now());
    let script = script.pass(Duration::from_secs(20)).verb(Verb::Pause).then(["paused with 1 timers"]);
    assert!(script.open_timers().is_empty(), "no timer fires while it is paused");
    let script = script.then_told("forward, paused; guest is waiting, waits for signal confirmed");
    let script = script.pass(HOUR).verb(Verb::Resume).then(["resumed with 1 timers"]);
    let after = script.due("guest").unwrap().since(script.now());
    assert_eq!(left - after, Duration::from_secs(20) + Duration::from_micros(1));
    script.fire("guest").then(["timed out guest, undo", "undo began: timed_out", "undo asked seat 1.1"]);
}

#[test]
fn the_deadline_shifts_by_the_pause() {
    let script = Script::of(&linear()).start(trip());
    let due = script.due("@deadline").unwrap();
    let script = script.verb(Verb::Pause).pass(HOUR * 24).verb(Verb::Resume);
    assert_eq!(script.due("@deadline").unwrap().since(due), HOUR * 24 + Duration::from_micros(1));
}

#[test]
fn an_answer_that_comes_during_the_pause_is_taken_at_its_end() {
    Script::of(&linear())
        .start(trip())
        .verb(Verb::Pause)
        .done("room", held(1))
        .then(["kept"])
        .then_open([])
        .verb(Verb::Resume)
        .then(["resumed with 1 timers", "done room", "asked seat 1.1"]);
}

#[test]
fn a_running_attempt_ends_is_recorded_and_costs_what_it_would_have_cost() {
    let script = Script::of(&outside()).start(trip()).verb(Verb::Pause);
    assert!(script.told.as_ref().unwrap().stops.is_empty(), "it is not disturbed");
    let script = script.answer("reserve/do", &Fate::Unknown).then(["kept"]);
    assert!(matches!(script.journal().last(), Some(Event::Kept { .. })));
    let script = script.pass(HOUR).verb(Verb::Resume);
    let script = script.then(["resumed with 0 timers", "failed reserve 1.1 unknown"]);
    // the hour does not count: the budget of two minutes goes on
    script
        .fire("reserve")
        .then(["asked reserve 1.2"])
        .done("reserve", 1)
        .then(["done reserve", "asked pay 1.1"]);
}

#[test]
fn a_cancel_during_the_pause_goes_before_everything_that_was_kept() {
    Script::of(&outside())
        .start(trip())
        .verb(Verb::Pause)
        .done("reserve", 1)
        .cancel()
        .then(["cancel asked"])
        .then_told("forward, paused, cancel asked; reserve is asked, waits for activity reserve, attempt 1")
        .verb(Verb::Resume)
        .then([
            "resumed with 0 timers",
            "undo began: cancelled",
            "draining reserve",
            "done reserve",
            "undo asked reserve 1.1",
        ])
        .undone("reserve")
        .then(["undone reserve", "compensated"]);
}

#[test]
fn signals_during_the_pause_are_buffered_and_taken_at_its_end() {
    let said = Confirmed { by: "guest".into() };
    Script::of(&branched())
        .start(trip())
        .done("room", held(1))
        .done("seat", held(1))
        .verb(Verb::Pause)
        .signal("s1", &said)
        .then(["signalled confirmed s1"])
        .then_told("buffered")
        .signal("s1", &said)
        .then_told("duplicate")
        .verb(Verb::Resume)
        .then(["resumed with 1 timers", "waited guest", "asked pay 1.1"]);
}

#[test]
fn verbs_about_nodes_wait_until_it_is_resumed_and_a_kill_does_not() {
    let script = Script::of(&outside()).start(trip()).done("reserve", 1).answer("pay/do", &Fate::Fatal);
    let script = script.verb(Verb::Pause).then(["paused with 0 timers"]);
    assert!(script.state().stuck, "a pause sets nobody free");
    let script = script.verb_of(Verb::Retry, "pay").then([]).then_told("paused");
    script.kill().then(["killed, standing reserve/do pay/do"]).verb(Verb::Resume).then_told("ended");
}

#[test]
fn an_undo_stands_still_too() {
    Script::of(&outside())
        .start(trip())
        .done("reserve", 1)
        .refused("pay")
        .answer("reserve/undo", &Fate::Transient)
        .verb(Verb::Pause)
        .then(["paused with 1 timers"])
        .cancel()
        .then([])
        .verb(Verb::Resume)
        .fire("reserve")
        .then(["undo asked reserve 1.2"])
        .undone("reserve")
        .then(["undone reserve", "compensated"]);
}

#[test]
fn an_end_of_a_pause_that_breaks_is_kept_and_taken_once_the_code_is_mended() {
    let saga = |least: u32| {
        Saga::define("mended", 1)
            .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
            .save(move |t, held| t.price = held.price.checked_sub(least).expect("too cheap"))
            .undo(release)
            .finish()
    };
    let script = Script::of(&saga(10)).start(trip()).verb(Verb::Pause).done("room", held(1)).then(["kept"]);
    let script = script.verb(Verb::Resume).then(["parked"]).verb(Verb::Resume).then([]).then_told("parked");
    let script = script.with_code_of(&saga(0)).verb(Verb::Unpark);
    script.then(["unparked", "kept", "resumed with 0 timers", "done room", "completed"]);
}
