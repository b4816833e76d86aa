//! A saga of one road: steps, pivot, retriable; what happens when each of them fails.

use crate::world::{Trip, held, linear, trip};
use palinode_sagas::testing::Script;

#[test]
fn a_trip_that_goes_well_is_completed() {
    let script = Script::of(&linear())
        .start(trip())
        .then(["started", "asked room 1.1"])
        .done("room", held(100))
        .then(["done room", "asked seat 1.1"])
        .done("seat", held(20))
        .then(["done seat", "asked pay 1.1"])
        .done("pay", "receipt")
        .then(["passed pay", "asked confirm 1.1"])
        .done("confirm", held(0))
        .then(["done confirm", "completed"]);
    let end = palinode_sagas::client::finished::<Trip>(&script.summary().unwrap()).unwrap();
    assert_eq!((end.outcome, end.data.price), (palinode_sagas::End::Completed, 120));
}

#[test]
fn a_refused_step_undoes_the_steps_before_it_in_reverse_order() {
    Script::of(&linear())
        .start(trip())
        .done("room", held(100))
        .done("seat", held(20))
        .refused("pay")
        .then(["refused pay full", "undo began: refused", "undo asked seat 1.1"])
        .undone("seat")
        .then(["undone seat", "undo asked room 1.1"])
        .undone("room")
        .then(["undone room", "compensated"]);
}
