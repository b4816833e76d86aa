//! S3, S4 and S5. Planted: steps that are not taken back, or that must not be; undos before what followed them is gone,
//! and before their own ask has ended; asks and undos that go elsewhere.

use palinode_verify::{Graph, Rule};
use serde_json::json;

use crate::{history::client, tale::*};

/// The same order, killed while it waits for its payment.
fn killed(standing: &[&str]) -> Tale {
    let end = entry("killed", json!({"reason": "so", "by": "me", "standing": standing}));
    completed_but(|t| {
        t.until("guest");
        t.then("guest", "end", json!({"cause": client(8), "ended": true, "events": [end]}));
    })
}

#[test]
fn compensated_with_a_step_that_is_not_taken_back() {
    compensated_but(|t| {
        t.before("give");
        t.entries("no car").truncate(1);
        t.at("no car")["sends"] = json!([]);
        t.entries("no car").push(entry("compensated", json!({"exceptions": 0})));
        t.at("no car")["ended"] = json!(true);
    })
    .breaks(&[Rule::UndoSet]);
}

#[test]
fn what_a_person_closed_need_not_be_taken_back() {
    let closed = |exceptions, said: &str| {
        compensated_but(|t| {
            t.until("no car");
            let stuck = json!({"node": "room", "why": "no"});
            t.at("no car")["sends"] = json!([ask("room/undo/1", "give")]);
            let skip = json!({"verb": said, "node": "room", "by": "me", "reason": "so"});
            t.then(
                "no car",
                "stuck",
                json!({"cause": client(8),
                "events": [entry("undo_stuck", stuck), entry("stuck", json!({"nodes": ["room"]}))]}),
            );
            t.then("stuck", "skip", json!({"cause": client(9), "ended": true,
                "events": [entry("intervened", skip), entry("skipped", json!({"node": "room", "why": "person"})),
                           entry("compensated", json!({"exceptions": exceptions}))]}));
        })
    };
    closed(1, "skip").breaks(&[]);
    closed(0, "skip").breaks(&[Rule::Person]);
    closed(0, "retry").breaks(&[Rule::Person]);
}

#[test]
fn a_refused_step_taken_back() {
    compensated_but(|t| {
        // The van was refused, and is undone all the same.
        t.entries("van")[0] =
            entry("step_refused", json!({"node": "van", "round": 1, "code": "no", "text": "no"}));
    })
    .breaks_with(&[], &[Rule::UndoSet, Rule::Wakes]);
}

#[test]
fn a_step_without_undo_taken_back() {
    compensated_but(|t| {
        t.entries("held")[2]["data"]["undo"] = json!(null);
    })
    .breaks(&[Rule::UndoSet]);
}

#[test]
fn a_step_taken_back_before_the_saga_turned_back() {
    completed_but(|t| {
        t.until("guest");
        t.then(
            "guest",
            "more",
            json!({"cause": client(8), "runs": [run("van/undo", 1)],
            "events": [undo_asked("van", 1, 81_000)]}),
        );
    })
    .breaks_with(&[], &[Rule::UndoSet]);
}

#[test]
fn an_attempt_that_may_have_happened_taken_for_refused() {
    compensated_but(|t| {
        t.until("van down");
        t.data("van down", "attempt_failed")["how"] = json!("unknown");
        t.data("van down", "attempt_failed").as_object_mut().unwrap().remove("timer");
        t.at("van down")["timers"] = json!({});
        let refused = json!({"node": "van", "round": 1, "code": "transient", "text": "no line"});
        let why = json!({"why": {"cause": "refused", "node": "van", "code": "transient", "text": "no line"}});
        t.entries("van down").extend([entry("step_refused", refused), entry("undo_began", why)]);
    })
    .breaks(&[Rule::UndoSet]);
}

#[test]
fn silence_taken_for_refused() {
    completed_but(|t| {
        t.until("start");
        let refused = json!({"node": "room", "round": 1, "code": "timeout", "text": "no answer"});
        let why =
            json!({"why": {"cause": "refused", "node": "room", "code": "timeout", "text": "no answer"}});
        let events = json!([
            entry("step_refused", refused),
            entry("undo_began", why),
            entry("compensated", json!({"exceptions": 0}))
        ]);
        t.then("start", "late", json!({"cause": client(8), "ended": true, "events": events}));
    })
    .breaks(&[Rule::UndoSet]);
}

#[test]
fn an_outcome_recorded_after_the_undo_was_asked() {
    compensated_but(|t| {
        let refused = json!({"node": "van", "round": 1, "code": "no", "text": "no"});
        t.then("declined", "late", json!({"cause": client(8), "events": [entry("step_refused", refused)]}));
        t.until("late");
    })
    .breaks(&[Rule::UndoSet]);
}

#[test]
fn a_step_left_out_by_the_undo() {
    compensated_but(|t| {
        t.without("no car", "undo_asked");
        t.at("no car")["sends"] = json!([]);
        t.before("give");
        t.entries("no car").push(entry("skipped", json!({"node": "room", "why": "undo"})));
        t.entries("no car").push(entry("compensated", json!({"exceptions": 0})));
        t.at("no car")["ended"] = json!(true);
    })
    .breaks(&[Rule::UndoSet]);
}

#[test]
fn completed_with_something_taken_back() {
    completed_but(|t| {
        t.then(
            "paid",
            "more",
            json!({"cause": client(8), "runs": [run("car/undo", 1)],
            "events": [undo_asked("car", 1, 91_000)]}),
        );
    })
    .breaks(&[Rule::Pivot, Rule::Order, Rule::UndoSet]);
}

#[test]
fn killed_names_what_stands() {
    killed(&["room/do", "van/do", "car/do", "pay/do"]).breaks(&[]);
    assert_eq!(killed(&["room/do", "van/do", "car/do"]).report(&[]).counts.killed, 1);
    killed(&["room/do", "car/do", "pay/do"]).breaks(&[Rule::UndoSet]);
    killed(&["room/do", "van/do", "car/do", "ship/do"]).breaks(&[Rule::UndoSet]);
}

#[test]
fn a_step_taken_back_before_what_followed_it() {
    // The room's undo goes out with those of the van and the car.
    let early = |t: &mut Tale| {
        let room = t.entries("no car").pop().unwrap();
        let send = t.at("no car").as_object_mut().unwrap().remove("sends").unwrap();
        t.at("declined")["sends"] = send;
        t.entries("declined").push(room);
        t.entries("declined").last_mut().unwrap()["data"]["at"] = json!(90_000);
    };
    compensated_but(early).breaks(&[Rule::Order]);
    // With the van's, but after the car's.
    compensated_but(|t| {
        let undone = t.entries("no car").remove(0);
        let cause = t.at("no car")["cause"].clone();
        let room = t.entries("no car").remove(0);
        let send = t.at("no car").as_object_mut().unwrap().remove("sends").unwrap();
        t.at("no car")["cause"] = t.at("no van")["cause"].clone();
        t.at("no car")["events"] = t.at("no van")["events"].clone();
        t.at("no van")["cause"] = cause;
        t.at("no van")["events"] = json!([undone, room]);
        t.at("no van")["sends"] = send;
        t.data("no van", "undo_asked")["at"] = json!(120_000);
    })
    .breaks(&[Rule::Order]);
}

#[test]
fn an_order_that_only_the_graph_knows() {
    let tale = Tale::compensated();
    // Had the van followed the car, the undo of the car would have had to wait for it, and the van to begin after it.
    let graph = Graph::new("order", 1)
        .node("room", &[])
        .node("car", &["room"])
        .node("van", &["car"])
        .node("guest", &["van"])
        .node("pay", &["guest"]);
    let report = tale.report(std::slice::from_ref(&graph));
    let found: Vec<&str> = report.findings.iter().map(|f| &*f.found).collect();
    assert_eq!(
        found,
        ["order/o1: van begins", "order/o1: the undo of car asked while van stands"],
        "{report}"
    );
    tale.breaks_with(&[graph], &[Rule::Order]);
    tale.breaks_with(&[], &[]);
}

#[test]
fn a_node_that_its_definition_does_not_have() {
    let graph = Graph::new("order", 1)
        .node("room", &[])
        .node("van", &["room"])
        .node("car", &["room"])
        .node("pay", &["car"]);
    Tale::compensated().breaks_with(&[graph], &[Rule::Order]);
}

#[test]
fn an_undo_asked_while_the_step_itself_is_in_flight() {
    let tale = completed_but(|t| {
        t.until("van again");
        let why = json!({"why": {"cause": "cancelled", "reason": "so"}});
        t.then("van again", "cancel", json!({"cause": client(8), "runs": [run("car/undo", 1), run("van/undo", 1)],
            "events": [entry("undo_began", why), undo_asked("car", 1, 51_000), undo_asked("van", 1, 51_000)]}));
    });
    tale.breaks(&[Rule::Order]);
}

#[test]
fn an_undo_that_goes_to_another_entity() {
    compensated_but(|t| t.data("start", "step_asked")["to"]["entity"]["id"] = json!("porto"))
        .breaks(&[Rule::Target]);
    compensated_but(|t| t.at("no car")["sends"][0]["type"] = json!("start")).breaks(&[Rule::Target]);
}

#[test]
fn an_undo_of_another_nature_than_its_step() {
    compensated_but(|t| t.data("held", "step_done")["undo"]["activity"] = json!("give"))
        .breaks(&[Rule::Target]);
    compensated_but(|t| t.entries("held")[1]["data"]["undo"]["activity"] = json!(null))
        .breaks(&[Rule::Target]);
}

#[test]
fn a_round_that_goes_to_another_entity() {
    let porto = json!({"entity": {"service": "hotel", "kind": "room", "id": "porto"}});
    completed_but(|t| t.data("ship again", "step_asked")["to"] = porto).breaks(&[Rule::Target]);
}

#[test]
fn an_ask_of_nobody() {
    completed_but(|t| drop(t.data("guest", "step_asked").as_object_mut().unwrap().remove("to"))).breaks(&[
        Rule::Target,
        Rule::Effects,
        Rule::Net,
    ]);
}

#[test]
fn an_undo_asked_after_it_was_done() {
    let tale = compensated_but(|t| {
        t.then(
            "no car",
            "again",
            json!({"cause": client(8), "runs": [run("car/undo", 2)],
            "events": [undo_asked("car", 2, 90_000)]}),
        );
        t.until("again");
    });
    tale.breaks(&[Rule::Net]);
}

#[test]
fn an_undo_done_twice() {
    compensated_but(|t| t.entries("no car").insert(1, undone("van"))).breaks(&[Rule::Net]);
    compensated_but(|t| t.entries("end").insert(1, undone("room"))).breaks(&[Rule::Net]);
}

#[test]
fn an_undo_done_without_an_answer() {
    compensated_but(|t| t.at("no van")["cause"] = client(8)).breaks(&[Rule::Net]);
    compensated_but(|t| {
        t.at("give")["outcome"] = json!("rejected");
        t.at("give")["events"] = json!([]);
        t.at("give")["sends"][0]["data"]["outcome"] = json!("rejected");
    })
    .breaks(&[Rule::Net]);
}

#[test]
fn an_undo_done_in_another_round() {
    compensated_but(|t| {
        t.data("end", "undone")["round"] = json!(2);
        t.at("give")["sends"][0]["re"] = json!("room/undo/2");
    })
    .breaks(&[Rule::Effects]);
}

#[test]
fn an_entity_asked_for_an_undo_twice_in_one_round() {
    let failed = json!({"node": "room", "direction": "undo", "round": 1, "attempt": 1, "how": "unknown",
        "why": "no answer", "timer": {"serial": 4, "due": 141_000}});
    compensated_but(|t| {
        let send = t.at("no car")["sends"][0].clone();
        t.until("no car");
        t.then(
            "no car",
            "unheard",
            json!({"cause": client(8), "events": [entry("attempt_failed", failed)],
            "timers": {"set": [{"node": "room", "serial": 4, "due": 131_000}]}}),
        );
        t.data("unheard", "attempt_failed")["timer"]["due"] = json!(131_000);
        t.then(
            "unheard",
            "again",
            json!({"cause": {"timer": {"node": "room", "serial": 4}}, "sends": [send],
            "events": [undo_asked("room", 2, 130_000)]}),
        );
    })
    .breaks(&[Rule::Effects]);
}

#[test]
fn a_stuck_undo_that_was_never_asked() {
    compensated_but(|t| {
        t.entries("declined").push(entry("undo_stuck", json!({"node": "room", "why": "so"})));
        t.until("declined");
    })
    .breaks(&[Rule::Net]);
}

#[test]
fn a_step_that_drains_though_it_is_not_in_flight() {
    let timer = json!({"serial": 3, "due": 800_000});
    let drain = entry("draining", json!({"node": "room", "timer": timer}));
    compensated_but(|t| {
        t.entries("declined").push(drain);
        t.at("declined")["timers"] = json!({"set": [{"node": "room", "serial": 3, "due": 800_000}]});
        t.until("declined");
    })
    .breaks(&[Rule::Net]);
}
