//! S12, and what persons may do to S7 and S10. Planted: verbs without what they are for, outcomes nobody gave, a saga
//! that moves during a pause, timers that lose time by one.

use palinode_verify::Rule;
use serde_json::{Value, json};

use crate::{history::client, tale::*};

fn says(verb: &str, node: &str) -> Value {
    entry("intervened", json!({"verb": verb, "node": node, "by": "me", "reason": "so"}))
}

/// The payment may have happened, and nobody knows.
fn in_doubt(change: impl FnOnce(&mut Tale)) -> Tale {
    completed_but(|t| {
        t.until("guest");
        let failed =
            json!({"node": "pay", "direction": "do", "round": 1, "attempt": 1, "how": "fatal", "why": "so"});
        let events = json!([
            entry("attempt_failed", failed),
            entry("in_doubt", json!({"node": "pay", "why": "so"})),
            entry("stuck", json!({"nodes": ["pay"]}))
        ]);
        t.then("guest", "doubt", json!({"cause": {"activity": run("pay/do", 1)}, "events": events}));
        change(t);
    })
}

fn passed() -> Value {
    entry("pivot_passed", json!({"node": "pay", "round": 1, "reply": "paid"}))
}

fn ship() -> Value {
    let to = json!({"entity": {"service": "hotel", "kind": "room", "id": "lisbon"}});
    entry("step_asked", json!({"node": "ship", "round": 1, "attempt": 1, "to": to, "request": "ship"}))
}

#[test]
fn a_pivot_in_doubt_is_done_by_a_person_only_when_one_says_so() {
    let by = |events: Value| {
        in_doubt(|t| {
            let body = json!({"cause": client(8), "events": events, "sends": [ask("ship/do/1", "ship")]});
            t.then("doubt", "person", body);
        })
    };
    let silent = by(json!([says("mark_done", "pay"), passed(), ship()]));
    assert!(silent.report(&[]).findings.is_empty(), "{}", silent.report(&[]));
    by(json!([passed(), ship()])).breaks(&[Rule::Net]);
    by(json!([says("mark_done", "van"), passed(), ship()])).breaks(&[Rule::Net, Rule::Person]);
}

fn taken_back(first: &[Value], cause: Value) -> Tale {
    in_doubt(|t| {
        let no = json!({"node": "pay", "round": 1, "code": "no", "text": "no", "late": true});
        let why = json!({"why": {"cause": "refused", "node": "pay", "code": "no", "text": "no"}});
        let back = [
            entry("step_refused", no),
            entry("undo_began", why),
            undo_asked("car", 1, 91_000 + 1_000 * u64::from(cause.get("activity").is_some())),
            undo_asked("van", 1, 91_000 + 1_000 * u64::from(cause.get("activity").is_some())),
        ];
        let events: Vec<Value> = first.iter().cloned().chain(back).collect();
        let runs = json!([run("car/undo", 1), run("van/undo", 1)]);
        t.then("doubt", "back", json!({"cause": cause, "events": events, "runs": runs}));
    })
}

#[test]
fn cx27_a_pivot_in_doubt_is_taken_back_by_a_tombstone_or_on_a_persons_word() {
    let leaked = || entry("leaked", json!({"node": "pay", "why": "so"}));
    let at = |tale: Tale| tale.report(&[]);
    let times = |report: palinode_verify::Report| {
        report.findings.iter().map(|f| f.rule).filter(|r| *r != Rule::Retries).collect::<Vec<_>>()
    };
    assert_eq!(times(at(taken_back(&[says("mark_not_done", "pay"), leaked()], client(8)))), []);
    assert_eq!(times(at(taken_back(&[says("mark_not_done", "pay")], client(8)))), [Rule::Pivot]);
    assert_eq!(times(at(taken_back(&[], client(8)))), [Rule::Pivot]);
    assert_eq!(times(at(taken_back(&[leaked()], client(8)))), [Rule::Person, Rule::Pivot]);
    // a probe proves nothing
    let probed = times(at(taken_back(&[], json!({"activity": run("pay/probe", 1)}))));
    assert_eq!(probed, [Rule::Effects, Rule::Pivot], "and this one was never asked");
}

#[test]
fn a_void_is_demanded_by_a_person_and_its_never_is_a_refusal() {
    let tale = |first: Vec<Value>| {
        in_doubt(|t| {
            let void = json!({"node": "pay", "direction": "void", "round": 1, "attempt": 1, "at": 81_000,
                "activity": "void", "request": 1});
            let events: Vec<Value> = first.into_iter().chain([entry("settle_asked", void)]).collect();
            t.then(
                "doubt",
                "void",
                json!({"cause": client(8), "events": events, "runs": [run("pay/void", 1)]}),
            );
            let no = json!({"node": "pay", "round": 1, "code": "voided", "text": "no", "late": true});
            let why = json!({"why": {"cause": "refused", "node": "pay", "code": "voided", "text": "no"}});
            let at = t.at("void")["time"].as_u64().unwrap() + 1_000;
            let back = [
                entry("step_refused", no),
                entry("undo_began", why),
                undo_asked("car", 1, at),
                undo_asked("van", 1, at),
            ];
            t.then(
                "void",
                "never",
                json!({"cause": {"activity": run("pay/void", 1)}, "events": back,
                "runs": [run("car/undo", 1), run("van/undo", 1)]}),
            );
        })
    };
    tale(vec![says("mark_not_done", "pay")]).breaks(&[]);
    tale(vec![]).breaks(&[Rule::Pivot]);
}

#[test]
fn a_probe_that_runs_is_recorded_and_one_that_is_recorded_runs() {
    let tale = |runs: Value| {
        completed_but(|t| {
            t.until("guest");
            let failed = json!({"node": "pay", "direction": "do", "round": 1, "attempt": 1, "how": "fatal", "why": "so"});
            let probe = json!({"node": "pay", "direction": "probe", "round": 1, "attempt": 1, "at": 81_000});
            let events = json!([entry("attempt_failed", failed), entry("settle_asked", probe)]);
            let body = json!({"cause": {"activity": run("pay/do", 1)}, "events": events, "runs": runs});
            t.then("guest", "probe", body);
        })
    };
    tale(json!([run("pay/probe", 1)])).breaks(&[]);
    tale(json!([])).breaks(&[Rule::Wakes]);
    tale(json!([run("pay/probe", 1), run("pay/void", 1)])).breaks(&[Rule::Effects]);
}

#[test]
fn a_retry_renews_a_budget_and_nothing_else_does() {
    let tale = |first: Vec<Value>| {
        in_doubt(|t| {
            let again = entry("step_asked", json!({"node": "pay", "round": 1, "attempt": 2, "pivot": true}));
            let events: Vec<Value> = first.into_iter().chain([again]).collect();
            t.then(
                "doubt",
                "again",
                json!({"cause": client(8), "events": events, "runs": [run("pay/do", 2)]}),
            );
        })
    };
    tale(vec![says("retry", "pay")]).breaks(&[]);
    tale(vec![]).breaks(&[Rule::Retries]);
    tale(vec![says("retry", "guest")]).breaks(&[Rule::Retries, Rule::Person]);
}

/// A pause while the guest is waited for, and its end.
fn paused(due: u64, during: Option<Value>) -> Tale {
    completed_but(|t| {
        t.until("car");
        let at = t.at("car")["time"].as_u64().unwrap() + 1_000;
        let left = 900_000 - at;
        let pause =
            json!({"reason": "so", "by": "me", "at": at, "left": [{"node": "guest", "micros": left}]});
        let mut after = "pause";
        t.then(
            "car",
            "pause",
            json!({"cause": client(8), "events": [entry("paused", pause)],
            "timers": {"clear": [{"node": "guest", "serial": 2}]}}),
        );
        if let Some(body) = during {
            t.then("pause", "during", body);
            after = "during";
        }
        let now = t.at(after)["time"].as_u64().unwrap() + 1_000;
        let timers = json!([{"node": "guest", "serial": 3, "due": now + left + due}]);
        let resume = json!({"reason": "so", "by": "me", "at": now, "timers": timers});
        t.then(
            after,
            "resume",
            json!({"cause": client(9), "events": [entry("resumed", resume)],
            "timers": set("guest", 3, now + left + due)}),
        );
    })
}

#[test]
fn a_timer_runs_on_for_what_was_left_of_it() {
    paused(0, None).breaks(&[]);
    paused(1, None).breaks(&[Rule::Person]);
}

#[test]
fn a_saga_that_moves_during_a_pause() {
    let go = entry("signalled", json!({"name": "go", "id": "s1", "data": {}}));
    paused(0, Some(json!({"cause": client(7), "events": [go.clone()]}))).breaks(&[]);
    let done = entry("wait_done", json!({"node": "guest", "id": "s1"}));
    let moved = paused(0, Some(json!({"cause": client(7), "events": [go, done]})));
    let found = moved.report(&[]);
    assert!(found.findings.iter().any(|f| f.rule == Rule::Person), "{found}");
}

#[test]
fn an_answer_kept_during_a_pause_is_taken_at_its_end_and_not_before() {
    let tale = |kept: bool| {
        completed_but(|t| {
            t.until("guest");
            let at = t.at("guest")["time"].as_u64().unwrap();
            let pause = json!({"reason": "so", "by": "me", "at": at + 1_000, "left": []});
            t.then("guest", "pause", json!({"cause": client(8), "events": [entry("paused", pause)]}));
            let input =
                json!({"attempt": {"key": "pay/do", "round": 1, "attempt": 1, "answer": {"done": "paid"}}});
            let mut events = vec![];
            if kept {
                events.push(entry("kept", json!({"input": input})));
            }
            t.then("pause", "kept", json!({"cause": {"activity": run("pay/do", 1)}, "events": events}));
            let resume = json!({"reason": "so", "by": "me", "at": at + 3_000, "timers": []});
            t.then(
                "kept",
                "resume",
                json!({"cause": client(9), "events": [entry("resumed", resume), passed(), ship()],
                "sends": [ask("ship/do/1", "ship")]}),
            );
        })
    };
    let clean = tale(true).report(&[]);
    assert!(clean.findings.is_empty(), "{clean}");
    let lost = tale(false).report(&[]);
    assert!(lost.findings.iter().any(|f| f.rule == Rule::Net), "{lost}");
}

#[test]
fn an_undo_in_a_new_round_after_a_leak() {
    let tale = |round: u32| {
        compensated_but(|t| {
            t.until("no van");
            let late = json!({"re": "van/do/1", "class": "leak", "answer": {"done": "yes"}});
            let at = t.at("no van")["time"].as_u64().unwrap() + 1_000;
            let again = json!({"node": "van", "round": round, "attempt": 1, "at": at});
            let runs = json!([{"key": "van/undo", "round": round, "attempt": 1}]);
            t.then(
                "no van",
                "leak",
                json!({"cause": client(8), "runs": runs,
                "events": [entry("late_reply", late), entry("undo_asked", again)]}),
            );
        })
    };
    tale(2).breaks(&[]);
    tale(1).breaks(&[Rule::Effects]);
}

#[test]
fn an_answer_that_the_engine_stored_is_taken_when_the_instance_is_set_free() {
    let tale = |stored: bool| {
        completed_but(|t| {
            let end = t.at("end").clone();
            let parked = json!({"re": "ship/do/2", "data": {"outcome": "accepted", "answer": null}});
            t.at("end")["outcome"] = json!("parked");
            t.at("end")["events"] = json!([]);
            t.at("end")["ended"] = json!(false);
            if stored {
                t.at("end")["parked"] = parked;
            }
            let free =
                json!({"cause": client(9), "ended": true, "events": end["events"], "answer": {"taken": 1}});
            t.then("end", "free", free);
        })
    };
    let clean = tale(true).report(&[]);
    assert!(clean.findings.is_empty(), "{clean}");
    assert_eq!((clean.counts.completed, clean.counts.parked), (1, 0));
    tale(false).breaks(&[Rule::Net]);
}

#[test]
fn a_timer_kept_by_a_parked_instance_ends_its_wait_when_it_is_unparked() {
    let tale = |unparked: Vec<Value>| {
        completed_but(|t| {
            t.until("car");
            let timer = json!({"timer": {"node": "guest", "serial": 2}});
            let parked = entry("parked", json!({"why": "a bug", "input": timer}));
            t.then("car", "parked", json!({"cause": timer, "outcome": "parked", "events": [parked]}));
            t.at("parked")["time"] = json!(900_000);
            let pay = json!({"node": "pay", "round": 1, "attempt": 1, "to": {"activity": "do-pay"}, "request": "pay",
                "at": 901_000, "pivot": true});
            let out = entry("timed_out", json!({"node": "guest", "then": "go_on"}));
            let events: Vec<Value> = unparked.into_iter().chain([out, entry("step_asked", pay)]).collect();
            t.then(
                "parked",
                "free",
                json!({"cause": client(9), "events": events, "runs": [run("pay/do", 1)]}),
            );
        })
    };
    tale(vec![entry("unparked", json!({"by": "me", "reason": "so"}))]).breaks(&[]);
    tale(vec![]).breaks(&[Rule::Net]);
}
