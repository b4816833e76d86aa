//! The kit tells the truth: a right expectation passes, each kind of wrong one fails and says why.

use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};

use super::{golden::check, *};
use crate::codec::upcast::Upcasters;

#[derive(Default, Serialize, Deserialize)]
struct Lamp {
    on: bool,
    #[serde(skip)]
    forgotten: u32,
}

#[derive(Serialize, Deserialize)]
enum Command {
    Light { watts: u32 },
    Toss,
    Forget,
    Smash,
    Remember,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Event {
    Lit {
        watts: u32,
        #[serde(skip)]
        lost: bool,
    },
    Tossed(u64),
    Worn,
}

#[derive(Debug, Serialize, Deserialize)]
enum No {
    TooBright { most: u32 },
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::TooBright { most } = self;
        write!(f, "at most {most} watts")
    }
}

impl Aggregate for Lamp {
    const SERVICE: &'static str = "house";
    const KIND: &'static str = "lamp";
    type Command = Command;
    type Event = Event;
    type Reply = bool;
    type Rejection = No;

    fn decide(&self, command: &Command, _cx: &Context) -> Result<Vec<Event>, No> {
        static TOSSED: AtomicU64 = AtomicU64::new(0);
        match command {
            Command::Light { watts } if *watts > 100 => Err(No::TooBright { most: 100 }),
            Command::Light { .. } if self.on => Ok(vec![]),
            Command::Light { watts } => Ok(vec![Event::Lit { watts: *watts, lost: false }]),
            Command::Toss => Ok(vec![Event::Tossed(TOSSED.fetch_add(1, Ordering::SeqCst))]),
            Command::Forget => Ok(vec![Event::Lit { watts: 1, lost: true }]),
            Command::Smash => panic!("smashed"),
            Command::Remember if self.forgotten > 0 => Ok(vec![Event::Worn]),
            Command::Remember => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Lit { lost, .. } => self.on = !lost,
            Event::Tossed(_) => {}
            Event::Worn => self.forgotten += 1,
        }
    }

    fn reply(&self, _command: &Command) -> bool {
        self.on
    }

    fn upcasters() -> Upcasters {
        Upcasters::default().step("lit", 1, |v| Ok(serde_json::json!({ "watts": v })))
    }
}

fn lit(watts: u32) -> Event {
    Event::Lit { watts, lost: false }
}

/// What a test that must fail says.
fn failure(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("this test should have failed");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn right_expectations_pass() {
    given::<Lamp>([]).when(Command::Light { watts: 40 }).then([lit(40)]).then_reply(true);
    given::<Lamp>([lit(40)]).when(Command::Light { watts: 40 }).then_nothing().then_reply(true);
    let bright = given::<Lamp>([]).when(Command::Light { watts: 200 });
    bright.then_rejected(|no| matches!(no, No::TooBright { most: 100 }));
}

#[test]
fn a_wrong_expectation_shows_both_sides() {
    let text = failure(|| drop(given::<Lamp>([]).when(Command::Light { watts: 40 }).then([lit(60)])));
    assert!(text.starts_with("lamp: other events were expected\ngiven []\nwhen {"), "{text}");
    assert!(text.contains("\"watts\": 40") && text.contains("\"watts\": 60"), "{text}");
    let text = failure(|| drop(given::<Lamp>([]).when(Command::Light { watts: 40 }).then_reply(false)));
    assert!(text.contains("another reply was expected") && text.contains("expected false"), "{text}");
    let text = failure(|| drop(given::<Lamp>([]).when(Command::Light { watts: 200 }).then([])));
    assert!(text.contains("to be accepted") && text.contains("at most 100 watts"), "{text}");
    let text = failure(|| drop(given::<Lamp>([]).when(Command::Light { watts: 1 }).then_rejected(|_| true)));
    assert!(text.contains("it was to be rejected"), "{text}");
    let text =
        failure(|| drop(given::<Lamp>([]).when(Command::Light { watts: 200 }).then_rejected(|_| false)));
    assert!(text.contains("another rejection was expected"), "{text}");
}

#[test]
fn broken_promises_are_found_without_being_asked_for() {
    for (given, command, says) in [
        (vec![], Command::Toss, "decide and reply must be pure"),
        (vec![], Command::Forget, "an event does not say all that happened"),
        (vec![], Command::Smash, "decide panicked: smashed"),
        (vec![Event::Worn], Command::Remember, "the state does not survive it"),
    ] {
        let text = failure(|| drop(super::given::<Lamp>(given).when(command)));
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn the_context_is_the_tests_to_change() {
    let seen = Cell::new(Micros(0));
    let _ = given::<Lamp>([]).with(|cx| cx.time = Micros(7)).with(|cx| seen.set(cx.time));
    assert_eq!(seen.get(), Micros(7));
    assert_eq!(context::<Lamp>().id(0), context::<Lamp>().id(0));
}

#[test]
fn every_shape_needs_its_golden_file() {
    let dir = tempfile::tempdir().unwrap();
    let samples = || [lit(40), Event::Tossed(1), Event::Worn];
    assert_eq!(tags::<Lamp>().unwrap(), ["lit", "tossed", "worn"]);

    let problems = check::<Lamp>(dir.path(), samples(), false);
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems[0].contains("lit.1.json is missing: give a sample"), "{problems:?}");
    assert!(problems[1].contains("UPDATE_GOLDEN=1, or write\n{\n  \"watts\": 40\n}"), "{problems:?}");

    std::fs::write(dir.path().join("lit.1.json"), "40").unwrap();
    assert_eq!(check::<Lamp>(dir.path(), samples(), true), Vec::<String>::new());
    assert_eq!(std::fs::read_to_string(dir.path().join("worn.1.json")).unwrap(), "null\n");
    assert_eq!(check::<Lamp>(dir.path(), [], false), Vec::<String>::new());
}

#[test]
fn a_golden_file_that_cannot_be_read_any_more_is_named() {
    let dir = tempfile::tempdir().unwrap();
    check::<Lamp>(dir.path(), [lit(40), Event::Tossed(1), Event::Worn], true);
    for (name, text, says) in [
        ("lit.1.json", "\"bright\"", "lit.1.json: event lamp.lit: invalid type"),
        ("lit.3.json", "{\"watts\": 1}", "schema 3, newer than this build's 2"),
        ("dimmed.1.json", "1", "unknown variant `dimmed`"),
        ("notes.txt", "", "not named <tag>.<schema>.json"),
    ] {
        std::fs::write(dir.path().join("lit.1.json"), "40").unwrap();
        std::fs::write(dir.path().join(name), text).unwrap();
        let problems = check::<Lamp>(dir.path(), [], false);
        assert!(problems.len() == 1 && problems[0].contains(says), "{name}: {problems:?}");
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
}
