//! Signals: early, late, twice, never, after the end; timers of the user.

use std::{sync::Arc, time::Duration};

use palinode::Aggregate;
use palinode_sagas::{Block, GoOn, Saga, testing::Script};

use crate::world::{Confirmed, Pay, Room, Trip, branched, held, hold, release, trip};

fn said(by: &str) -> Confirmed {
    Confirmed { by: by.into() }
}

fn waiting() -> Script {
    Script::of(&branched())
        .start(trip())
        .done("room", held(1))
        .done("seat", held(1))
        .then(["done seat", "waits guest"])
}

#[test]
fn an_open_wait_takes_the_signal_and_saves_it() {
    let script = waiting()
        .signal("s1", &said("guest"))
        .then(["signalled confirmed s1", "waited guest", "asked pay 1.1"])
        .then_told("taken");
    assert!(script.state().data.get().contains(r#""guest":"guest""#));
    assert!(script.open_timers().is_empty());
}

#[test]
fn an_early_signal_is_kept_and_the_wait_takes_the_oldest() {
    let script = Script::of(&branched())
        .start(trip())
        .signal("s1", &said("first"))
        .then_told("buffered")
        .signal("s2", &said("second"))
        .done("room", held(1))
        .done("seat", held(1))
        .then(["done seat", "waits guest", "waited guest", "asked pay 1.1"]);
    assert!(script.state().data.get().contains("first"));
    assert_eq!(script.state().signals.len(), 1);
}

#[test]
fn the_same_signal_twice_is_dropped_even_after_it_was_taken() {
    waiting().signal("s1", &said("a")).signal("s1", &said("b")).then([]).then_told("duplicate");
}

#[test]
fn without_a_signal_in_time_the_saga_is_taken_back() {
    waiting()
        .fire("guest")
        .then(["timed out guest, undo", "undo began: timed_out", "undo asked seat 1.1"])
        .signal("s1", &said("late"))
        .then(["signalled confirmed s1"])
        .then_told("kept");
}

#[test]
fn a_signal_nobody_knows_and_one_of_another_shape_are_refused() {
    waiting()
        .message("signal/other", &serde_json::json!({ "id": "x", "data": null }))
        .then_told("no_such_signal")
        .message("signal/confirmed", &serde_json::json!({ "id": "x", "data": 7 }))
        .then_told("bug")
        .then([]);
}

#[test]
fn a_hundred_signals_are_kept_and_no_more() {
    let mut script = Script::of(&branched()).start(trip());
    for n in 0..100 {
        script = script.signal(&format!("s{n}"), &said("x")).then_told("buffered");
    }
    script.signal("one-more", &said("x")).then([]).then_told("buffer_full");
}

#[test]
fn a_wait_may_go_on_without_its_signal_and_after_the_pivot_it_may_block() {
    let saga = Saga::define("patient", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .undo(release)
        .wait::<Confirmed>("guest", Duration::from_secs(60))
        .on_timeout(GoOn)
        .timer("breath", Duration::from_secs(5))
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .wait::<Confirmed>("arrival", Duration::from_secs(60))
        .on_timeout(Block)
        .finish();
    Script::of(&saga)
        .start(trip())
        .done("room", held(1))
        .fire("guest")
        .then(["timed out guest, go_on", "waits breath"])
        .fire("breath")
        .then(["waited breath", "asked pay 1.1"])
        .done("pay", "receipt")
        .then(["passed pay", "waits arrival"])
        .fire("arrival")
        .then(["timed out arrival, block", "stuck arrival"])
        .signal("s1", &said("late but there"))
        .then(["signalled confirmed s1", "waited arrival", "completed"]);
}

#[test]
fn a_timer_whose_serial_is_not_current_changes_nothing() {
    waiting()
        .signal("s1", &said("guest"))
        .input(&palinode::entity::EntityInput::Timer { node: "guest", serial: 1 })
        .then([])
        .then_open(["pay/do"]);
}
