//! The engine and the checker were written apart from one description. Here they are held against each other: both folds
//! on every short sequence of records, and a commit with every field set, written by one and read by the other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;

use palinode::{
    Digest, Micros, Position, Record,
    codec::{claim_record, encode_commit, genesis_record},
    commit::{
        Cause, Claim, Closed, Commit, EntityRef, EventRecord, FORMAT, Genesis, Outcome, Peer, RunRef,
        TimerChanges, TimerRef, TimerSet,
    },
    machine::fold::{Expected, Fold, Verdict},
    message::{Message, ReplyTo, Target},
};
use palinode_verify::{Stored, fold as checker, record as read};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Begins,
    Claims,
    Effective,
    Dead,
    Stops,
}

/// Both readers of one partition.
#[derive(Clone)]
struct Readers {
    engine: Fold,
    checker: checker::Fold,
    length: u64,
}

impl Readers {
    fn new() -> Self {
        let expected = Expected { service: "hotel".into(), log_id: None, partitions: Some(2) };
        Self { engine: Fold::start(0, expected), checker: checker::Fold::new("hotel"), length: 0 }
    }

    fn take(&mut self, record: &Record) -> (Class, Class) {
        let offset = self.length;
        self.length += 1;
        let engine = match self.engine.take(offset, record) {
            Ok(Verdict::Genesis(_)) => Class::Begins,
            Ok(Verdict::Claim(_)) => Class::Claims,
            Ok(Verdict::Commit(_)) => Class::Effective,
            Ok(Verdict::Dead(_)) => Class::Dead,
            Err(_) => Class::Stops,
        };
        let stored =
            Stored { offset, mark: record.mark, crc: record.crc, value: record.value.to_vec(), damage: None };
        let checker = match self.checker.next(&stored) {
            Ok(checker::Judged::Begins(_)) => Class::Begins,
            Ok(checker::Judged::Claims(_)) => Class::Claims,
            Ok(checker::Judged::Effective(_)) => Class::Effective,
            Ok(checker::Judged::Dead) => Class::Dead,
            Err(_) => Class::Stops,
        };
        (engine, checker)
    }

    fn same_place(&self) -> bool {
        let engine =
            self.engine.position().map(|p| (p.log_id, p.offset, p.term, p.claim_id, p.pseq, p.digest.0));
        let checker = self
            .checker
            .place()
            .map(|p| (p.genesis.log_id, p.offset, p.term, p.claim, p.pseq, p.digest.0.to_be_bytes()));
        engine == checker
    }
}

fn genesis(log_id: u128, service: &str) -> Record {
    let log_id = Uuid::from_u128(log_id);
    genesis_record(&Genesis { log_id, service: service.into(), partitions: 2, format: FORMAT }, Micros(0))
        .unwrap()
}

fn claim(term: u64, claim: u128) -> Record {
    let claim_id = Uuid::from_u128(claim);
    claim_record(&Claim { term, claim_id, owner: "a".into(), time: Micros(0) }, Micros(0)).unwrap()
}

fn blank() -> Commit {
    Commit {
        term: 1,
        claim_id: Uuid::nil(),
        pseq: 1,
        prev: Digest::ZERO,
        time: Micros(0),
        cause: Cause::Control { act: "barrier".into() },
        low: None,
        closed: Vec::new(),
        entity: None,
        outcome: Outcome::Accepted,
        answer: None,
        events: Vec::new(),
        sends: Vec::new(),
        timers: TimerChanges::default(),
        runs: Vec::new(),
        ended: false,
        parked: None,
        traceparent: None,
    }
}

fn written(commit: &Commit) -> Record {
    Record::ours("".into(), encode_commit(commit).unwrap(), Micros(0))
}

/// Every kind of record there can be after what this reader has read.
fn alphabet(at: Option<&Position>) -> Vec<Record> {
    let good = claim(1, 1);
    let mut records = vec![genesis(1, "hotel"), genesis(2, "hotel"), genesis(1, "boat")];
    records.push(Record { mark: None, crc: None, ..good.clone() });
    records.push(Record { mark: Some(FORMAT + 1), ..good.clone() });
    records.push(Record { crc: Some(1), ..good.clone() });
    records.push(Record { crc: None, ..good });
    records.push(Record::ours("".into(), b"{\"t\":\"commit\"}".to_vec(), Micros(0)));
    let (term, pseq, digest) = at.map_or((0, 0, Digest::ZERO), |p| (p.term, p.pseq, p.digest));
    for term in term.saturating_sub(1)..=term + 2 {
        for claim_id in [1, 2] {
            records.push(claim(term, claim_id));
            for pseq in pseq.saturating_sub(1)..=pseq + 2 {
                for prev in [digest, Digest::of(b"another")] {
                    let claim_id = Uuid::from_u128(claim_id);
                    records.push(written(&Commit { term, claim_id, pseq, prev, ..blank() }));
                }
            }
        }
    }
    records
}

#[test]
fn both_folds_agree_on_every_short_sequence_of_records() {
    let (mut frontier, mut places, mut classes) = (vec![Readers::new()], BTreeSet::new(), BTreeSet::new());
    for _ in 0..5 {
        let mut next = Vec::new();
        for readers in &frontier {
            for record in alphabet(readers.engine.position()) {
                let mut readers = readers.clone();
                let (engine, checker) = readers.take(&record);
                assert_eq!(engine, checker, "{record:?} after {:?}", readers.engine.position());
                assert!(readers.same_place(), "{record:?}");
                classes.insert(engine);
                // Places that differ in their offset only are one place.
                let place = readers.engine.position().map(|p| (p.term, p.claim_id, p.pseq, p.digest));
                if places.insert(place) {
                    next.push(readers);
                }
            }
        }
        frontier = next;
    }
    // Neither is held against the other on nothing.
    assert_eq!(classes.len(), 5, "{classes:?}");
    let reached = |term, pseq| places.iter().flatten().any(|(t, _, p, _)| (*t, *p) == (term, pseq));
    assert!(reached(4, 0) && reached(3, 1) && reached(2, 2) && reached(1, 3));
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

#[test]
fn the_checker_reads_every_field_the_engine_writes() {
    let peer = Peer { service: "trip".into(), log_id: Uuid::from_u128(9), shard: 4 };
    let message = Message {
        from: peer.clone(),
        seq: 12,
        prev: Digest::of(b"11"),
        time: Micros(77),
        to: Target {
            service: "hotel".into(),
            log_id: Uuid::from_u128(8),
            kind: "room".into(),
            id: "a/12".into(),
        },
        shard: 3,
        name: "room".into(),
        data: raw("{ \"spaces\":  \"stay\" }"),
        reply: Some(ReplyTo { kind: "book-trip".into(), id: "t1".into(), re: "hold".into() }),
        re: None,
        traceparent: None,
    };
    let sent = to_raw_value(&message).unwrap();
    let commit = Commit {
        term: 3,
        claim_id: Uuid::from_u128(5),
        pseq: 1042,
        prev: Digest::of(b"before"),
        time: Micros(1_760_000_000_000_000),
        cause: Cause::Channel { from: peer.clone(), seq: 77, digest: Digest::of(b"77") },
        low: Some(912),
        closed: vec![Closed { to: peer, seq: 11 }],
        entity: Some(EntityRef { kind: "room".into(), id: "a/12".into(), version: 6 }),
        outcome: Outcome::Accepted,
        answer: Some(raw("{\"held\":true}")),
        events: vec![EventRecord { name: "room.held".into(), schema: 2, data: raw("[1, 2]") }],
        sends: vec![sent.clone().into()],
        timers: TimerChanges {
            set: vec![TimerSet { node: "guest".into(), serial: 2, due: Micros(5) }],
            clear: vec![TimerRef { node: "guest".into(), serial: 1 }],
        },
        runs: vec![RunRef { key: "pay".into(), round: 1, attempt: 2 }],
        ended: true,
        parked: Some(raw("{\"a\":1}")),
        traceparent: Some("00-a-b-01".into()),
    };

    let read::Record::Commit(seen) = read::Record::read(&written(&commit).value).unwrap() else {
        unreachable!()
    };

    assert_eq!((seen.term, seen.claim, seen.pseq, seen.time), (3, commit.claim_id, 1042, commit.time.0));
    assert_eq!(seen.prev.to_string(), commit.prev.to_string());
    let read::Cause::Channel { from, seq, digest } = &seen.cause else { unreachable!() };
    assert_eq!(
        (from.to_string(), *seq, digest.to_string()),
        ("trip/4".into(), 77, Digest::of(b"77").to_string())
    );
    assert_eq!((seen.low, seen.closed[0].seq, &seen.closed[0].to), (Some(912), 11, from));
    assert_eq!(seen.entity.as_ref().map(|e| (e.to_string(), e.version)), Some(("room/a/12".into(), 6)));
    assert_eq!((seen.outcome, seen.ended), (read::Outcome::Accepted, true));
    assert_eq!(seen.answer.as_ref().unwrap().get(), "{\"held\":true}");
    let event = &seen.events[0];
    assert_eq!((event.name.as_str(), event.schema, event.data.get()), ("room.held", 2, "[1, 2]"));
    assert_eq!(seen.sends[0].get(), sent.get(), "the very bytes: their digest is compared");
    assert_eq!(seen.timers.set, [read::SetTimer { node: "guest".into(), serial: 2, due: 5 }]);
    assert_eq!(seen.timers.clear, [read::ClearTimer { node: "guest".into(), serial: 1 }]);
    assert_eq!(seen.runs, [read::Run { key: "pay".into(), round: 1, attempt: 2 }]);
    assert_eq!(seen.parked.as_ref().unwrap().get(), "{\"a\":1}");
    assert_eq!(seen.traceparent.as_deref(), Some("00-a-b-01"));

    let travelled = read::Message::read(&seen.sends[0]).unwrap();
    assert_eq!((travelled.seq, travelled.time, travelled.name.as_str()), (12, 77, "room"));
    assert_eq!(travelled.prev.to_string(), message.prev.to_string());
    assert_eq!(travelled.receiver().to_string(), "hotel/3");
    assert_eq!((travelled.to.kind.as_str(), travelled.to.id.as_str()), ("room", "a/12"));
    let reply = travelled.reply.unwrap();
    assert_eq!((&*reply.kind, &*reply.id, &*reply.re), ("book-trip", "t1", "hold"));
    assert_eq!(travelled.re, None);
}

#[test]
fn the_checker_reads_every_cause_and_outcome() {
    let causes = [
        Cause::Client { id: Uuid::from_u128(7), digest: Digest::of(b"c") },
        Cause::Timer { node: "guest".into(), serial: 2 },
        Cause::Activity { key: "pay".into(), round: 1, attempt: 2 },
        Cause::Control { act: "barrier".into() },
    ];
    let outcomes =
        [Outcome::Accepted, Outcome::Rejected, Outcome::Conflict, Outcome::Invalid, Outcome::Parked];
    for cause in &causes {
        for outcome in outcomes {
            let written = written(&Commit { cause: cause.clone(), outcome, ..blank() });
            let read::Record::Commit(seen) = read::Record::read(&written.value).unwrap() else {
                unreachable!()
            };
            assert_eq!(format!("{:?}", seen.outcome), format!("{outcome:?}"));
            let same = match (&seen.cause, cause) {
                (read::Cause::Client { id, digest }, Cause::Client { id: i, digest: d }) => {
                    id == i && digest.to_string() == d.to_string()
                }
                (read::Cause::Timer { node, serial }, Cause::Timer { node: n, serial: s }) => {
                    **node == **n && serial == s
                }
                (read::Cause::Activity(run), Cause::Activity { key, round, attempt }) => {
                    (run.key.as_str(), &run.round, &run.attempt) == (&**key, round, attempt)
                }
                (read::Cause::Control { act }, Cause::Control { act: a }) => **act == **a,
                _ => false,
            };
            assert!(same, "{:?} for {cause:?}", seen.cause);
        }
    }
}
