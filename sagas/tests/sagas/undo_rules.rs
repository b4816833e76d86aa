//! U1 to U11: what is undone, in which order, towards whom.

use std::{sync::Arc, time::Duration};

use palinode::{Aggregate, activity::To};
use palinode_sagas::{
    Outcome, Saga,
    event::Event,
    testing::{Fate, Script},
};

use crate::world::{
    Command, Free, Pay, Quote, Reserve, Room, Seat, Trip, branched, held, hold, linear, outside, release,
    trip,
};

/// Two branches of activities behind a room.
fn two_branches() -> Saga<Trip> {
    let reserve = |t: &Trip| Reserve { trip: Arc::clone(&t.id) };
    let free = |t: &Trip, _: Outcome<'_, u32>| Free { trip: Arc::clone(&t.id) };
    Saga::define("two", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .undo(release)
        .parallel(|p| {
            p.branch("a", |f| f.step("one", reserve).undo(free).step("two", reserve).undo(free))
                .branch("b", |f| f.step("one", |t| Seat::at("1").ask(hold(t))).undo(release))
        })
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish()
}

#[test]
fn u1_the_step_that_failed_as_unknown_is_undone_too() {
    Script::of(&outside())
        .start(trip())
        .answer("reserve/do", &Fate::Fatal)
        .then([
            "failed reserve 1.1 fatal, the last",
            "unknown reserve",
            "undo began: unknown",
            "undo asked reserve 1.1",
        ])
        .undone("reserve")
        .then(["undone reserve", "compensated"]);
}

#[test]
fn u1_what_was_never_asked_skipped_refused_or_only_read_is_not_undone() {
    Script::of(&branched())
        .start(trip())
        .done("room", held(1))
        .then(["done room", "asked seat 1.1", "skipped car/quote by when", "skipped car/hold by when"])
        .refused("seat")
        .then(["refused seat full", "undo began: refused", "undo asked room 1.1"])
        .undone("room")
        .then(["undone room", "compensated"]);
}

#[test]
fn u2_a_node_is_undone_only_when_everything_behind_it_is_undone() {
    Script::of(&two_branches())
        .start(trip())
        .done("room", held(1))
        .done("a/one", 1)
        .done("a/two", 2)
        .done("b/one", held(1))
        .refused("pay")
        .then(["refused pay full", "undo began: refused", "undo asked b/one 1.1", "undo asked a/two 1.1"])
        .undone("b/one")
        .then(["undone b/one"])
        .undone("a/two")
        .then(["undone a/two", "undo asked a/one 1.1"])
        .undone("a/one")
        .then(["undone a/one", "undo asked room 1.1"])
        .undone("room")
        .then(["undone room", "compensated"]);
}

#[test]
fn u2_a_read_between_two_steps_does_not_let_their_undos_overtake() {
    let saga = Saga::define("gap", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .undo(release)
        .read("quote", |t| Quote { trip: Arc::clone(&t.id) }, |t, quote| t.price = *quote)
        .step("seat", |t| Seat::at("1").ask(hold(t)))
        .undo(release)
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish();
    Script::of(&saga)
        .start(trip())
        .done("room", held(1))
        .done("quote", 7)
        .done("seat", held(1))
        .refused("pay")
        .then_open(["seat/undo"])
        .undone("seat")
        .then_open(["room/undo"]);
}

#[test]
fn u3_no_forward_ask_in_any_branch_after_the_saga_turned_back() {
    Script::of(&two_branches())
        .start(trip())
        .done("room", held(1))
        .refused("b/one")
        .then(["refused b/one full", "undo began: refused", "draining a/one"])
        .done("a/one", 1)
        .then(["done a/one", "undo asked a/one 1.1"]);
}

#[test]
fn u4_an_entity_in_flight_is_awaited_and_delays_what_came_before_the_block_only() {
    Script::of(&two_branches())
        .start(trip())
        .done("room", held(1))
        .done("a/one", 1)
        .refused("a/two")
        .then(["refused a/two full", "undo began: refused", "undo asked a/one 1.1"])
        .undone("a/one")
        .then(["undone a/one"])
        .then_open(["b/one/do"])
        .done("b/one", held(1))
        .then(["done b/one", "undo asked b/one 1.1"])
        .undone("b/one")
        .then(["undone b/one", "undo asked room 1.1"]);
}

#[test]
fn u4_an_activity_in_flight_gets_its_cancel_token_and_a_grace_time() {
    let script = Script::of(&two_branches()).start(trip()).done("room", held(1)).refused("b/one");
    let stops = &script.told.as_ref().unwrap().stops;
    assert_eq!(stops.iter().map(|s| &*s.key).collect::<Vec<_>>(), ["a/one/do"]);
    assert_eq!(script.due("a/one").unwrap().since(script.now()), Duration::from_secs(10));
    script.fire("a/one").then(["unknown a/one", "undo asked a/one 1.1"]);
}

#[test]
fn u4_an_activity_between_two_attempts_is_not_asked_again() {
    Script::of(&two_branches())
        .start(trip())
        .done("room", held(1))
        .answer("a/one/do", &Fate::Transient)
        .refused("b/one")
        .then([
            "refused b/one full",
            "undo began: refused",
            "refused a/one transient",
            "undo asked room 1.1",
        ]);
}

#[test]
fn u5_the_undo_for_unknown_is_recorded_with_the_ask_and_replaced_by_the_one_from_the_reply() {
    let script = Script::of(&linear()).start(trip()).done("room", held(100));
    let undo = |event: &Event| match event {
        Event::StepAsked { undo: Some(plan), .. } | Event::StepDone { undo: Some(plan), .. } => {
            Some(plan.data.get().to_owned())
        }
        _ => None,
    };
    let undos: Vec<String> = script.journal().iter().take(3).filter_map(undo).collect();
    assert_eq!(
        undos,
        [r#"{"Release":{"trip":"t1","paid":null}}"#, r#"{"Release":{"trip":"t1","paid":100}}"#]
    );
    let script = script.refused("seat");
    assert_eq!(script.send("room/undo").unwrap().data.get(), undos[1]);
}

#[test]
fn u5_a_step_whose_undo_cannot_be_built_is_never_sent() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Odd(std::collections::BTreeMap<(u8, u8), u8>);
    impl palinode::Activity for Odd {
        const NAME: &'static str = "odd";
        type Reply = ();
        type Undo = palinode::NoUndo;
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Even(Arc<str>);
    impl palinode::Activity for Even {
        const NAME: &'static str = "even";
        type Reply = ();
        type Undo = Odd;
    }
    let saga = Saga::define("odd", 1)
        .step("even", |t: &Trip| Even(Arc::clone(&t.id)))
        .undo(|_, _| Odd([((1, 2), 3)].into()))
        .finish();
    Script::of(&saga)
        .start(trip())
        .then(["started", "refused even bug", "undo began: refused", "compensated"])
        .then_open([]);
}

#[test]
fn cx19_u6_the_undo_goes_to_the_entity_the_step_was_asked_of_even_when_the_data_changed() {
    let saga = Saga::define("moved", 1)
        .step("room", |t: &Trip| Room::at(&*format!("room-{}", t.price)).ask(hold(t)))
        .save(|t, held| t.price = held.price)
        .undo(release)
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish();
    let script = Script::of(&saga).start(trip());
    let asked = script.send("room/do").unwrap().to;
    let script = script.done("room", held(9)).refused("pay");
    assert_eq!(script.send("room/undo").unwrap().to, asked);
    assert_eq!(&*asked.id, "room-0");
    let to = script.journal().iter().find_map(|e| match e {
        Event::StepAsked { to: Some(to), .. } => Some(to.clone()),
        _ => None,
    });
    assert_eq!(to, Some(To::Entity(asked)));
}

#[test]
fn u7_a_timeout_of_an_entity_step_stops_the_waiting_and_sends_nothing_again() {
    let saga = slow_room();
    Script::of(&saga)
        .start(trip())
        .fire("room")
        .then(["unknown room", "undo began: unknown", "undo asked room 1.1"])
        .then_open(["room/do", "room/undo"]);
}

/// A room that may take too long, beside a seat.
fn slow_room() -> Saga<Trip> {
    Saga::define("slow", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .timeout(Duration::from_secs(5))
        .undo(release)
        .step("seat", |t| Seat::at("1").ask(Command::Confirm { trip: Arc::clone(&t.id) }))
        .undo(release)
        .finish()
}

#[test]
fn u8_done_before_the_undo_was_asked_replaces_the_recorded_undo() {
    let script = Script::of(&two_branches()).start(trip()).done("room", held(1)).refused("a/one");
    let script = script.done("b/one", held(7)).then(["done b/one", "undo asked b/one 1.1"]);
    assert_eq!(script.send("b/one/undo").unwrap().data.get(), r#"{"Release":{"trip":"t1","paid":7}}"#);
}

#[test]
fn u8_refused_before_the_undo_was_asked_leaves_the_set() {
    Script::of(&two_branches())
        .start(trip())
        .done("room", held(1))
        .refused("a/one")
        .refused("b/one")
        .then(["refused b/one full", "undo asked room 1.1"]);
}

#[test]
fn u8_an_answer_to_a_pivot_in_doubt_decides_it() {
    let in_doubt = || Script::of(&outside()).start(trip()).done("reserve", 1).answer("pay/do", &Fate::Fatal);
    in_doubt().then(["failed pay 1.1 fatal, the last", "in doubt pay", "stuck pay"]);
    let answer = |fate: &Fate| {
        let run = palinode::entity::RunRequest {
            key: "pay/do".into(),
            round: 1,
            attempt: 1,
            activity: "pay".into(),
            request: serde_json::value::RawValue::NULL.to_owned(),
            begin_by: palinode::Micros(0),
            parent: None,
        };
        in_doubt().attempt(&run, fate)
    };
    answer(&Fate::Done("\"receipt\"".into())).then(["passed pay", "asked voucher 1.1"]);
    answer(&Fate::Refused("no".into())).then([
        "refused late pay no",
        "undo began: refused",
        "undo asked reserve 1.1",
    ]);
}

#[test]
fn u9_an_entity_that_answers_the_ask_after_its_undo_was_asked_is_recorded_only() {
    Script::of(&slow_room())
        .start(trip())
        .fire("room")
        .done("room", held(1))
        .then(["late room/do/1 after_undo"])
        .undone("room")
        .then(["undone room", "compensated"]);
}

#[test]
fn u9_an_activity_that_is_done_after_it_said_it_was_undone_is_a_leak() {
    let script = Script::of(&two_branches()).start(trip()).done("room", held(1));
    let run = script.run("a/one/do").unwrap();
    script
        .refused("b/one")
        .fire("a/one")
        .undone("a/one")
        .attempt(&run, &Fate::Done("1".into()))
        .then(["late a/one/do/1 leak", "undo asked a/one 2.1"]);
}

#[test]
fn u10_independent_undos_go_on_while_one_is_refused() {
    Script::of(&two_branches())
        .start(trip())
        .done("room", held(1))
        .done("a/one", 1)
        .done("a/two", 2)
        .done("b/one", held(1))
        .refused("pay")
        .answer("a/two/undo", &Fate::Fatal)
        .then(["failed undo of a/two 1.1 fatal, the last", "undo stuck a/two"])
        .undone("b/one")
        .then(["undone b/one", "stuck a/two"]);
}

#[test]
fn u11_cancel_and_deadline_drop_no_undo() {
    Script::of(&linear())
        .start(trip())
        .done("room", held(1))
        .refused("seat")
        .cancel()
        .then([])
        .then_told("undoing; room is undoing, waits for the answer of hotel/room/12")
        .then_open(["room/undo"])
        .undone("room")
        .then(["undone room", "compensated"]);
}
