//! S2, S6 and S7. Planted: nodes done twice, without an answer, or on an answer that says no; ends with open nodes; asks
//! after the saga turned back; ways back after the pivot.

use palinode_verify::{Graph, Rule};
use serde_json::json;

use crate::{history::client, tale::*};

#[test]
fn a_node_done_twice() {
    completed_but(|t| t.entries("car").insert(0, done("van", 1))).breaks(&[Rule::Net]);
    completed_but(|t| t.entries("end").insert(1, done("ship", 2))).breaks(&[Rule::Net]);
}

#[test]
fn a_node_done_after_it_was_refused() {
    let refused = entry("step_refused", json!({"node": "car", "round": 1, "code": "no", "text": "no"}));
    // Refused, and the saga goes on.
    completed_but(|t| t.entries("car").insert(0, refused)).breaks(&[Rule::Net]);
}

#[test]
fn a_node_done_without_an_answer() {
    completed_but(|t| t.entries("car").rotate_left(0)).breaks(&[]);
    completed_but(|t| {
        t.at("car")["cause"] = client(8);
    })
    .breaks(&[Rule::Net]);
    completed_but(|t| {
        let end = t.at("end")["cause"].clone();
        t.at("end")["cause"] = client(8);
        t.then("end", "late", json!({"cause": end}));
    })
    .breaks(&[Rule::Net]);
}

#[test]
fn a_node_done_on_an_answer_that_says_no() {
    completed_but(|t| {
        t.at("ship")["outcome"] = json!("rejected");
        t.at("ship")["events"] = json!([]);
        t.at("ship")["sends"][0]["data"]["outcome"] = json!("rejected");
    })
    .breaks(&[Rule::Net]);
}

#[test]
fn a_node_done_on_the_answer_to_another() {
    completed_but(|t| t.at("ship")["sends"][0]["re"] = json!("ship/do/1")).breaks(&[Rule::Net]);
}

#[test]
fn an_answer_that_is_not_what_was_committed() {
    completed_but(|t| t.at("no ship")["outcome"] = json!("conflict")).breaks(&[Rule::Net]);
    completed_but(|t| {
        t.at("hold")["outcome"] = json!("rejected");
        t.at("hold")["events"] = json!([]);
    })
    .breaks(&[Rule::Net]);
}

#[test]
fn completed_while_a_node_is_open() {
    completed_but(|t| {
        t.before("no ship");
        t.entries("paid").push(entry("completed", json!({})));
        t.at("paid")["ended"] = json!(true);
    })
    .breaks(&[Rule::Net]);
}

#[test]
fn completed_without_a_node_that_its_definition_has() {
    let tale = Tale::completed();
    tale.breaks_with(&[graph().node("invoice", &["ship"])], &[Rule::Net]);
    tale.breaks_with(&[Graph::new("order", 2).node("other", &[])], &[]);
}

#[test]
fn compensated_while_a_node_is_open() {
    // A wait beside the room, neither over nor let go.
    let pause = entry("wait_began", json!({"node": "pause", "timer": {"serial": 1, "due": 500_000}}));
    compensated_but(|t| {
        t.entries("start").push(pause);
        t.at("start")["timers"] = json!({"set": [{"node": "pause", "serial": 1, "due": 500_000}]});
        for (commit, tag, serial) in [("van down", "attempt_failed", 2), ("car", "wait_began", 3)] {
            t.data(commit, tag)["timer"]["serial"] = json!(serial);
            t.at(commit)["timers"]["set"][0]["serial"] = json!(serial);
        }
        t.at("van again")["cause"]["timer"]["serial"] = json!(2);
        t.at("guest")["timers"]["clear"][0]["serial"] = json!(3);
        t.data("van stays", "attempt_failed")["timer"]["serial"] = json!(4);
        t.at("van stays")["timers"]["set"][0]["serial"] = json!(4);
        t.at("van back")["cause"]["timer"]["serial"] = json!(4);
    })
    .breaks_with(&[], &[Rule::Net]);
}

#[test]
fn compensated_though_it_never_turned_back() {
    completed_but(|t| {
        t.without("end", "completed");
        t.entries("end").push(entry("compensated", json!({"exceptions": 0})));
    })
    .breaks(&[Rule::Net, Rule::UndoSet]);
}

#[test]
fn completed_after_it_turned_back() {
    compensated_but(|t| {
        t.without("end", "compensated");
        t.entries("end").push(entry("completed", json!({})));
    })
    .breaks_with(&[], &[Rule::Net, Rule::UndoSet]);
}

#[test]
fn a_node_that_begins_twice() {
    let skipped = entry("skipped", json!({"node": "car", "why": "when"}));
    completed_but(|t| t.entries("held").insert(1, skipped)).breaks(&[Rule::Net]);
    let waits = entry("wait_began", json!({"node": "guest", "timer": {"serial": 3, "due": 900_000}}));
    completed_but(|t| {
        t.until("car");
        t.entries("car").push(waits);
        t.at("car")["timers"]["set"][0]["serial"] = json!(3);
    })
    .breaks(&[Rule::Net]);
}

#[test]
fn a_node_left_out_after_it_began() {
    let skipped = |why| entry("skipped", json!({"node": "guest", "why": why}));
    completed_but(|t| t.entries("guest").insert(0, skipped("when"))).breaks(&[Rule::Net]);
    completed_but(|t| t.entries("guest").insert(2, skipped("undo"))).breaks(&[Rule::Net]);
}

#[test]
fn a_wait_that_ends_twice() {
    completed_but(|t| {
        t.entries("guest").insert(0, entry("signalled", json!({"name": "go", "id": "s0", "data": {}})));
        t.entries("guest").insert(1, entry("wait_done", json!({"node": "guest", "id": "s0"})));
    })
    .breaks(&[Rule::Net]);
}

#[test]
fn an_outcome_that_is_taken_back() {
    let unknown = entry("step_unknown", json!({"node": "car", "round": 1, "why": "no answer"}));
    completed_but(|t| {
        t.entries("car").insert(1, unknown);
        t.until("car");
    })
    .breaks_with(&[], &[Rule::Net, Rule::Wakes]);
    let doubt = entry("in_doubt", json!({"node": "pay", "why": "no answer"}));
    completed_but(|t| t.entries("refused").push(doubt)).breaks(&[Rule::Net]);
}

#[test]
fn a_further_attempt_planned_after_the_saga_turned_back() {
    // The van's attempt fails while the order is taken back.
    let tale = completed_but(|t| {
        t.before("van down");
        let why = json!({"why": {"cause": "cancelled", "reason": "so"}});
        let mut drain = vec![entry("undo_began", why)];
        for (node, serial) in [("van", 1), ("car", 2)] {
            drain.push(entry("draining", json!({"node": node, "timer": {"serial": serial, "due": 800_000}})));
        }
        let timer = |node: &str, serial: u64| json!({"node": node, "serial": serial, "due": 800_000});
        t.then(
            "held",
            "cancel",
            json!({"cause": client(8), "events": drain,
            "timers": {"set": [timer("van", 1), timer("car", 2)]}}),
        );
        let failed = json!({"node": "van", "direction": "do", "round": 1, "attempt": 1, "how": "transient",
            "why": "no line", "timer": {"serial": 3, "due": 40_000}});
        t.then(
            "cancel",
            "van fails",
            json!({"cause": {"activity": run("van/do", 1)},
            "events": [entry("attempt_failed", failed)],
            "timers": {"set": [{"node": "van", "serial": 3, "due": 40_000}]}}),
        );
    });
    tale.breaks(&[Rule::Forward]);
    let mut sound = tale;
    sound.until("cancel");
    sound.breaks(&[]);
}

#[test]
fn a_wait_that_ends_without_its_timer() {
    completed_but(|t| {
        t.entries("guest").remove(0);
        t.entries("guest")[0] = entry("timed_out", json!({"node": "guest", "then": "go_on"}));
    })
    .breaks(&[Rule::Net]);
}

#[test]
fn a_timer_that_times_out_and_a_wait_that_is_done_without_its_signal() {
    let over = |tag: &'static str| {
        move |t: &mut Tale| {
            t.entries("guest").remove(0);
            t.entries("guest")[0] = entry(tag, json!({"node": "guest", "then": "go_on"}));
            t.at("guest")["cause"] = json!({"timer": {"node": "guest", "serial": 2}});
            t.at("guest")["time"] = json!(80_000);
            t.at("guest")["timers"] = json!({});
            t.data("car", "wait_began")["timer"]["due"] = json!(80_000);
            t.at("car")["timers"]["set"][0]["due"] = json!(80_000);
        }
    };
    completed_but(over("timed_out")).breaks(&[]);
    completed_but(over("wait_done")).breaks(&[Rule::Net]);
    let timer = |t: &mut Tale| drop(t.data("car", "wait_began").as_object_mut().unwrap().remove("signal"));
    let both = |tag| {
        completed_but(|t| {
            timer(t);
            over(tag)(t);
        })
    };
    both("wait_done").breaks(&[]);
    both("timed_out").breaks(&[Rule::Net]);
}

#[test]
fn an_ask_after_the_saga_turned_back() {
    let ask = entry(
        "step_asked",
        json!({"node": "extra", "round": 1, "attempt": 1, "to": {"activity": "extra"}, "request": 1, "at": 91_000}),
    );
    let tale = compensated_but(|t| {
        t.then(
            "declined",
            "more",
            json!({"cause": client(8), "events": [ask], "runs": [run("extra/do", 1)]}),
        );
        let skipped = entry("skipped", json!({"node": "extra", "why": "undo"}));
        t.then("more", "let go", json!({"cause": client(9), "events": [skipped]}));
    });
    tale.breaks_with(&[], &[Rule::Forward]);
}

#[test]
fn a_wait_after_the_saga_turned_back() {
    let wait = entry("wait_began", json!({"node": "pause", "timer": {"serial": 7, "due": 500_000}}));
    let timers = json!({"set": [{"node": "pause", "serial": 7, "due": 500_000}]});
    let tale = compensated_but(|t| {
        t.until("declined");
        t.then("declined", "more", json!({"cause": client(8), "events": [wait], "timers": timers}));
    });
    tale.breaks_with(&[], &[Rule::Forward]);
}

#[test]
fn a_second_turn() {
    let why = json!({"why": {"cause": "cancelled", "reason": "so"}});
    let tale = compensated_but(|t| {
        t.then("declined", "more", json!({"cause": client(8), "events": [entry("undo_began", why)]}));
    });
    tale.breaks(&[Rule::Forward]);
}

#[test]
fn turned_back_after_the_pivot() {
    let why = || json!({"why": {"cause": "cancelled", "reason": "so"}});
    completed_but(|t| {
        t.until("refused");
        t.then("refused", "more", json!({"cause": client(8), "events": [entry("undo_began", why())]}));
    })
    .breaks(&[Rule::Pivot]);
    completed_but(|t| {
        t.before("no ship");
        t.then(
            "paid",
            "more",
            json!({"cause": client(8), "runs": [run("car/undo", 1)],
            "events": [undo_asked("car", 1, 91_000)]}),
        );
    })
    .breaks(&[Rule::Pivot, Rule::Order]);
}

#[test]
fn turned_back_while_the_pivot_is_in_doubt() {
    compensated_but(|t| {
        t.without("declined", "step_refused");
        let doubt = entry("in_doubt", json!({"node": "pay", "why": "no answer"}));
        t.entries("declined").insert(0, doubt);
        t.until("declined");
    })
    .breaks(&[Rule::Pivot, Rule::Order]);
}

#[test]
fn turned_back_while_the_pivot_is_asked() {
    let why = json!({"why": {"cause": "cancelled", "reason": "so"}});
    completed_but(|t| {
        t.until("guest");
        t.then("guest", "more", json!({"cause": client(8), "events": [entry("undo_began", why)]}));
    })
    .breaks(&[Rule::Pivot]);
}

#[test]
fn a_pivot_passed_twice() {
    let again = entry("pivot_passed", json!({"node": "pay", "round": 1, "reply": "paid"}));
    completed_but(|t| t.entries("paid").insert(1, again)).breaks(&[Rule::Pivot, Rule::Net]);
}

#[test]
fn another_node_passed_as_the_pivot() {
    completed_but(|t| t.data("guest", "step_asked")["pivot"] = json!(false)).breaks(&[Rule::Pivot]);
}

#[test]
fn a_pivot_done_as_a_step() {
    completed_but(|t| t.entries("paid")[0]["type"] = json!("saga.step_done")).breaks(&[Rule::Pivot]);
}
