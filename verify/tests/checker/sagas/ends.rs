//! S1 and S8. Planted: two ends, ends without mark, life after the end; two starts, life before the start, signals that
//! come or are taken twice. What has not ended is listed with how it stands.

use palinode_verify::{Rule, Stage};
use serde_json::json;

use crate::{history::client, tale::*};

#[test]
fn sound_journals_are_clean_and_counted() {
    for tale in [Tale::completed(), Tale::compensated()] {
        tale.breaks(&[]);
        assert!(tale.report(&[]).unfinished.is_empty());
    }
    let n = Tale::completed().report(&[]).counts;
    assert_eq!((n.sagas, n.completed, n.compensated, n.killed, n.unfinished), (1, 1, 0, 0, 0));
    let n = Tale::compensated().report(&[]).counts;
    assert_eq!((n.sagas, n.completed, n.compensated, n.killed, n.unfinished), (1, 0, 1, 0, 0));
}

#[test]
fn a_saga_under_way_is_listed_and_no_mistake() {
    let tale = completed_but(|t| t.until("guest"));
    tale.breaks(&[]);
    let report = tale.report(&[]);
    let [saga] = &report.unfinished[..] else { panic!("{report}") };
    assert_eq!(
        (&*saga.kind, &*saga.id, saga.stage, saga.since),
        ("order", "o1", Stage::Running, Some(10_000))
    );
    assert_eq!(
        (&saga.open[..], report.counts.unfinished, report.counts.stuck),
        (&["pay".to_owned()][..], 1, 0)
    );
    assert!(report.to_string().contains("unfinished: order/o1 on trip/0, running, open: pay"), "{report}");
}

#[test]
fn a_pivot_in_doubt_is_stuck_and_no_mistake() {
    let tale = completed_but(|t| {
        t.until("guest");
        t.then(
            "guest",
            "doubt",
            json!({"cause": {"activity": run("pay/do", 1)}, "events": [
            entry("attempt_failed", json!({"node": "pay", "direction": "do", "round": 1, "attempt": 1,
                "how": "unknown", "why": "no answer"})),
            entry("in_doubt", json!({"node": "pay", "why": "no answer"})),
            entry("stuck", json!({"nodes": ["pay"]}))]}),
        );
    });
    tale.breaks(&[]);
    let report = tale.report(&[]);
    assert_eq!((report.unfinished[0].stage, report.counts.stuck), (Stage::Stuck, 1));
}

#[test]
fn a_parked_instance_keeps_its_inputs_and_is_no_mistake() {
    let tale = completed_but(|t| {
        t.until("guest");
        let input =
            json!({"attempt": {"key": "pay/do", "round": 1, "attempt": 1, "answer": {"done": "paid"}}});
        t.then(
            "guest",
            "parked",
            json!({"cause": {"activity": run("pay/do", 1)}, "outcome": "parked",
            "events": [entry("parked", json!({"why": "a panic", "input": input}))]}),
        );
    });
    tale.breaks(&[]);
    let report = tale.report(&[]);
    assert_eq!((report.unfinished[0].stage, report.counts.parked), (Stage::Parked, 1));
}

#[test]
fn late_answers_after_the_end_are_no_mistake_and_leaks_are_counted() {
    let late = json!({"re": "van/do/1", "class": "leak", "answer": {"done": "yes"}});
    let tale = compensated_but(|t| {
        t.then("end", "late", json!({"cause": client(8), "events": [entry("late_reply", late)]}));
    });
    tale.breaks(&[]);
    let before = json!({"re": "van/do/1", "class": "leak", "answer": {"done": "yes"}});
    let tale = compensated_but(|t| {
        t.then("no van", "late", json!({"cause": client(8), "events": [entry("late_reply", before)]}));
    });
    tale.breaks_with(&[], &[Rule::Wakes]);
    assert_eq!(tale.report(&[]).counts.leaks, 1);
}

#[test]
fn an_entry_after_the_end() {
    let go = || entry("signalled", json!({"name": "go", "id": "s2", "data": {}}));
    completed_but(|t| t.then("end", "more", json!({"cause": client(8), "events": [go()]})))
        .breaks(&[Rule::Ends]);
    completed_but(|t| t.entries("end").push(go())).breaks(&[Rule::Ends]);
}

#[test]
fn a_second_end() {
    let end = json!({"cause": client(8), "ended": true, "events": [entry("completed", json!({}))]});
    completed_but(|t| t.then("end", "again", end)).breaks(&[Rule::Ends]);
}

#[test]
fn an_end_that_is_not_marked_and_a_mark_without_an_end() {
    completed_but(|t| t.at("end")["ended"] = json!(false)).breaks(&[Rule::Ends]);
    completed_but(|t| t.at("guest")["ended"] = json!(true)).breaks(&[Rule::Ends]);
}

#[test]
fn an_instance_started_twice() {
    let start = Tale::completed().entries("start")[0].clone();
    let again = start.clone();
    completed_but(|t| t.entries("guest").insert(0, again)).breaks(&[Rule::Start]);
    completed_but(|t| t.then("end", "again", json!({"cause": client(8), "events": [start]})))
        .breaks(&[Rule::Start]);
}

#[test]
fn an_entry_before_the_start() {
    completed_but(|t| t.entries("start").rotate_left(1)).breaks(&[Rule::Start]);
}

#[test]
fn an_instance_of_another_definition() {
    completed_but(|t| t.data("start", "started")["definition"] = json!("offer")).breaks(&[Rule::Start]);
}

#[test]
fn a_signal_that_comes_twice() {
    let go = entry("signalled", json!({"name": "go", "id": "s1", "data": {}}));
    completed_but(|t| t.then("guest", "more", json!({"cause": client(8), "events": [go]})))
        .breaks(&[Rule::Start]);
}

#[test]
fn a_signal_taken_that_never_came() {
    completed_but(|t| t.data("guest", "wait_done")["id"] = json!("s9")).breaks(&[Rule::Start]);
}

#[test]
fn a_signal_taken_by_a_wait_for_another() {
    completed_but(|t| t.data("car", "wait_began")["signal"] = json!("stop")).breaks(&[Rule::Start]);
}

#[test]
fn a_signal_taken_before_an_older_one() {
    let older = entry("signalled", json!({"name": "go", "id": "s0", "data": {}}));
    let tale = completed_but(|t| t.then("hold", "early", json!({"cause": client(8), "events": [older]})));
    tale.breaks(&[Rule::Start]);
}

#[test]
fn an_entry_that_the_page_does_not_describe() {
    completed_but(|t| t.entries("guest").push(entry("teleported", json!({})))).breaks(&[Rule::Readable]);
    completed_but(|t| t.entries("held")[1]["schema"] = json!(2)).breaks(&[Rule::Readable]);
    let tale = completed_but(|t| t.data("held", "step_asked")["round"] = json!("first"));
    tale.breaks(&[Rule::Readable]);
    assert_eq!(tale.report(&[]).counts.unfinished, 1, "what became of it is not known");
}
