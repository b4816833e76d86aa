//! A pivot that may have happened: probed, voided, and never guessed.

use std::sync::Arc;

use palinode_sagas::{
    Saga, Verb,
    testing::{Fate, Script},
};

use crate::world::{AskBank, Free, Pay, Reserve, Trip, VoidPay, Voucher, trip};

fn paid_by_a_bank() -> Saga<Trip> {
    Saga::define("banked", 1)
        .step("reserve", |t: &Trip| Reserve { trip: Arc::clone(&t.id) })
        .undo(|t, _| Free { trip: Arc::clone(&t.id) })
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .save(|t, receipt| t.guest = Some(receipt.clone()))
        .probe(|t| AskBank { trip: Arc::clone(&t.id) })
        .void(|t| VoidPay { trip: Arc::clone(&t.id) })
        .retriable("voucher", |t| Voucher { trip: Arc::clone(&t.id) })
        .finish()
}

/// The pivot may have happened, and the bank is asked.
pub(crate) fn probing() -> Script {
    let script = Script::of(&paid_by_a_bank()).start(trip()).done("reserve", 1);
    script.answer("pay/do", &Fate::Fatal).then(["failed pay 1.1 fatal, the last", "probe asked pay 1.1"])
}

/// The bank does not know.
pub(crate) fn in_doubt() -> Script {
    probing().answer("pay/probe", &done("\"not_known\"")).then(["not known pay", "in doubt pay", "stuck pay"])
}

fn voiding() -> Script {
    let script = in_doubt().verb_of(Verb::MarkNotDone, "pay");
    script
        .then(["mark_not_done pay", "void asked pay 1.1"])
        .then_told("committing; pay is voiding, waits for activity void-pay, attempt 1")
}

fn done(reply: &str) -> Fate {
    Fate::Done(reply.into())
}

#[test]
fn a_probe_that_says_happened_passes_the_pivot() {
    let script = probing().answer("pay/probe", &done(r#"{"happened":"r1"}"#));
    let script = script.then(["passed pay", "asked voucher 1.1"]);
    assert!(script.state().data.get().contains("r1"), "the reply is saved as if the pivot had answered");
}

#[test]
fn cx27_a_probe_that_knows_nothing_is_no_way_to_the_undo() {
    let script = in_doubt().cancel().then(["cancel asked"]);
    assert_eq!(script.open_keys(), Vec::<String>::new(), "nothing is undone on a probe's word");
    // the attempt that nobody knew of lands after all, and nothing is lost
    let run = palinode::entity::RunRequest {
        key: "pay/do".into(),
        round: 1,
        attempt: 1,
        activity: "pay".into(),
        request: serde_json::value::RawValue::NULL.to_owned(),
        begin_by: palinode::Micros(0),
        parent: None,
    };
    script.attempt(&run, &done("\"r1\"")).then(["passed pay", "cancel too late", "asked voucher 1.1"]);
}

#[test]
fn cx27_a_void_is_the_way_from_doubt_to_the_undo() {
    voiding()
        .answer("pay/void", &done("\"never\""))
        .then(["refused late pay voided", "undo began: refused", "undo asked reserve 1.1"])
        .undone("reserve")
        .then(["undone reserve", "compensated"]);
}

#[test]
fn a_void_that_finds_the_pivot_done_passes_it() {
    voiding().answer("pay/void", &done(r#"{"done":"r1"}"#)).then(["passed pay", "asked voucher 1.1"]);
}

#[test]
fn a_void_is_tried_again_with_the_same_bytes_and_ends_in_doubt() {
    let first = voiding();
    let bytes = first.run("pay/void").unwrap().request.get().to_owned();
    let script = first.answer("pay/void", &Fate::Unknown).then(["failed void of pay 1.1 unknown"]);
    let script = script.fire("pay").then(["void asked pay 1.2"]);
    assert_eq!(script.run("pay/void").unwrap().request.get(), bytes);
    let script = script.answer("pay/void", &Fate::Fatal);
    let script = script.then(["failed void of pay 1.2 fatal, the last", "in doubt pay", "stuck pay"]);
    script.verb_of(Verb::MarkNotDone, "pay").then(["mark_not_done pay", "void asked pay 1.3"]);
}

#[test]
fn an_answer_of_the_pivot_decides_while_its_participant_is_asked() {
    let run = palinode::entity::RunRequest {
        key: "pay/do".into(),
        round: 1,
        attempt: 1,
        activity: "pay".into(),
        request: serde_json::value::RawValue::NULL.to_owned(),
        begin_by: palinode::Micros(0),
        parent: None,
    };
    let script = voiding().attempt(&run, &done("\"r1\"")).then(["passed pay", "asked voucher 1.1"]);
    script.answer("pay/void", &done(r#"{"done":"r1"}"#)).then(["late pay/void/1 not_needed"]);
}

#[test]
fn an_unreadable_answer_of_a_void_is_a_doubt() {
    for reply in ["\"maybe\"", r#"{"done":17}"#] {
        let script = voiding().answer("pay/void", &done(reply));
        script.then(["failed void of pay 1.1 fatal, the last", "in doubt pay", "stuck pay"]);
    }
}

#[test]
fn a_void_stands_still_during_a_pause_and_ends_with_a_kill() {
    let script = voiding().verb(Verb::Pause).answer("pay/void", &done("\"never\"")).then(["kept"]);
    script.verb(Verb::Resume).then([
        "resumed with 0 timers",
        "refused late pay voided",
        "undo began: refused",
        "undo asked reserve 1.1",
    ]);
    let script = voiding().kill().then(["killed, standing reserve/do pay/do"]);
    let stops = &script.told.as_ref().unwrap().stops;
    assert_eq!(stops.iter().map(|s| &*s.key).collect::<Vec<_>>(), ["pay/void"]);
}

#[test]
fn three_lost_attempts_end_every_budget() {
    let lost = |mut script: Script, node: &str, key: &str| {
        for _ in 0..2 {
            script = script.answer(key, &Fate::Lost).fire(node);
        }
        let script = script.answer(key, &Fate::Lost);
        let last: Vec<String> =
            script.journal().iter().rev().take(2).map(palinode_sagas::testing::line).collect();
        last
    };
    let outside = || Script::of(&crate::world::outside()).start(trip());
    let pivot = outside().done("reserve", 1);
    assert_eq!(lost(pivot, "pay", "pay/do"), ["stuck pay", "in doubt pay"]);
    let retriable = outside().done("reserve", 1).done("pay", "r1");
    assert_eq!(lost(retriable, "voucher", "voucher/do"), ["stuck voucher", "blocked voucher"]);
    let undo = outside().done("reserve", 1).refused("pay");
    assert_eq!(lost(undo, "reserve", "reserve/undo"), ["stuck reserve", "undo stuck reserve"]);
    assert_eq!(lost(voiding(), "pay", "pay/void"), ["stuck pay", "in doubt pay"]);
}

#[test]
fn only_an_activity_can_be_in_doubt() {
    use palinode::Aggregate;
    let saga = Saga::define("odd", 1)
        .pivot("hold", |t: &Trip| crate::world::Room::at("12").ask(crate::world::hold(t)))
        .probe(|_: &Trip| Odd {})
        .finish();
    let problems = saga.check().unwrap_err();
    assert!(problems.iter().any(|p| p.what.contains("only an activity is in doubt")), "{problems:?}");
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Odd {}
impl palinode::Activity for Odd {
    const NAME: &'static str = "odd";
    type Reply = palinode_sagas::outcome::Probed<crate::world::Held>;
    type Undo = palinode::NoUndo;
}
