//! Journals to check: an order that is completed and one that is taken back, written as the page of the journal says and
//! with nothing of the engine, and ways to plant a mistake in them.
//!
//! ```text
//! room ─┬─ van ─┬─ guest ═ pay ═ ship
//!       └─ car ─┘
//! ```
//!
//! The room is an entity of the hotel (and so is what `ship` asks), the others are participants outside the log. The van
//! needs two attempts in both directions, `ship` two rounds.

use std::collections::{BTreeMap, BTreeSet};

use palinode_verify::{Graph, Report, Rule, Source, check_with, hash::Digest};
use serde_json::{Value, json};

use crate::history::*;

/// The order's definition.
pub(crate) fn graph() -> Graph {
    Graph::new("order", 1)
        .node("room", &[])
        .node("van", &["room"])
        .node("car", &["room"])
        .node("guest", &["van", "car"])
        .node("pay", &["guest"])
        .node("ship", &["pay"])
}

/// An entry of a journal.
pub(crate) fn entry(tag: &str, data: Value) -> Value {
    json!({"type": format!("saga.{tag}"), "schema": 1, "data": data})
}

/// What the saga asks of the room.
pub(crate) fn ask(re: &str, data: &str) -> Value {
    json!({"to": {"service": "hotel", "log_id": HOTEL_LOG, "kind": "room", "id": "lisbon"}, "shard": hotel(),
           "type": "room", "data": data, "reply": {"kind": "order", "id": "o1", "re": re}})
}

/// What the room answers.
fn reply(re: &str, outcome: &str) -> Value {
    json!({"to": {"service": "trip", "log_id": TRIP_LOG, "kind": "order", "id": "o1"}, "shard": 0,
           "type": "reply", "data": {"outcome": outcome, "answer": null}, "re": re})
}

pub(crate) fn run(key: &str, attempt: u32) -> Value {
    json!({"key": key, "round": 1, "attempt": attempt})
}

pub(crate) fn set(node: &str, serial: u64, due: u64) -> Value {
    json!({"set": [{"node": node, "serial": serial, "due": due}]})
}

fn fired(node: &str, serial: u64) -> Value {
    json!({"timer": {"node": node, "serial": serial}})
}

fn address() -> Value {
    json!({"entity": {"service": "hotel", "kind": "room", "id": "lisbon"}})
}

/// The first ask of an activity.
fn first(node: &str, at: u64, undo: Option<&str>) -> Value {
    let undo = undo.map(|activity| json!({"activity": activity, "data": node}));
    entry(
        "step_asked",
        json!({"node": node, "round": 1, "attempt": 1, "to": {"activity": format!("do-{node}")},
               "request": node, "undo": undo, "at": at, "pivot": node == "pay"}),
    )
}

fn again(node: &str, round: u32, attempt: u32) -> Value {
    entry("step_asked", json!({"node": node, "round": round, "attempt": attempt}))
}

pub(crate) fn done(node: &str, round: u32) -> Value {
    entry("step_done", json!({"node": node, "round": round, "reply": "yes"}))
}

fn failed(node: &str, direction: &str, how: &str, serial: u64, due: u64) -> Value {
    entry(
        "attempt_failed",
        json!({"node": node, "direction": direction, "round": 1, "attempt": 1, "how": how, "why": "so",
               "timer": {"serial": serial, "due": due}}),
    )
}

pub(crate) fn undo_asked(node: &str, attempt: u32, at: u64) -> Value {
    entry("undo_asked", json!({"node": node, "round": 1, "attempt": attempt, "at": at}))
}

pub(crate) fn undone(node: &str) -> Value {
    entry("undone", json!({"node": node, "round": 1}))
}

/// A journal and what belongs to it, commit by commit, each with a name.
#[derive(Clone)]
pub(crate) struct Tale(Vec<(&'static str, Step)>);

impl Tale {
    fn saga(&mut self, name: &'static str, mut body: Value) {
        body["entity"] = json!({"kind": "order", "id": "o1"});
        self.push(name, Step { service: "trip", shard: 0, body });
    }

    fn room(&mut self, name: &'static str, re: &str, outcome: &str) {
        let events = if outcome == "accepted" {
            json!([{"type": "room.changed", "schema": 1, "data": 1}])
        } else {
            json!([])
        };
        let body = json!({"cause": channel_from("trip"), "entity": {"kind": "room", "id": "lisbon"},
            "outcome": outcome, "events": events, "sends": [reply(re, outcome)]});
        self.push(name, Step { service: "hotel", shard: hotel(), body });
    }

    fn push(&mut self, name: &'static str, mut step: Step) {
        step.body["time"] = json!((self.0.len() + 1) * 10_000);
        self.0.push((name, step));
    }

    /// What both have in common: up to the open payment.
    fn begun() -> Self {
        let mut tale = Self(Vec::new());
        let start =
            json!({"definition": "order", "version": 1, "fingerprint": "00000000000000aa", "data": {}});
        let room =
            json!({"node": "room", "round": 1, "attempt": 1, "to": address(), "undo": {"data": "give?"}});
        let done_room = json!({"node": "room", "round": 1, "reply": "yes", "undo": {"data": "give"}});
        let guest = json!({"node": "guest", "signal": "go", "timer": {"serial": 2, "due": 900_000}});
        tale.saga("start", json!({"cause": client(1),
            "events": [entry("started", start), entry("step_asked", room)], "sends": [ask("room/do/1", "take")]}));
        tale.room("hold", "room/do/1", "accepted");
        tale.saga(
            "held",
            json!({"cause": channel_from("hotel"), "runs": [run("van/do", 1), run("car/do", 1)],
            "events": [entry("step_done", done_room), first("van", 30_000, Some("undo-van")),
                       first("car", 30_000, Some("undo-car"))]}),
        );
        tale.saga(
            "van down",
            json!({"cause": {"activity": run("van/do", 1)}, "timers": set("van", 1, 45_000),
            "events": [failed("van", "do", "transient", 1, 45_000)]}),
        );
        tale.saga(
            "van again",
            json!({"cause": fired("van", 1), "events": [again("van", 1, 2)],
            "runs": [run("van/do", 2)]}),
        );
        tale.saga("van", json!({"cause": {"activity": run("van/do", 2)}, "events": [done("van", 1)]}));
        tale.saga(
            "car",
            json!({"cause": {"activity": run("car/do", 1)}, "timers": set("guest", 2, 900_000),
            "events": [done("car", 1), entry("wait_began", guest)]}),
        );
        tale.saga("guest", json!({"cause": client(2), "runs": [run("pay/do", 1)],
            "timers": {"clear": [{"node": "guest", "serial": 2}]},
            "events": [entry("signalled", json!({"name": "go", "id": "s1", "data": {}})),
                       entry("wait_done", json!({"node": "guest", "id": "s1"})), first("pay", 80_000, None)]}));
        tale
    }

    /// An order that is completed.
    pub(crate) fn completed() -> Self {
        let mut tale = Self::begun();
        let ship = json!({"node": "ship", "round": 1, "attempt": 1, "to": address(), "request": "ship", "at": 90_000});
        tale.saga(
            "paid",
            json!({"cause": {"activity": run("pay/do", 1)}, "sends": [ask("ship/do/1", "ship")],
            "events": [entry("pivot_passed", json!({"node": "pay", "round": 1, "reply": "paid"})),
                       entry("step_asked", ship)]}),
        );
        tale.room("no ship", "ship/do/1", "rejected");
        tale.saga(
            "refused",
            json!({"cause": channel_from("hotel"), "timers": set("ship", 3, 115_000),
            "events": [failed("ship", "do", "refused", 3, 115_000)]}),
        );
        tale.saga(
            "ship again",
            json!({"cause": fired("ship", 3), "events": [again("ship", 2, 1)],
            "sends": [ask("ship/do/2", "ship")]}),
        );
        tale.room("ship", "ship/do/2", "accepted");
        tale.saga(
            "end",
            json!({"cause": channel_from("hotel"), "ended": true,
            "events": [done("ship", 2), entry("completed", json!({}))]}),
        );
        tale
    }

    /// An order whose payment is refused.
    pub(crate) fn compensated() -> Self {
        let mut tale = Self::begun();
        let no = json!({"node": "pay", "round": 1, "code": "declined", "text": "no money"});
        let why = json!({"why": {"cause": "refused", "node": "pay", "code": "declined", "text": "no money"}});
        tale.saga(
            "declined",
            json!({"cause": {"activity": run("pay/do", 1)},
            "runs": [run("car/undo", 1), run("van/undo", 1)],
            "events": [entry("step_refused", no), entry("undo_began", why), undo_asked("car", 1, 90_000),
                       undo_asked("van", 1, 90_000)]}),
        );
        tale.saga(
            "van stays",
            json!({"cause": {"activity": run("van/undo", 1)}, "timers": set("van", 3, 105_000),
            "events": [failed("van", "undo", "transient", 3, 105_000)]}),
        );
        tale.saga(
            "van back",
            json!({"cause": fired("van", 3), "runs": [run("van/undo", 2)],
            "events": [undo_asked("van", 2, 90_000)]}),
        );
        tale.saga("no van", json!({"cause": {"activity": run("van/undo", 2)}, "events": [undone("van")]}));
        tale.saga(
            "no car",
            json!({"cause": {"activity": run("car/undo", 1)}, "sends": [ask("room/undo/1", "give")],
            "events": [undone("car"), undo_asked("room", 1, 130_000)]}),
        );
        tale.room("give", "room/undo/1", "accepted");
        tale.saga(
            "end",
            json!({"cause": channel_from("hotel"), "ended": true,
            "events": [undone("room"), entry("compensated", json!({"exceptions": 0}))]}),
        );
        tale
    }

    fn place(&self, name: &str) -> usize {
        self.0.iter().position(|(n, _)| *n == name).unwrap_or_else(|| panic!("no commit {name:?}"))
    }

    /// The body of a commit.
    pub(crate) fn at(&mut self, name: &str) -> &mut Value {
        let place = self.place(name);
        &mut self.0[place].1.body
    }

    /// The entries of a commit.
    pub(crate) fn entries(&mut self, name: &str) -> &mut Vec<Value> {
        self.at(name)["events"].as_array_mut().unwrap()
    }

    /// The data of the first entry of a commit with this tag.
    pub(crate) fn data(&mut self, name: &str, tag: &str) -> &mut Value {
        let tag = format!("saga.{tag}");
        &mut self.entries(name).iter_mut().find(|e| e["type"] == tag).unwrap()["data"]
    }

    /// Without the entries of a commit with this tag.
    pub(crate) fn without(&mut self, name: &str, tag: &str) {
        let tag = format!("saga.{tag}");
        self.entries(name).retain(|e| e["type"] != tag);
    }

    /// Ends after this commit.
    pub(crate) fn until(&mut self, name: &str) {
        let place = self.place(name);
        self.0.truncate(place + 1);
    }

    /// Ends before this commit.
    pub(crate) fn before(&mut self, name: &str) {
        let place = self.place(name);
        self.0.truncate(place);
    }

    /// With a further commit of the saga after this one.
    pub(crate) fn then(&mut self, name: &str, new: &'static str, mut body: Value) {
        let place = self.place(name);
        body["entity"] = json!({"kind": "order", "id": "o1"});
        body["time"] = json!(self.0[place].1.body["time"].as_u64().unwrap() + 1_000);
        self.0.insert(place + 1, (new, Step { service: "trip", shard: 0, body }));
    }

    /// As records: versions, numbers and digests follow from what is there.
    fn history(&self) -> History {
        let mut steps: Vec<Step> = self.0.iter().map(|(_, step)| step.clone()).collect();
        let mut versions: BTreeMap<String, usize> = BTreeMap::new();
        let mut channels: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
        for step in &mut steps {
            let body = &mut step.body;
            let version = versions.entry(body["entity"]["id"].to_string()).or_default();
            body["entity"]["version"] = json!(version);
            *version += body["events"].as_array().map_or(0, Vec::len);
            if let Some(from) = body["cause"]["channel"]["from"].as_str().map(str::to_owned) {
                let seq = accepted.entry(from.clone()).or_default();
                *seq += 1;
                let digest = channels.get(&*from).and_then(|sent| sent.get(*seq - 1)).cloned();
                let (peer, digest) = (peer_of(&from), digest.unwrap_or_else(|| "00000000000000ff".into()));
                body["cause"] = channel(peer, u64::try_from(*seq).unwrap(), &digest);
            }
            let time = body["time"].clone();
            for send in body.get_mut("sends").and_then(Value::as_array_mut).into_iter().flatten() {
                let sent = channels.entry(step.service).or_default();
                send["from"] = peer_of(step.service);
                send["seq"] = json!(sent.len() + 1);
                send["prev"] = json!(sent.last().cloned().unwrap_or_else(|| "0000000000000000".into()));
                send["time"] = time.clone();
                sent.push(Digest::of(send.to_string().as_bytes()).to_string());
            }
        }
        History::of(steps)
    }

    /// What the checker says of it, with the graph of its definition or without.
    pub(crate) fn report(&self, graphs: &[Graph]) -> Report {
        check_with(&self.history().records() as &dyn Source, graphs).unwrap()
    }

    /// Expects exactly these rules broken, without the help of a graph and with it.
    #[track_caller]
    pub(crate) fn breaks(&self, rules: &[Rule]) {
        self.breaks_with(&[], rules);
        self.breaks_with(&[graph()], rules);
    }

    /// Expects exactly these rules broken, given these graphs.
    #[track_caller]
    pub(crate) fn breaks_with(&self, graphs: &[Graph], rules: &[Rule]) {
        let report = self.report(graphs);
        let found: BTreeSet<Rule> = report.findings.iter().map(|f| f.rule).collect();
        assert_eq!(found, rules.iter().copied().collect(), "{report}");
    }
}

/// A cause to be: the next message of this service.
pub(crate) fn channel_from(service: &str) -> Value {
    json!({"channel": {"from": service}})
}

fn peer_of(service: &str) -> Value {
    if service == "trip" { trip_peer() } else { hotel_peer() }
}

/// A completed order with a mistake in it.
pub(crate) fn completed_but(change: impl FnOnce(&mut Tale)) -> Tale {
    let mut tale = Tale::completed();
    change(&mut tale);
    tale
}

/// A compensated order with a mistake in it.
pub(crate) fn compensated_but(change: impl FnOnce(&mut Tale)) -> Tale {
    let mut tale = Tale::compensated();
    change(&mut tale);
    tale
}
