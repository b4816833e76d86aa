//! The table at the top of `coordinator.rs`, read back: every pair of a state and an input.

use std::{sync::Arc, time::Duration};

use palinode::Aggregate;
use palinode_sagas::{
    Saga,
    state::Phase,
    testing::{Fate, Script},
};

use crate::world::{Command, Confirmed, Pay, Room, Seat, Trip, held, hold, release, trip};

fn saga() -> Saga<Trip> {
    Saga::define("book-trip", 1)
        .step("seat", |t: &Trip| Seat::at("12A").ask(hold(t)))
        .undo(release)
        .step("room", |t| Room::at("12").ask(hold(t)))
        .timeout(Duration::from_secs(5))
        .undo(release)
        .pivot("pay", |t| Pay { trip: Arc::clone(&t.id) })
        .retriable("confirm", |t| Room::at("12").ask(Command::Confirm { trip: Arc::clone(&t.id) }))
        .timeout(Duration::from_secs(5))
        .wait::<Confirmed>("never", Duration::from_secs(1))
        .when(|_| false)
        .deadline(Duration::from_secs(3_600))
        .finish()
}

/// An instance in this state, and the key of the node that is open in it.
pub(crate) fn in_state(state: &str) -> (Script, &'static str) {
    let forward = || Script::of(&saga()).start(trip()).done("seat", held(1));
    let committing = || forward().done("room", held(1));
    let finishing = || committing().done("pay", "receipt");
    let undoing = || committing().refused("pay").undone("room");
    match state {
        "None" => (Script::of(&saga()), "room/do"),
        "Forward" => (forward(), "room/do"),
        "Committing" => (committing(), "pay/do"),
        "Finishing" => (finishing(), "confirm/do"),
        "Undoing" => (undoing(), "seat/undo"),
        "Completed" => (finishing().done("confirm", held(0)), "room/do"),
        "Compensated" => (undoing().undone("seat"), "room/do"),
        "Killed" => (forward().kill(), "room/do"),
        other => panic!("the table names a state nobody knows: {other:?}"),
    }
}

fn give(script: Script, key: &'static str, state: &str, input: &str) -> Script {
    let open = !matches!(state, "None" | "Completed" | "Compensated" | "Killed");
    let reply = || if key == "pay/do" { "\"receipt\"" } else { "{\"price\":1}" }.to_owned();
    match input {
        "start" => script.start(trip()),
        "start other" => script.start(Trip { car: true, ..trip() }),
        "done" if open => script.answer(key, &Fate::Done(reply())),
        "done" => script.reply("room/do/1", &Fate::Done(reply())),
        "refused" if open => script.answer(key, &Fate::Refused("full".into())),
        "refused" => script.reply("room/do/1", &Fate::Refused("full".into())),
        "unknown" => match state {
            "Committing" => script.answer(key, &Fate::Unknown),
            "Undoing" => script.reply("seat/undo/1", &Fate::Unknown),
            _ => script.fire(key.trim_end_matches("/do")),
        },
        "deadline" => script.fire("@deadline"),
        "signal" => script.signal("s1", &Confirmed { by: "guest".into() }),
        "late reply" => script.reply("seat/do/1", &Fate::Done(reply())),
        other => panic!("the table names an input nobody knows: {other:?}"),
    }
}

pub(crate) fn cells(line: &str) -> Vec<&str> {
    line.trim_start_matches("//!").trim().trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn every_pair_of_a_state_and_an_input_does_what_the_table_says() {
    let source = include_str!("../../src/coordinator.rs");
    let mut lines = source.lines().filter(|l| l.starts_with("//! |")).map(cells);
    let inputs = lines.find(|c| c.first() == Some(&"state")).unwrap();
    assert_eq!(inputs.len(), 9, "{inputs:?}");
    let mut states = Vec::new();
    for row in lines.skip(1).take_while(|c| c.first() != Some(&"class")) {
        let state = row[0];
        states.push(state);
        for (input, cell) in inputs.iter().zip(&row).skip(1) {
            if *cell == "-" {
                continue;
            }
            let (script, key) = in_state(state);
            let before = script.state().phase;
            assert_eq!(format!("{before:?}"), state);
            let script = give(script, key, state, input);
            let what = cell.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
            let (next, told) = what.split_once('/').unwrap_or((what, ""));
            let next = if next == "=" { state } else { next };
            let after = script.state().phase;
            assert_eq!(format!("{after:?}"), next, "{state} and {input}: {:?}", script.journal().last());
            if !told.is_empty() {
                script.then_told(told);
            }
        }
    }
    let all = [
        Phase::None,
        Phase::Forward,
        Phase::Committing,
        Phase::Finishing,
        Phase::Undoing,
        Phase::Completed,
        Phase::Compensated,
        Phase::Killed,
    ];
    assert_eq!(states, all.map(|phase| format!("{phase:?}")), "the table has every state once");
}
