//! Traces of one partition: records in the engine's bytes, judged twice.

use palinode::{
    Digest, Position, Record,
    codec::{claim_record, encode_commit, genesis_record},
    commit::{Cause, Claim, Commit, FORMAT, Genesis, Outcome, TimerChanges},
    machine::fold::{Dead, Expected, Fold, Verdict, What},
    time::Micros,
};
use palinode_verify::{Stored, fold as checker};
use uuid::Uuid;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Counts,
    Dead(Dead),
    Stops(What),
}

/// A partition as it is written and read.
pub(crate) struct Trace {
    pub(crate) records: Vec<Record>,
    pub(crate) fold: Fold,
    checker: checker::Fold,
}

pub(crate) fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub(crate) fn expected(log_id: Option<Uuid>) -> Expected {
    Expected { service: "hotel".into(), log_id, partitions: Some(2) }
}

pub(crate) fn genesis(log_id: Uuid) -> Record {
    let genesis = Genesis { log_id, service: "hotel".into(), partitions: 2, format: FORMAT };
    genesis_record(&genesis, Micros(0)).unwrap()
}

pub(crate) fn claim(term: u64, claim: u128) -> Record {
    let claim = Claim { term, claim_id: id(claim), owner: "a".into(), time: Micros(0) };
    claim_record(&claim, Micros(0)).unwrap()
}

/// A commit with this content on this parent.
pub(crate) fn commit(term: u64, claim: u128, pseq: u64, parent: &Record, content: i64) -> Record {
    let commit = Commit {
        term,
        claim_id: id(claim),
        pseq,
        prev: Digest::of(&parent.value),
        time: Micros(content),
        cause: Cause::Control { act: "trace".into() },
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
    };
    Record::ours("".into(), encode_commit(&commit).unwrap(), Micros(0))
}

impl Trace {
    /// Genesis of log 1, read.
    pub(crate) fn begin() -> Self {
        let mut trace = Self {
            records: Vec::new(),
            fold: Fold::start(0, expected(None)),
            checker: checker::Fold::new("hotel"),
        };
        assert_eq!(trace.land(&genesis(id(1))), Fate::Counts);
        trace
    }

    /// A record lands, and all readers judge it.
    pub(crate) fn land(&mut self, record: &Record) -> Fate {
        let offset = u64::try_from(self.records.len()).unwrap();
        self.records.push(record.clone());
        let fate = match self.fold.take(offset, record) {
            Ok(Verdict::Dead(why)) => Fate::Dead(why),
            Ok(_) => Fate::Counts,
            Err(violation) => Fate::Stops(violation.what),
        };
        let stored =
            Stored { offset, mark: record.mark, crc: record.crc, value: record.value.to_vec(), damage: None };
        let same = match self.checker.next(&stored) {
            Ok(checker::Judged::Dead) => matches!(fate, Fate::Dead(_)),
            Ok(_) => fate == Fate::Counts,
            Err(_) => matches!(fate, Fate::Stops(_)),
        };
        assert!(same, "the checker does not say {fate:?} of record {offset}");
        fate
    }

    /// Records that all count.
    pub(crate) fn counts(&mut self, records: &[&Record]) -> &mut Self {
        for record in records {
            assert_eq!(self.land(record), Fate::Counts);
        }
        self
    }

    pub(crate) fn position(&self) -> Position {
        self.fold.position().unwrap().clone()
    }
}
