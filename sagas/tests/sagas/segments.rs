//! What is seen of an instance that rests: its trace is cut, what began earlier ends where it began, and what ends a wait is
//! linked. After fifteen minutes, as the script wants it; it also holds that cuts are nowhere else, and survive refolding.

use std::time::Duration;

use palinode::trace::{Attribute, Span, SpanContext};
use palinode_sagas::{testing::Script, verb::Verb};

use crate::world::{Confirmed, branched, held, linear, trip};

const REST: Duration = Duration::from_secs(16 * 60);

fn call(last: char) -> SpanContext {
    format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b{last}-01").parse().unwrap()
}

fn confirmed() -> Confirmed {
    Confirmed { by: "guest".into() }
}

#[track_caller]
fn seen<'a>(script: &'a Script, name: &str) -> &'a Span {
    let found: Vec<&Span> = script.spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0]
}

fn segment(span: &Span) -> Option<i64> {
    span.attributes.iter().find_map(|(key, value)| match value {
        Attribute::Int(n) if *key == "saga.segment" => Some(*n),
        _ => None,
    })
}

fn waiting() -> Script {
    Script::of(&branched()).start(trip()).done("room", held(1)).done("seat", held(1))
}

#[test]
fn what_follows_a_long_rest_is_a_trace_of_its_own() {
    // given a trip whose guest thinks for a long time, and whose bank is fast
    let script = waiting().pass(REST).called_by(call('7')).signal("s1", &confirmed());
    let script = script.done("pay", "paid").done("confirm", held(1));
    // then the wait ended where it began, and the payment stands in the second part
    let (start, resume) = (seen(&script, "saga start book-trip"), seen(&script, "saga resume book-trip"));
    let (wait, pay) = (seen(&script, "saga wait guest"), seen(&script, "saga step pay"));
    assert_ne!(resume.context.trace, start.context.trace);
    assert_eq!((resume.parent, &*resume.links), (None, &[start.context, call('7')][..]));
    assert_eq!((wait.parent, wait.context.trace), (Some(start.context), start.context.trace));
    assert_eq!((pay.parent, pay.context.trace), (Some(resume.context), resume.context.trace));
    assert_eq!([start, wait, resume, pay].map(segment), [None, None, Some(1), Some(1)]);
}

#[test]
fn an_attempt_that_lasts_long_ends_where_it_began() {
    let script = Script::of(&linear()).start(trip()).pass(REST).done("room", held(1)).refused("seat");
    let (start, resume) = (seen(&script, "saga start book-trip"), seen(&script, "saga resume book-trip"));
    assert_eq!(seen(&script, "saga step room").parent, Some(start.context));
    assert_eq!(seen(&script, "saga step seat").parent, Some(resume.context));
    // and its undo, in another part, is linked to it
    let script = script.undone("room");
    let undo = seen(&script, "saga undo room");
    assert_eq!(undo.parent, Some(seen(&script, "saga resume book-trip").context));
    assert_eq!(undo.links, [seen(&script, "saga step room").context]);
    // and the run is as long as the trip, where that began, and leads to where it ended
    let run = seen(&script, "saga run book-trip");
    assert_eq!(run.parent, Some(seen(&script, "saga start book-trip").context));
    assert_eq!(run.links, [seen(&script, "saga resume book-trip").context]);
}

#[test]
fn each_rest_begins_another_part() {
    let script = waiting().pass(REST).verb(Verb::Pause).pass(REST).verb(Verb::Resume).pass(REST).cancel();
    let parts: Vec<&Span> = script.spans.iter().filter(|s| s.name == "saga resume book-trip").collect();
    assert_eq!(parts.iter().map(|part| segment(part)).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    let start = seen(&script, "saga start book-trip").context;
    assert!(parts.iter().all(|part| part.links == [start]), "{parts:?}");
    let acts = ["pause", "resume", "cancel"].map(|verb| seen(&script, &format!("saga operator {verb}")));
    for (act, part) in acts.iter().zip(&parts) {
        assert_eq!(act.parent, Some(part.context));
    }
}

#[test]
fn a_short_rest_cuts_nothing_and_what_is_refused_wakes_nobody() {
    let script = waiting().pass(REST / 2).verb(Verb::Resume).pass(REST / 3).verb(Verb::Pause);
    assert!(script.spans.iter().all(|span| !span.name.starts_with("saga resume")));
    let script = waiting().pass(REST / 2).verb(Verb::Resume).pass(REST / 2 + REST / 4).verb(Verb::Pause);
    assert_eq!(segment(seen(&script, "saga operator pause")), Some(1));
}

#[test]
fn a_wait_is_linked_to_the_call_of_a_signal_that_came_before_it() {
    let early = Script::of(&branched()).start(trip()).called_by(call('1')).signal("s1", &confirmed());
    let early = early.called_by(call('2')).done("room", held(1)).done("seat", held(1));
    assert_eq!(seen(&early, "saga wait guest").links, [call('2'), call('1')]);
}

#[test]
fn a_wait_is_linked_to_the_call_of_a_signal_that_came_in_a_pause() {
    let paused = waiting().verb(Verb::Pause).called_by(call('1')).signal("s1", &confirmed());
    let script = paused.called_by(call('2')).verb(Verb::Resume);
    assert_eq!(seen(&script, "saga wait guest").links, [call('2'), call('1')]);
}

#[test]
fn a_wait_is_linked_once_to_the_call_that_ends_it() {
    let script = waiting().called_by(call('1')).signal("s1", &confirmed());
    assert_eq!(seen(&script, "saga wait guest").links, [call('1')]);
    assert!(!script.journal().iter().any(|event| format!("{event:?}").contains("traceparent: Some")));
}
