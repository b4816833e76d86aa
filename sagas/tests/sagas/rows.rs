//! The rows of the transition table that the table test cannot show whole: what is written and asked.

use palinode_sagas::{
    event::Event,
    testing::{Fate, Script, line},
};

use crate::world::{Confirmed, branched, held, linear, outside, trip};

fn committing() -> Script {
    Script::of(&linear()).start(trip()).done("room", held(1)).done("seat", held(1))
}

#[test]
fn row_1_a_start_records_what_the_instance_is_pinned_to_and_asks_the_first_step() {
    let saga = linear();
    let script = Script::of(&saga).start(trip()).then(["started", "asked room 1.1"]).then_told("started");
    let Event::Started { definition, version, fingerprint, deadline, .. } = &script.journal()[0] else {
        panic!("{:?}", script.journal())
    };
    assert_eq!((&**definition, *version, *fingerprint), ("book-trip", 1, saga.definition().fingerprint()));
    assert_eq!(script.due("@deadline"), deadline.map(|d| d.due));
}

#[test]
fn row_2_the_same_start_again_changes_nothing_even_after_the_data_changed() {
    Script::of(&linear())
        .start(trip())
        .done("room", held(100))
        .start(trip())
        .then([])
        .then_told("started")
        .then_open(["seat/do"]);
}

#[test]
fn row_1_a_start_with_data_of_another_shape_is_refused_and_starts_nothing() {
    Script::of(&linear()).start("not a trip").then([]).then_told("bug").start(trip()).then_told("started");
}

#[test]
fn row_3_data_is_recorded_only_when_save_changed_it() {
    let script = Script::of(&linear()).start(trip()).done("room", held(100)).done("seat", held(0));
    let data: Vec<bool> = script
        .journal()
        .iter()
        .filter_map(|e| match e {
            Event::StepDone { data, .. } => Some(data.is_some()),
            _ => None,
        })
        .collect();
    assert_eq!(data, [true, false], "a price of 100 changes the data, a price of 0 does not");
}

#[test]
fn row_3_without_a_pivot_the_last_node_completes_the_saga() {
    let saga = palinode_sagas::Saga::define("short", 1)
        .step("room", |t: &crate::world::Trip| {
            use palinode::Aggregate;
            crate::world::Room::at("12").ask(crate::world::hold(t))
        })
        .nothing_to_undo("the hold ends by itself")
        .finish();
    Script::of(&saga).start(trip()).done("room", held(1)).then(["done room", "completed"]);
}

#[test]
fn row_4_a_deadline_before_the_pivot_takes_the_saga_back() {
    Script::of(&linear())
        .start(trip())
        .done("room", held(1))
        .fire("@deadline")
        .then(["undo began: deadline"])
        .then_open(["seat/do"])
        .done("seat", held(1))
        .then(["done seat", "undo asked seat 1.1"])
        .undone("seat")
        .undone("room")
        .then(["undone room", "compensated"]);
}

#[test]
fn row_6_a_waiting_cancel_is_too_late_when_the_pivot_is_passed() {
    committing()
        .cancel()
        .then(["cancel asked"])
        .then_told("committing, cancel asked; pay is asked, waits for activity pay, attempt 1")
        .done("pay", "receipt")
        .then(["passed pay", "cancel too late", "asked confirm 1.1"])
        .cancel()
        .then([])
        .then_told("too_late");
}

#[test]
fn row_7_a_waiting_cancel_is_honoured_when_the_pivot_is_refused() {
    committing().cancel().refused("pay").undone("seat").undone("room").then(["undone room", "compensated"]);
}

#[test]
fn row_8_an_unknown_pivot_is_asked_again_in_the_same_round_until_it_is_in_doubt() {
    let mut script = committing().answer("pay/do", &Fate::Unknown).then(["failed pay 1.1 unknown"]);
    let mut attempts = 1;
    while script.open_timers().iter().any(|t| t == "pay") {
        script = script.fire("pay");
        attempts += 1;
        assert_eq!(script.run("pay/do").map(|r| (r.round, r.attempt)), Some((1, attempts)));
        script = script.answer("pay/do", &Fate::Unknown);
    }
    assert!(attempts > 5, "the hour of doubt is longer than the five attempts of a step");
    let last: Vec<String> = script.journal().iter().rev().take(2).map(line).collect();
    assert_eq!(last, ["stuck pay", "in doubt pay"], "neither road is taken by guess");
    let told = "committing, stuck, cancel asked; pay is unknown, waits for a person";
    script.cancel().then_told(told).then(["cancel asked"]);
}

#[test]
fn row_8_a_pivot_that_never_reached_anyone_is_refused_after_its_budget() {
    let mut script = committing().answer("pay/do", &Fate::Transient);
    for attempt in 2..=5 {
        script = script.fire("pay").answer("pay/do", &Fate::Transient);
        let expected = format!("failed pay 1.{attempt} transient");
        assert!(script.journal().iter().any(|e| line(e).starts_with(&expected)), "{expected}");
    }
    script.then([
        "failed pay 1.5 transient, the last",
        "refused pay transient",
        "undo began: refused",
        "undo asked seat 1.1",
    ]);
}

#[test]
fn row_9_a_deadline_while_the_pivot_is_open_is_remembered_and_not_acted_on() {
    committing().fire("@deadline").then(["deadline passed"]).then_open(["pay/do"]);
}

#[test]
fn row_11_a_refused_retriable_is_asked_in_a_new_round_and_others_go_on() {
    Script::of(&branched())
        .start(trip())
        .done("room", held(1))
        .done("seat", held(1))
        .signal("s1", &Confirmed { by: "guest".into() })
        .done("pay", "receipt")
        .then(["passed pay", "asked confirm 1.1", "asked voucher 1.1"])
        .refused("confirm")
        .then(["failed confirm 1.1 refused"])
        .answer("voucher/do", &Fate::Done("null".into()))
        .then(["done voucher"])
        .fire("confirm")
        .then(["asked confirm 2.1"])
        .done("confirm", held(0))
        .then(["done confirm", "completed"]);
}

#[test]
fn row_11_a_retriable_without_budget_left_is_blocked_and_a_late_answer_frees_it() {
    let mut script = committing().done("pay", "receipt").refused("confirm");
    while script.open_timers().iter().any(|t| t == "confirm") {
        script = script.fire("confirm").refused("confirm");
    }
    let rounds = script.state().nodes().last().map(|(_, n)| n.tries.round).unwrap();
    script
        .then([&*format!("failed confirm {rounds}.1 refused, the last"), "blocked confirm", "stuck confirm"])
        .reply(&format!("confirm/do/{rounds}"), &Fate::Done("{\"price\":0}".into()))
        .then(["done late confirm", "completed"]);
}

#[test]
fn row_14_a_refused_undo_is_asked_in_a_new_round_until_it_is_stuck() {
    let mut script = committing().refused("pay").answer("seat/undo", &Fate::Refused("no".into()));
    script = script.then(["failed undo of seat 1.1 refused"]).fire("seat").then(["undo asked seat 2.1"]);
    script = script.answer("seat/undo", &Fate::Refused("no".into()));
    while script.open_timers().iter().any(|t| t == "seat") {
        script = script.fire("seat").answer("seat/undo", &Fate::Refused("no".into()));
    }
    let last: Vec<String> = script.journal().iter().rev().take(2).map(line).collect();
    assert_eq!(last, ["stuck seat", "undo stuck seat"]);
}

#[test]
fn row_16_answers_nobody_waits_for_are_recorded_with_their_class() {
    committing()
        .reply("room/do/1", &Fate::Done("{\"price\":1}".into()))
        .then(["late room/do/1 duplicate"])
        .reply("room/undo/1", &Fate::Done("null".into()))
        .then(["late room/undo/1 unexpected"])
        .reply("nowhere/do/1", &Fate::Done("null".into()))
        .then(["late nowhere/do/1 unexpected"])
        .then_open(["pay/do"]);
}

#[test]
fn row_18_a_kill_names_what_it_leaves_standing_and_undoes_nothing() {
    committing()
        .kill()
        .then(["killed, standing room/do seat/do pay/do"])
        .then_told("killed")
        .answer("pay/do", &Fate::Done("\"receipt\"".into()))
        .then(["late pay/do/1 ended"]);
}

#[test]
fn row_18_a_kill_clears_every_timer() {
    let script = Script::of(&outside()).start(trip()).answer("reserve/do", &Fate::Transient);
    assert_eq!(script.open_timers(), ["reserve"]);
    assert!(script.kill().open_timers().is_empty());
}

#[test]
fn row_21_a_terminal_saga_records_what_still_comes() {
    committing()
        .done("pay", "receipt")
        .done("confirm", held(0))
        .reply("confirm/do/1", &Fate::Done("{\"price\":0}".into()))
        .then(["late confirm/do/1 duplicate"])
        .cancel()
        .then([])
        .then_told("ended");
}
