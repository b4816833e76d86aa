//! A panicking closure parks the instance: its inputs are kept, nothing of them is applied.

use std::sync::Arc;

use palinode::{Aggregate, commit::Outcome};
use palinode_sagas::{Saga, Verb, testing::Script};

use crate::world::{Pay, Room, Trip, held, hold, release, trip};

fn brittle() -> Saga<Trip> {
    Saga::define("brittle", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .save(|t, held| t.price = held.price.checked_sub(10).expect("a room costs at least 10"))
        .undo(release)
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish()
}

#[test]
fn a_panicking_closure_parks_the_instance_and_keeps_its_input() {
    let script = Script::of(&brittle()).start(trip());
    let before = script.state();
    let script = script.done("room", held(1)).then(["parked"]).then_told("parked");
    assert_eq!(script.told.as_ref().unwrap().outcome, Outcome::Parked);
    let state = script.state();
    assert!(state.parked.as_deref().is_some_and(|why| why.contains("a room costs at least 10")), "{state:?}");
    assert_eq!(state.data.get(), before.data.get(), "nothing of the input is applied");
    assert_eq!(state.kept.len(), 1);
    let script = script.cancel().then(["kept"]).then_told("parked");
    assert_eq!(script.state().kept.len(), 2);
}

#[test]
fn a_parked_instance_can_be_killed() {
    Script::of(&brittle())
        .start(trip())
        .done("room", held(1))
        .kill()
        .then(["killed, standing room/do"])
        .then_told("killed");
}

#[test]
fn a_killed_instance_keeps_nothing_any_more() {
    let script = Script::of(&brittle()).start(trip()).done("room", held(1)).kill();
    assert!(script.state().parked.is_none() && script.state().kept.is_empty());
    script.cancel().then([]).then_told("ended").verb(Verb::Unpark).then([]).then_told("ended");
}

#[test]
fn a_closure_that_panics_at_the_start_parks_the_start() {
    let saga = Saga::define("stillborn", 1)
        .pivot("pay", |t: &Trip| Pay { trip: t.guest.as_deref().expect("a guest").into() })
        .finish();
    Script::of(&saga)
        .start(trip())
        .then(["parked"])
        .start(trip())
        .then(["kept"])
        .kill()
        .then(["killed, standing "]);
}

fn long() -> String {
    "x".repeat(palinode_sagas::outcome::MAX_PAYLOAD)
}

#[test]
fn data_too_large_for_the_journal_starts_nothing() {
    Script::of(&brittle()).start(Trip { guest: Some(long()), ..trip() }).then([]).then_told("bug");
}

#[test]
fn a_reply_too_large_for_the_journal_leaves_the_step_unknown() {
    Script::of(&crate::world::outside()).start(trip()).done("reserve", 1).done("pay", long()).then([
        "failed pay 1.1 fatal, the last",
        "in doubt pay",
        "stuck pay",
    ]);
}

#[test]
fn a_request_too_large_for_the_journal_is_never_sent() {
    let saga = Saga::define("wordy", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .undo(release)
        .pivot("pay", |_| Pay { trip: long().into() })
        .finish();
    Script::of(&saga).start(trip()).done("room", held(1)).then([
        "done room",
        "refused pay bug",
        "undo began: refused",
        "undo asked room 1.1",
    ]);
}

#[test]
fn data_that_grew_too_large_parks_the_instance() {
    let saga = Saga::define("grown", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .save(|t, _| t.guest = Some(long()))
        .undo(release)
        .finish();
    Script::of(&saga).start(trip()).done("room", held(1)).then(["parked"]);
}
