//! What each entry of a journal counts. The script folds the instance again after every commit, so what is measured does
//! not depend on whether the owner that saw the beginning lives.

use palinode_sagas::testing::{Fate, Script};

use crate::world::{Confirmed, branched, held, linear, outside, trip};

/// In words: name, attributes, and seconds in commits of the script, of which each takes a microsecond.
fn counted(script: &Script) -> Vec<String> {
    let words = |measured: &palinode::measure::Measured| {
        let series = &measured.series;
        let of: Vec<String> =
            series.attributes().iter().map(|(key, value)| format!("{key}={value}")).collect();
        let value = match series.instrument().unit {
            "s" => format!(" {}", (measured.value * 1e6).round()),
            _ => String::new(),
        };
        format!("{} {}{value}", series.instrument().name, of.join(" "))
    };
    script.measured.iter().map(words).collect()
}

#[test]
fn a_trip_that_goes_well() {
    let script = Script::of(&linear())
        .start(trip())
        .done("room", held(100))
        .done("seat", held(20))
        .done("pay", "receipt")
        .done("confirm", held(0));
    assert_eq!(
        counted(&script),
        [
            "saga.started saga=book-trip version=1",
            "saga.node.attempts saga=book-trip node=room direction=forward",
            "saga.node.duration saga=book-trip node=room direction=forward outcome=done 1",
            "saga.node.attempts saga=book-trip node=seat direction=forward",
            "saga.node.duration saga=book-trip node=seat direction=forward outcome=done 1",
            "saga.node.attempts saga=book-trip node=pay direction=forward",
            "saga.node.duration saga=book-trip node=pay direction=forward outcome=done 1",
            "saga.node.attempts saga=book-trip node=confirm direction=forward",
            "saga.node.duration saga=book-trip node=confirm direction=forward outcome=done 1",
            "saga.finished saga=book-trip version=1 outcome=completed",
            "saga.duration saga=book-trip outcome=completed 4",
        ]
    );
}

#[test]
fn a_trip_that_is_taken_back() {
    let script = Script::of(&linear()).start(trip()).done("room", held(100)).refused("seat").undone("room");
    assert_eq!(
        counted(&script)[4..],
        [
            "saga.node.duration saga=book-trip node=seat direction=forward outcome=refused 1",
            "saga.node.attempts saga=book-trip node=room direction=undo",
            "saga.node.duration saga=book-trip node=room direction=undo outcome=done 1",
            "saga.finished saga=book-trip version=1 outcome=compensated",
            "saga.duration saga=book-trip outcome=compensated 3",
        ]
    );
}

#[test]
fn an_attempt_that_is_made_again_lasts_from_the_first_ask() {
    // Given an activity that is away once
    let script = Script::of(&outside()).start(trip());
    let script = script.answer("reserve/do", &Fate::Transient).fire("reserve");
    // When it answers
    let script = script.done("reserve", 7);
    // Then two attempts are counted, and one node, that lasted as long as both and the pause
    let of: Vec<String> = counted(&script).into_iter().filter(|line| line.contains("node=reserve")).collect();
    assert_eq!(of[..2], ["saga.node.attempts saga=outside node=reserve direction=forward"; 2]);
    assert!(
        of[2].starts_with("saga.node.duration saga=outside node=reserve direction=forward outcome=done ")
    );
    let lasted: f64 = of[2].rsplit(' ').next().unwrap().parse().unwrap();
    assert!(lasted > 3.0 && of.len() == 3, "{of:?}");
}

#[test]
fn a_wait_is_measured_and_a_node_that_is_left_out_is_not() {
    let script = Script::of(&branched())
        .start(trip())
        .done("room", held(1))
        .done("seat", held(1))
        .signal("s1", &Confirmed { by: "guest".into() });
    let lines = counted(&script);
    let of = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    assert_eq!(of("saga.node.duration saga=book-trip node=guest direction=wait outcome=done"), 1);
    assert_eq!((of("node=quote"), of("node=hold")), (0, 0), "nobody wants a car");
    // And one that is not said in time
    let late =
        Script::of(&branched()).start(trip()).done("room", held(1)).done("seat", held(1)).fire("guest");
    let lines = counted(&late);
    let part = "node=guest direction=wait outcome=refused 60000001";
    assert!(lines.iter().any(|line| line.contains(part)), "{lines:?}");
}

#[test]
fn a_killed_trip_is_finished_and_nothing_of_it_is_open() {
    let script = Script::of(&linear()).start(trip()).kill();
    assert_eq!(
        counted(&script)[2..],
        [
            "saga.finished saga=book-trip version=1 outcome=killed",
            "saga.duration saga=book-trip outcome=killed 1"
        ]
    );
    // And an answer that comes later counts for nothing
    let before = script.measured.len();
    let script = script.reply("room/do/1", &Fate::Refused("full".into()));
    assert_eq!(script.measured.len(), before);
}
