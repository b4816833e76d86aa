//! What a person may do: the tables at the top of `control.rs`, read back and driven pair by pair.

use std::{sync::Arc, time::Duration};

use palinode::Aggregate;
use palinode_sagas::{
    Order, Saga, Verb,
    event::Event,
    state::Status,
    testing::{Fate, Script},
};

use crate::{
    table::{cells, in_state},
    world::{Confirmed, Pay, Quote, Room, Seat, Trip, Voucher, held, hold, outside, release, trip},
};

fn table(first: &str) -> Vec<Vec<&'static str>> {
    let source = include_str!("../../src/control.rs");
    let mut lines = source.lines().filter(|l| l.starts_with("//! |")).map(cells);
    let head = lines.by_ref().find(|c| c.first() == Some(&first)).unwrap();
    let rows = lines.skip(1).take_while(|c| c.first() != Some(&"node is"));
    std::iter::once(head).chain(rows).collect()
}

/// A cell: what follows, and the code of the refusal. Numbers are rows of the specification.
fn cell(text: &str) -> (&str, Option<&str>) {
    let text = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
    match text.split_once('/') {
        Some((next, code)) => (next, Some(code)),
        None => (text, None),
    }
}

fn told_code(script: &Script) -> Option<String> {
    let answer = script.told.as_ref().and_then(|d| d.answer.as_deref())?;
    let refusal: palinode::message::Refusal = serde_json::from_str(answer.get()).ok()?;
    Some(refusal.code.to_string())
}

fn brittle() -> Script {
    let saga = Saga::define("brittle", 1)
        .step("room", |t: &Trip| Room::at("12").ask(hold(t)))
        .save(|t, held| t.price = held.price.checked_sub(10).expect("a room costs at least 10"))
        .undo(release)
        .finish();
    Script::of(&saga).start(trip()).done("room", held(1)).then(["parked"])
}

#[test]
fn every_verb_does_in_every_state_of_an_instance_what_the_table_says() {
    let rows = table("instance");
    let verbs: Vec<Verb> = rows[0].iter().skip(1).map(|v| v.parse().unwrap()).collect();
    let mut states = Vec::new();
    for row in &rows[1..] {
        states.push(row[0]);
        for (verb, text) in verbs.iter().zip(&row[1..]) {
            let script = match row[0] {
                "paused" => in_state("Forward").0.verb(Verb::Pause),
                "parked" => brittle(),
                state => in_state(state).0,
            };
            let before = script.state().phase;
            let (next, code) = cell(text);
            let broken = (row[0], *verb) == ("parked", Verb::Unpark);
            let script = script.verb(*verb);
            let next = if next == "=" { format!("{before:?}") } else { next.into() };
            assert_eq!(format!("{:?}", script.state().phase), next, "{} and {verb}", row[0]);
            // its code is not mended here, so it stays parked
            let code = if broken { Some("parked") } else { code };
            assert_eq!(told_code(&script).as_deref(), code, "{} and {verb}", row[0]);
            let kept = (row[0], *verb) == ("parked", Verb::Cancel);
            let quiet = script.told.as_ref().unwrap().events.is_empty();
            assert!(quiet || kept || code.is_none(), "{} and {verb}", row[0]);
        }
    }
    let phases =
        ["None", "Forward", "Committing", "Finishing", "Undoing", "Completed", "Compensated", "Killed"];
    assert_eq!(states, [&phases[..], &["paused", "parked"]].concat());
}

/// Steps of every kind before the pivot, and after it a node of every kind.
fn all_kinds() -> Saga<Trip> {
    Saga::define("kinds", 1)
        .step("one", |t: &Trip| Room::at("1").ask(hold(t)))
        .undo(release)
        .read("quote", |t| Quote { trip: Arc::clone(&t.id) }, |t, quote| t.price = *quote)
        .when(|t| t.car)
        .step("slow", |t| Seat::at("2").ask(hold(t)))
        .timeout(Duration::from_secs(5))
        .undo(release)
        .step("two", |t| Seat::at("2").ask(hold(t)))
        .undo(release)
        .wait::<Confirmed>("guest", Duration::from_secs(60))
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .retriable("voucher", |t| Voucher { trip: Arc::clone(&t.id) })
        .wait::<Confirmed>("after", Duration::from_secs(60))
        .finish()
}

fn kinds() -> Script {
    Script::of(&all_kinds()).start(trip())
}

pub(crate) fn said() -> Confirmed {
    Confirmed { by: "guest".into() }
}

/// The attempt an activity was in before it failed.
pub(crate) fn run(key: &str) -> palinode::entity::RunRequest {
    palinode::entity::RunRequest {
        key: key.into(),
        round: 1,
        attempt: 1,
        activity: "any".into(),
        request: serde_json::value::RawValue::NULL.to_owned(),
        begin_by: palinode::Micros(0),
        parent: None,
    }
}

/// An instance with a node that stands so.
pub(crate) fn with_node(state: &str) -> (Script, &'static str) {
    let waiting = || kinds().done("one", held(1)).done("slow", held(1)).done("two", held(1));
    let paying = || waiting().signal("s", &said());
    let paid = || paying().done("pay", "receipt");
    let outside = || Script::of(&outside()).start(trip());
    let undoing = || outside().done("reserve", 1).refused("pay");
    match state {
        "Idle" => (kinds(), "two"),
        "Asked" => (kinds(), "one"),
        "pausing" => (outside().answer("reserve/do", &Fate::Transient), "reserve"),
        "wait" => (waiting(), "guest"),
        "Done" => (waiting(), "one"),
        "Refused" => (kinds().done("one", held(1)).refused("slow"), "slow"),
        // Behind it the second branch still runs, so its undo waits.
        "Unknown" => (beside(), "a"),
        "in doubt" => (paying().answer("pay/do", &Fate::Fatal), "pay"),
        "Probing" => (crate::settle::probing(), "pay"),
        "voidable" => (crate::settle::in_doubt(), "pay"),
        "Voiding" => (crate::settle::in_doubt().verb_of(Verb::MarkNotDone, "pay"), "pay"),
        "Skipped" => (waiting(), "quote"),
        "Blocked" => (paid().answer("voucher/do", &Fate::Fatal), "voucher"),
        "blocked wait" => (paid().done("voucher", ()).fire("after"), "after"),
        "Undoing" => (undoing(), "reserve"),
        "UndoWaiting" => (undoing().answer("reserve/undo", &Fate::Transient), "reserve"),
        "Undone" => (undone(), "a"),
        "UndoStuck" => (undoing().answer("reserve/undo", &Fate::Fatal), "reserve"),
        "leaked" => {
            let done = Fate::Done("1".into());
            let script = undoing().undone("reserve").attempt(&run("reserve/do"), &done);
            (script.then(["late reserve/do/1 leak"]), "reserve")
        }
        other => panic!("the table names a node nobody knows: {other:?}"),
    }
}

/// A step that may have happened, with one behind it that is still in flight.
fn beside() -> Script {
    let saga = Saga::define("beside", 1)
        .step("a", |t: &Trip| Room::at("1").ask(hold(t)))
        .undo(release)
        .parallel(|p| {
            p.step("b", |t| Seat::at("1").ask(hold(t)))
                .undo(release)
                .step("c", |t| Seat::at("2").ask(hold(t)))
                .undo(release)
        })
        .finish();
    Script::of(&saga).start(trip()).done("a", held(1)).refused("b")
}

/// Two steps side by side, one of them undone and the other not.
fn undone() -> Script {
    let saga = Saga::define("undone", 1)
        .parallel(|p| {
            p.step("a", |t: &Trip| Seat::at("1").ask(hold(t)))
                .undo(release)
                .step("b", |t| Seat::at("2").ask(hold(t)))
                .undo(release)
        })
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .finish();
    Script::of(&saga).start(trip()).done("a", held(1)).done("b", held(1)).refused("pay").undone("a")
}

#[test]
fn every_verb_does_to_every_node_what_the_table_says() {
    let rows = table("node is");
    let verbs: Vec<Verb> = rows[0].iter().skip(1).map(|v| v.parse().unwrap()).collect();
    assert_eq!(rows.len(), 20);
    for row in &rows[1..] {
        for (verb, text) in verbs.iter().zip(&row[1..]) {
            let (script, node) = with_node(row[0]);
            let status = |script: &Script| status_of(script, node);
            let before = status(&script);
            let named = Some(before).filter(|s| format!("{s:?}") == row[0]).is_some();
            let special = ["pausing", "wait", "in doubt", "voidable", "blocked wait", "leaked", "Unknown"]
                .contains(&row[0]);
            assert!(named || special, "{}: {node} is {before:?}", row[0]);
            let (next, code) = cell(text);
            let order = Order::new(*verb, "ada", "a test").node(node);
            let reply = |r: &str| serde_json::value::RawValue::from_string(r.into()).unwrap().into();
            let order = if node == "pay" { order.reply(reply("\"receipt\"")) } else { order };
            let script = script.order(order);
            let next = if next == "=" { format!("{before:?}") } else { next.into() };
            assert_eq!(format!("{:?}", status(&script)), next, "{} and {verb}", row[0]);
            assert_eq!(told_code(&script).as_deref(), code, "{} and {verb}", row[0]);
            let told = script.told.as_ref().unwrap();
            if code.is_some() {
                assert!(told.events.is_empty(), "{} and {verb}", row[0]);
            } else {
                let first = Event::read(&told.events[0]).unwrap();
                let Event::Intervened { verb: wrote, node: of, by, reason } = first else {
                    panic!("{first:?}")
                };
                assert_eq!((wrote, &*of, &*by, &*reason), (*verb, node, "ada", "a test"));
            }
        }
    }
}

pub(crate) fn status_of(script: &Script, node: &str) -> Status {
    let state = script.state();
    let id = script.definition().find(node).unwrap();
    state[id].status
}
