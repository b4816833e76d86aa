//! Histories to check: a small sound one, written as the format says and with nothing of the engine, and ways to plant
//! a mistake in it.
//!
//! The story: a trip starts and asks a room to be held; the room is held and answers; a payment is attempted and made;
//! the room is confirmed; a timer fires; a late cancel is refused.

use std::collections::{BTreeMap, BTreeSet};

use palinode_verify::{
    Records, Report, Rule, Source, Stored, check,
    hash::{Digest, shard_of},
};
use serde_json::{Value, json};

pub(crate) const TRIP_LOG: &str = "00000000-0000-7000-8000-000000000001";
pub(crate) const HOTEL_LOG: &str = "00000000-0000-7000-8000-000000000002";
const CLAIM: &str = "00000000-0000-7000-8000-0000000000c1";

/// The steps of the story, by what happens in them.
pub(crate) const START: usize = 0;
pub(crate) const HELD: usize = 1;
pub(crate) const PAYING: usize = 2;
pub(crate) const PAID: usize = 3;
pub(crate) const CONFIRMED: usize = 4;
pub(crate) const TIMED: usize = 5;
pub(crate) const REFUSED: usize = 6;

/// One commit to come: what it says, without what its place in the partition decides.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) service: &'static str,
    pub(crate) shard: u32,
    pub(crate) body: Value,
}

/// The shard of room `lisbon`.
pub(crate) fn hotel() -> u32 {
    shard_of("room", "lisbon", 2)
}

fn peer(service: &str, log_id: &str, shard: u32) -> Value {
    json!({"service": service, "log_id": log_id, "shard": shard})
}

pub(crate) fn trip_peer() -> Value {
    peer("trip", TRIP_LOG, 0)
}

pub(crate) fn hotel_peer() -> Value {
    peer("hotel", HOTEL_LOG, hotel())
}

/// The digest of a message, or of any value as it is written.
pub(crate) fn digest(value: &Value) -> String {
    Digest::of(value.to_string().as_bytes()).to_string()
}

fn to_room(seq: u64, prev: &str, time: i64) -> Value {
    json!({"from": trip_peer(), "seq": seq, "prev": prev, "time": time, "shard": hotel(), "type": "room", "data": {},
           "to": {"service": "hotel", "log_id": HOTEL_LOG, "kind": "room", "id": "lisbon"}})
}

fn to_trip(seq: u64, prev: &str, time: i64) -> Value {
    json!({"from": hotel_peer(), "seq": seq, "prev": prev, "time": time, "shard": 0, "type": "reply", "data": {},
           "to": {"service": "trip", "log_id": TRIP_LOG, "kind": "book-trip", "id": "t1"}})
}

pub(crate) fn client(n: u32) -> Value {
    json!({"client": {"id": format!("00000000-0000-7000-8000-00000000a{n:03}"), "digest": "0000000000000001"}})
}

pub(crate) fn channel(from: Value, seq: u64, digest: &str) -> Value {
    json!({"channel": {"from": from, "seq": seq, "digest": digest}})
}

fn event(name: &str) -> Value {
    json!([{"type": name, "schema": 1, "data": {"n": 1}}])
}

fn trip(version: u64) -> Value {
    json!({"kind": "book-trip", "id": "t1", "version": version})
}

fn room(version: u64) -> Value {
    json!({"kind": "room", "id": "lisbon", "version": version})
}

/// The sound story.
pub(crate) fn story() -> Vec<Step> {
    const NONE: &str = "0000000000000000";
    let hold = to_room(1, NONE, 10_000);
    let held = to_trip(1, NONE, 20_000);
    let confirm = to_room(2, &digest(&hold), 40_000);
    let pay = json!({"key": "pay", "round": 1, "attempt": 1});
    let on_trip = |body| Step { service: "trip", shard: 0, body };
    let on_hotel = |body| Step { service: "hotel", shard: hotel(), body };
    vec![
        on_trip(
            json!({"time": 10_000, "cause": client(1), "entity": trip(0), "events": event("book-trip.started"),
            "sends": [hold], "timers": {"set": [{"node": "guest", "serial": 1, "due": 55_000}]}}),
        ),
        on_hotel(json!({"time": 20_000, "cause": channel(trip_peer(), 1, &digest(&hold)), "entity": room(0),
            "events": event("room.held"), "sends": [held]})),
        on_trip(json!({"time": 30_000, "cause": channel(hotel_peer(), 1, &digest(&held)), "entity": trip(1),
            "events": event("book-trip.held"), "closed": [{"to": hotel_peer(), "seq": 1}], "runs": [pay]})),
        on_trip(json!({"time": 40_000, "cause": {"activity": pay}, "entity": trip(2),
            "events": event("book-trip.paid"), "sends": [confirm]})),
        on_hotel(
            json!({"time": 50_000, "cause": channel(trip_peer(), 2, &digest(&confirm)), "entity": room(1),
            "events": event("room.confirmed")}),
        ),
        on_trip(
            json!({"time": 60_000, "cause": {"timer": {"node": "guest", "serial": 1}}, "entity": trip(3),
            "events": event("book-trip.waited")}),
        ),
        on_trip(json!({"time": 70_000, "cause": client(2), "entity": trip(4), "outcome": "rejected"})),
    ]
}

/// Records of the partitions, open to every change.
pub(crate) struct History(pub(crate) BTreeMap<(&'static str, u32), Vec<Stored>>);

impl History {
    /// Both services, their partitions begun and claimed.
    pub(crate) fn begin() -> Self {
        let mut history = Self(BTreeMap::new());
        for (service, log_id, partitions) in [("trip", TRIP_LOG, 1), ("hotel", HOTEL_LOG, 2)] {
            for shard in 0..partitions {
                let genesis =
                    json!({"log_id": log_id, "service": service, "partitions": partitions, "format": 1});
                history.push(service, shard, "genesis", genesis);
                history.claim(service, shard, 1, CLAIM);
            }
        }
        history
    }

    /// Writes a story: each step on top of the commit before it in its partition.
    pub(crate) fn of(story: Vec<Step>) -> Self {
        let mut history = Self::begin();
        story.into_iter().for_each(|step| history.commit(step));
        history
    }

    pub(crate) fn claim(&mut self, service: &'static str, shard: u32, term: u64, claim: &str) {
        let claim = json!({"term": term, "claim": claim, "owner": "a", "time": 1});
        self.push(service, shard, "claim", claim);
    }

    /// Adds a commit; what its body does not say follows from the records before it.
    pub(crate) fn commit(&mut self, Step { service, shard, body }: Step) {
        let before = &self.0[&(service, shard)];
        let commits = before.iter().filter(|r| value(r)["t"] == "commit").count();
        let parent =
            before.iter().rfind(|r| value(r)["t"] != "claim").map(|r| Digest::of(&r.value).to_string());
        let mut commit = json!({"term": 1, "claim": CLAIM, "pseq": commits + 1, "prev": parent,
            "outcome": "accepted", "cause": {"control": {"act": "barrier"}}});
        let Value::Object(fields) = body else { panic!("a body is an object") };
        fields.into_iter().for_each(|(name, value)| commit[name] = value);
        self.push(service, shard, "commit", commit);
    }

    pub(crate) fn push(&mut self, service: &'static str, shard: u32, t: &str, mut record: Value) {
        record["t"] = json!(t);
        let records = self.0.entry((service, shard)).or_default();
        let offset = records.last().map_or(0, |r| r.offset + 1);
        records.push(stored(offset, &record));
    }

    /// Changes a record in place, and takes its checksum anew.
    pub(crate) fn rewrite(
        &mut self,
        service: &'static str,
        shard: u32,
        offset: usize,
        change: impl FnOnce(&mut Value),
    ) {
        let record = &mut self.0.get_mut(&(service, shard)).unwrap()[offset];
        let mut body = value(record);
        change(&mut body);
        *record = stored(record.offset, &body);
    }

    pub(crate) fn records(&self) -> Records {
        let mut records = Records::default();
        for ((service, shard), partition) in &self.0 {
            partition.iter().for_each(|r| records.push(*service, *shard, r.clone()));
        }
        records
    }

    /// What the checker says of it.
    pub(crate) fn report(&self) -> Report {
        check(&self.records() as &dyn Source).unwrap()
    }
}

pub(crate) fn value(record: &Stored) -> Value {
    serde_json::from_slice(&record.value).unwrap()
}

pub(crate) fn stored(offset: u64, record: &Value) -> Stored {
    let value = record.to_string().into_bytes();
    Stored { offset, mark: Some(1), crc: Some(crc32c::crc32c(&value)), value, damage: None }
}

/// Plants a change in the story, and expects the checker to find exactly these rules broken.
#[track_caller]
pub(crate) fn planted(rules: &[Rule], change: impl FnOnce(&mut Vec<Step>)) {
    let mut story = story();
    change(&mut story);
    finds(rules, &History::of(story));
}

/// Expects the checker to find exactly these rules broken.
#[track_caller]
pub(crate) fn finds(rules: &[Rule], history: &History) {
    let report = history.report();
    let found: BTreeSet<Rule> = report.findings.iter().map(|f| f.rule).collect();
    assert_eq!(found, rules.iter().copied().collect(), "{report}");
}
