//! `docs/journal.md` and the journal name the same events, and a journal written once is read for ever.

use palinode_sagas::{Event, event::PREFIX, testing::Script};

use crate::world::{held, linear, trip};

/// One of each, and of what may be absent, as it stands in a log.
const SHAPES: &[(&str, &str)] = &[
    (
        "started",
        r#"{"definition":"book-trip","version":1,"fingerprint":"0123456789abcdef","data":{"id":"t1"},"deadline":{"serial":1,"due":5}}"#,
    ),
    (
        "step_asked",
        r#"{"node":"room","round":1,"attempt":1,"to":{"entity":{"service":"hotel","kind":"room","id":"12"}},"request":{"x":1},"undo":{"data":{"y":2}},"at":3,"timer":{"serial":2,"due":9}}"#,
    ),
    ("step_asked", r#"{"node":"pay","round":1,"attempt":2,"pivot":true}"#),
    ("step_asked", r#"{"node":"ring","round":1,"attempt":1,"to":{"activity":"ring"},"request":null}"#),
    ("step_done", r#"{"node":"ring","round":1,"reply":null,"data":null}"#),
    (
        "step_done",
        r#"{"node":"room","round":1,"reply":{"price":1},"data":{"a":1},"undo":{"activity":"free","data":null},"late":true}"#,
    ),
    ("pivot_passed", r#"{"node":"pay","round":1,"reply":"receipt","data":{"a":1}}"#),
    (
        "step_refused",
        r#"{"node":"room","round":1,"code":"full","text":"no room","data":{"SoldOut":{}},"late":true}"#,
    ),
    ("step_unknown", r#"{"node":"room","round":1,"why":"timeout"}"#),
    (
        "attempt_failed",
        r#"{"node":"room","direction":"undo","round":1,"attempt":2,"how":"lost","why":"gone","timer":{"serial":3,"due":9}}"#,
    ),
    ("in_doubt", r#"{"node":"pay","why":"timeout"}"#),
    ("blocked", r#"{"node":"confirm","why":"refused"}"#),
    ("skipped", r#"{"node":"car","why":"when"}"#),
    ("wait_began", r#"{"node":"guest","signal":"confirmed","timer":{"serial":3,"due":9}}"#),
    ("wait_began", r#"{"node":"pause","timer":{"serial":3,"due":9}}"#),
    ("signalled", r#"{"name":"confirmed","id":"s1","data":{"by":"guest"}}"#),
    ("wait_done", r#"{"node":"guest","id":"s1","data":{"a":1}}"#),
    ("timed_out", r#"{"node":"guest","then":"go_on"}"#),
    ("undo_began", r#"{"why":{"cause":"refused","node":"pay","code":"declined","text":"no money"}}"#),
    ("draining", r#"{"node":"room","timer":{"serial":3,"due":9}}"#),
    ("undo_asked", r#"{"node":"room","round":1,"attempt":1,"at":5}"#),
    ("undone", r#"{"node":"room","round":1}"#),
    ("undo_stuck", r#"{"node":"room","why":"refused"}"#),
    ("skipped", r#"{"node":"confirm","why":"person"}"#),
    ("undo_began", r#"{"why":{"cause":"cancelled","reason":"ill","by":"ada"}}"#),
    ("cancel_asked", r#"{"reason":"ill","by":"ada"}"#),
    ("intervened", r#"{"verb":"mark_not_done","node":"pay","by":"ada","reason":"the bank says so"}"#),
    ("awaited", r#"{"node":"confirm","direction":"do","round":2,"timer":{"serial":3,"due":9}}"#),
    ("awaited", r#"{"node":"room","direction":"undo","round":1}"#),
    (
        "settle_asked",
        r#"{"node":"pay","direction":"void","round":1,"attempt":1,"at":5,"activity":"void-pay","request":{"x":1}}"#,
    ),
    ("settle_asked", r#"{"node":"pay","direction":"probe","round":1,"attempt":2,"at":5}"#),
    ("not_known", r#"{"node":"pay"}"#),
    ("leaked", r#"{"node":"pay","why":"nobody knows"}"#),
    (
        "paused",
        r#"{"reason":"outage","by":"ada","at":7,"left":[{"node":"@deadline","micros":5},{"node":"guest","micros":0}]}"#,
    ),
    ("resumed", r#"{"reason":"over","by":"ada","at":9,"timers":[{"node":"guest","serial":3,"due":9}]}"#),
    ("unparked", r#"{"reason":"mended","by":"ada"}"#),
    ("cancel_too_late", "{}"),
    ("deadline_passed", "{}"),
    ("stuck", r#"{"nodes":["room"]}"#),
    (
        "late_reply",
        r#"{"re":"room/do/1","class":"after_undo","answer":{"refused":{"code":"full","text":"no","data":[1]}}}"#,
    ),
    ("parked", r#"{"why":"panic","input":{"reply":{"re":"room/do/1","data":{"outcome":"accepted"}}}}"#),
    ("kept", r#"{"input":{"attempt":{"key":"pay/do","round":1,"attempt":1,"answer":"lost"}}}"#),
    ("completed", "{}"),
    ("compensated", r#"{"exceptions":0}"#),
    ("killed", r#"{"reason":"test","by":"me","standing":["room/do"]}"#),
];

#[test]
fn every_event_is_read_and_written_in_the_documented_shape() {
    for (tag, data) in SHAPES {
        let record = palinode::commit::EventRecord {
            name: format!("{PREFIX}.{tag}").into(),
            schema: 1,
            data: serde_json::value::RawValue::from_string((*data).to_owned()).unwrap(),
        };
        let event = Event::read(&record).unwrap_or_else(|e| panic!("{tag}: {e}"));
        let again = event.record().unwrap();
        assert_eq!((&*again.name, again.data.get()), (&*record.name, *data));
    }
}

#[test]
fn the_page_names_every_event_and_no_other() {
    let page = include_str!("../../../docs/journal.md");
    let mut named: Vec<&str> =
        page.lines().filter_map(|l| l.strip_prefix("| `saga.")).filter_map(|l| l.split('`').next()).collect();
    let mut known: Vec<&str> = SHAPES.iter().map(|(tag, _)| *tag).collect();
    named.sort_unstable();
    known.sort_unstable();
    known.dedup();
    assert_eq!(named, known);
}

#[test]
fn events_are_small() {
    let script = Script::of(&linear()).start(trip()).done("room", held(0)).done("seat", held(0));
    let bytes: usize = script.journal().iter().map(|e| e.record().unwrap().data.get().len()).sum();
    assert!(bytes < 1_100, "{bytes} bytes for a start, two steps and the ask of a pivot");
}
