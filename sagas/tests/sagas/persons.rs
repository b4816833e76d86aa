//! What each verb writes, and what follows from it; leaks; instances set free.

use std::{sync::Arc, time::Duration};

use palinode::Aggregate;
use palinode_sagas::{
    Order, Retry, Saga, Verb,
    state::{Phase, Status},
    testing::{Fate, Script},
};

use crate::{
    verbs::{run, said, status_of, with_node},
    world::{Command, Confirmed, Pay, Room, Seat, Trip, Voucher, held, hold, linear, outside, release, trip},
};

#[test]
fn a_stuck_undo_is_asked_again_in_the_next_round_after_a_refusal() {
    let mut script = Script::of(&linear()).start(trip()).done("room", held(1)).refused("seat");
    while status_of(&script, "room") != Status::UndoStuck {
        script = script.answer("room/undo", &Fate::Refused("no".into()));
        if script.open_timers().iter().any(|t| t == "room") {
            script = script.fire("room");
        }
    }
    let round = script.state()[script.definition().find("room").unwrap()].undo_tries.round;
    let script = script.verb_of(Verb::Retry, "room");
    let expected = format!("undo asked room {}.1", round + 1);
    let script = script.then(["retry room", expected.as_str()]);
    let again =
        format!("undoing; room is undoing, waits for the answer of hotel/room/12, round {}", round + 1);
    script.then_told(&again).undone("room").then(["undone room", "compensated"]);
}

#[test]
fn a_retry_has_a_new_budget() {
    let saga = Saga::define("thrifty", 1)
        .step("reserve", |t: &Trip| crate::world::Reserve { trip: Arc::clone(&t.id) })
        .undo_retry(Retry::undo().attempts(2))
        .undo(|t, _| crate::world::Free { trip: Arc::clone(&t.id) })
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish();
    let script = Script::of(&saga).start(trip()).done("reserve", 1).refused("pay");
    let script = script.answer("reserve/undo", &Fate::Unknown).fire("reserve");
    let script = script.answer("reserve/undo", &Fate::Unknown).then([
        "failed undo of reserve 1.2 unknown, the last",
        "undo stuck reserve",
        "stuck reserve",
    ]);
    let script = script.pass(Duration::from_secs(86_400)).verb_of(Verb::Retry, "reserve");
    script
        .then(["retry reserve", "undo asked reserve 1.3"])
        .answer("reserve/undo", &Fate::Unknown)
        .then(["failed undo of reserve 1.3 unknown"])
        .fire("reserve")
        .undone("reserve")
        .then(["undone reserve", "compensated"]);
}

#[test]
fn what_an_entity_has_not_refused_is_awaited_again_and_not_sent_again() {
    let saga = Saga::define("confirmed", 1)
        .pivot("pay", |t: &Trip| Pay { trip: Arc::clone(&t.id) })
        .retriable("confirm", |t| Room::at("12").ask(Command::Confirm { trip: Arc::clone(&t.id) }))
        .timeout(Duration::from_secs(5))
        .finish();
    let script = Script::of(&saga).start(trip()).done("pay", "receipt").fire("confirm");
    script
        .then(["blocked confirm", "stuck confirm"])
        .verb_of(Verb::Retry, "confirm")
        .then(["retry confirm", "awaited confirm"])
        .then_told("finishing; confirm is asked, waits for the answer of hotel/room/12")
        .fire("confirm")
        .then(["blocked confirm", "stuck confirm"])
        .done("confirm", held(0))
        .then(["done late confirm", "completed"]);
}

#[test]
fn a_request_that_could_not_be_built_is_built_again_by_a_retry() {
    let saga = Saga::define("wordy", 1)
        .pivot("pay", |t: &Trip| Pay { trip: Arc::clone(&t.id) })
        .retriable("voucher", |_| Voucher { trip: "x".repeat(palinode_sagas::outcome::MAX_PAYLOAD).into() })
        .finish();
    Script::of(&saga)
        .start(trip())
        .done("pay", "receipt")
        .then(["passed pay", "blocked voucher", "stuck voucher"])
        .verb_of(Verb::Retry, "voucher")
        .then(["retry voucher", "blocked voucher", "stuck voucher"])
        .verb_of(Verb::Skip, "voucher")
        .then(["skip voucher", "skipped voucher by person", "completed"]);
}

#[test]
fn a_node_that_a_person_closed_is_an_exception_of_the_terminal_saga() {
    let stuck = || {
        let script = Script::of(&outside()).start(trip()).done("reserve", 1).refused("pay");
        script.answer("reserve/undo", &Fate::Fatal)
    };
    let exceptions = |script: &Script| {
        palinode_sagas::client::finished::<Trip>(&script.summary().unwrap()).unwrap().exceptions
    };
    let script = stuck().verb_of(Verb::Skip, "reserve");
    let script = script.then(["skip reserve", "skipped reserve by person", "compensated, 1 exceptions"]);
    assert_eq!(exceptions(&script), 1);
    let script = stuck().verb_of(Verb::MarkDone, "reserve");
    let script = script.then(["mark_done reserve", "undone reserve", "compensated, 1 exceptions"]);
    assert_eq!(exceptions(&script), 1);
    let script = stuck()
        .verb_of(Verb::MarkNotDone, "reserve")
        .then(["mark_not_done reserve", "failed undo of reserve 1.1 refused"]);
    let script = script.fire("reserve").then(["undo asked reserve 2.1"]).undone("reserve");
    assert_eq!(exceptions(&script.then(["undone reserve", "compensated"])), 0);
}

#[test]
fn a_pivot_in_doubt_is_decided_by_a_person_with_its_reply() {
    let doubt = || Script::of(&outside()).start(trip()).done("reserve", 1).answer("pay/do", &Fate::Fatal);
    let reply = |text: &str| serde_json::value::RawValue::from_string(text.into()).unwrap().into();
    let order = |verb| Order::new(verb, "ada", "the bank says so").node("pay");
    doubt().order(order(Verb::MarkDone).reply(reply("17"))).then([]).then_told("bad_reply");
    doubt().order(order(Verb::MarkDone)).then([]).then_told("bad_reply");
    let script = doubt().order(order(Verb::MarkDone).reply(reply("\"r1\"")));
    script.then(["mark_done pay", "passed pay", "asked voucher 1.1"]);
    let script = doubt().order(order(Verb::MarkNotDone)).then([
        "mark_not_done pay",
        "leaked pay",
        "refused late pay not_done",
        "undo began: refused",
        "undo asked reserve 1.1",
    ]);
    let script = script.undone("reserve").then(["undone reserve", "compensated, 1 exceptions"]);
    assert_eq!(script.state().leaks.len(), 1);
    let script = script.attempt(&run("pay/do"), &Fate::Done("\"r1\"".into()));
    script.then(["late pay/do/1 leak"]);
}

#[test]
fn a_cancel_that_waited_for_a_pivot_in_doubt_is_honoured_when_it_was_not_done() {
    let doubt = Script::of(&outside()).start(trip()).done("reserve", 1).answer("pay/do", &Fate::Fatal);
    let script = doubt.cancel().then(["cancel asked"]);
    let script = script.then_told("committing, stuck, cancel asked; pay is unknown, waits for a person");
    script
        .verb_of(Verb::MarkNotDone, "pay")
        .undone("reserve")
        .then(["undone reserve", "compensated, 1 exceptions"]);
}

#[test]
fn a_verb_for_a_node_nobody_knows_names_those_there_are() {
    let script =
        Script::of(&linear()).start(trip()).verb_of(Verb::Skip, "rom").then([]).then_told("no_such_node");
    let answer = script.told.as_ref().unwrap().answer.as_ref().unwrap().get().to_owned();
    assert!(answer.contains("there are room, seat, pay, confirm"), "{answer}");
    Script::of(&linear()).start(trip()).verb(Verb::Skip).then([]).then_told("bug");
}

#[test]
fn u9_a_leak_of_a_live_saga_is_undone_in_a_new_round() {
    let saga = Saga::define("leaky", 1)
        .parallel(|p| {
            p.step("reserve", |t: &Trip| crate::world::Reserve { trip: Arc::clone(&t.id) })
                .undo(|t, _| crate::world::Free { trip: Arc::clone(&t.id) })
                .step("seat", |t| Seat::at("1").ask(hold(t)))
                .undo(release)
        })
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish();
    let script = Script::of(&saga).start(trip()).done("seat", held(1)).cancel().fire("reserve");
    let script = script.undone("reserve").then(["undone reserve"]);
    let script = script.attempt(&run("reserve/do"), &Fate::Done("1".into()));
    let script = script.then(["late reserve/do/1 leak", "undo asked reserve 2.1"]);
    assert_eq!(script.state().leaks.iter().map(|n| &**n).collect::<Vec<_>>(), ["reserve"]);
    let script = script.undone("seat").then(["undone seat"]).undone("reserve");
    let script = script.then(["undone reserve", "compensated"]);
    assert!(script.state().leaks.is_empty());
}

#[test]
fn u9_a_leak_of_a_terminal_saga_is_undone_by_a_person() {
    let (script, _) = with_node("leaked");
    assert_eq!(script.state().leaks.len(), 1);
    let script =
        script.verb_of(Verb::UndoAgain, "reserve").then(["undo_again reserve", "undo asked reserve 2.1"]);
    let script =
        script.then_told("compensated; reserve is undoing, waits for activity reserve, round 2, attempt 1");
    let script = script.verb_of(Verb::UndoAgain, "reserve").then([]).then_told("not_now");
    let script =
        script.answer("reserve/undo", &Fate::Transient).then(["failed undo of reserve 2.1 transient"]);
    let script = script.fire("reserve").then(["undo asked reserve 2.2"]);
    let script = script.answer("reserve/undo", &Fate::Fatal);
    let script = script.then(["failed undo of reserve 2.2 fatal, the last", "undo stuck reserve"]);
    let script = script.verb_of(Verb::UndoAgain, "reserve").undone("reserve").then(["undone reserve"]);
    assert!(script.state().leaks.is_empty());
    assert_eq!(script.state().phase, Phase::Compensated);
}

#[test]
fn cx37_an_entity_that_answers_the_undo_before_the_ask_parks_the_instance() {
    let saga = Saga::define("slow", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .timeout(Duration::from_secs(5))
        .undo(release)
        .finish();
    let script = Script::of(&saga).start(trip()).fire("room").undone("room").then(["parked"]);
    let why = script.state().parked.unwrap();
    assert!(why.contains("room") && why.contains("owes the answer to the ask"), "{why}");
    script.verb(Verb::Unpark).then([]).then_told("parked").kill().then(["killed, standing room/do"]);
}

#[test]
fn a_parked_instance_whose_code_is_mended_takes_what_was_kept_in_its_order() {
    let saga = |least: u32| {
        Saga::define("mended", 1)
            .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
            .save(move |t, held| t.price = held.price.checked_sub(least).expect("too cheap"))
            .undo(release)
            .wait::<Confirmed>("guest", Duration::from_secs(60))
            .finish()
    };
    let script = Script::of(&saga(10)).start(trip()).done("room", held(1)).then(["parked"]);
    let script = script.signal("s1", &said()).then(["kept"]).verb(Verb::Unpark).then([]).then_told("parked");
    let script = script.with_code_of(&saga(0)).verb(Verb::Unpark);
    let script = script.then([
        "unparked",
        "done room",
        "waits guest",
        "signalled confirmed s1",
        "waited guest",
        "completed",
    ]);
    script.then_told("completed");
}

#[test]
fn a_read_that_answers_late_leaks_nothing_and_a_refused_step_that_was_done_after_all_does() {
    let saga = Saga::define("late", 1)
        .read(
            "quote",
            |t: &Trip| crate::world::Quote { trip: Arc::clone(&t.id) },
            |t, quote| t.price = *quote,
        )
        .timeout(Duration::from_secs(5))
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish();
    let script = Script::of(&saga).start(trip()).fire("quote");
    let script = script.then(["refused quote timeout", "undo began: refused", "compensated"]);
    let script =
        script.attempt(&run("quote/do"), &Fate::Done("1".into())).then(["late quote/do/1 duplicate"]);
    assert!(script.state().leaks.is_empty());
    let script = Script::of(&outside()).start(trip()).refused("reserve");
    let script = script.attempt(&run("reserve/do"), &Fate::Done("1".into())).then(["late reserve/do/1 leak"]);
    assert_eq!(script.state().leaks.len(), 1);
    script.verb_of(Verb::UndoAgain, "reserve").then([]).then_told("not_now");
}
