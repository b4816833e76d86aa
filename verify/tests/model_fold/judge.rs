//! Judging the model's records: by the engine's own fold, on bytes of its own codec; or by a table from which a rule can
//! be left out. With no rule left out both judge every record, and must agree.

use std::{cell::RefCell, collections::BTreeMap};

use palinode::{
    Digest, Position, Record,
    codec::{claim_record, encode_commit, genesis_record},
    commit::{Cause, Claim, Commit, FORMAT, Genesis, Outcome, TimerChanges},
    machine::fold::{Expected, Fold, Verdict},
    time::Micros,
};
use uuid::Uuid;

/// A record of the model. `owner` and `base` are for the model's eyes only: no byte says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rec {
    Claim { owner: u8, term: u8, claim: u8 },
    Commit { owner: u8, term: u8, claim: u8, pseq: u8, prev: u64, content: u8, base: u8 },
}

/// A reader's place: what the fold rule holds, and the content of the last effective commit (0 before the first).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At {
    pub(crate) term: u8,
    pub(crate) claim: u8,
    pub(crate) pseq: u8,
    pub(crate) digest: u64,
    pub(crate) content: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Judged {
    Counts,
    Dead,
    Violation,
}

/// The rule that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeftOut {
    /// Nothing is.
    Nothing,
    /// The claim id is that of the node, and not of the attempt (CX1).
    ClaimPerAttempt,
    /// Nobody compares claim ids, only terms.
    ClaimCompared,
    /// A claim counts from the current term on, and not only above it.
    TermAbove,
    /// A commit counts with any higher number, on any parent.
    NextNumber,
    /// A commit counts with any number, on any parent.
    Number,
    /// A commit is proven as soon as its offset is the next one, also before the commit ahead of it (CX2).
    NumberOrder,
    /// A commit is proven by its report, wherever it landed.
    GapRead,
    /// A report is matched by its number only (CX22).
    ReportClaim,
}

impl LeftOut {
    fn of_the_fold(self) -> bool {
        matches!(self, Self::ClaimCompared | Self::TermAbove | Self::NextNumber | Self::Number)
    }
}

/// Before the first claim.
pub(crate) fn genesis() -> At {
    At {
        term: 0,
        claim: 0,
        pseq: 0,
        digest: u64::from_be_bytes(Digest::of(&genesis_bytes().value).0),
        content: 0,
    }
}

/// Judges a record: what it is, and the place after it.
pub(crate) fn judge(left_out: LeftOut, at: At, rec: Rec) -> (Judged, At) {
    if left_out.of_the_fold() {
        return table(left_out, at, rec);
    }
    let judged = real(at, rec);
    assert_eq!(
        judged,
        table(LeftOut::Nothing, at, rec),
        "the engine's fold and the table differ: {rec:?} at {at:?}"
    );
    judged
}

/// The table of the fold rule, perhaps with a rule left out.
pub(crate) fn table(left_out: LeftOut, at: At, rec: Rec) -> (Judged, At) {
    match rec {
        Rec::Claim { term, claim, .. } => {
            let counts = term == at.term + 1 || (left_out == LeftOut::TermAbove && term == at.term);
            match term {
                _ if counts => (Judged::Counts, At { term, claim, ..at }),
                _ if term <= at.term => (Judged::Dead, at),
                _ => (Judged::Violation, at),
            }
        }
        Rec::Commit { term, claim, pseq, prev, content, .. } => {
            let any = left_out == LeftOut::Number;
            let jump = any || left_out == LeftOut::NextNumber;
            let same_claim = claim == at.claim || left_out == LeftOut::ClaimCompared;
            let next = pseq == at.pseq + 1 || any || (jump && pseq > at.pseq);
            match () {
                () if term < at.term => (Judged::Dead, at),
                () if term > at.term || !same_claim => (Judged::Violation, at),
                () if !next => (Judged::Dead, at),
                () if prev != at.digest && !jump => (Judged::Violation, at),
                () => (Judged::Counts, At { pseq, digest: digest(rec), content, ..at }),
            }
        }
    }
}

thread_local! {
    /// The fold is a pure function of place and record: each pair is judged by the engine once a thread.
    static KNOWN: RefCell<BTreeMap<(At, Rec), (Judged, At)>> = const { RefCell::new(BTreeMap::new()) };
    static DIGESTS: RefCell<BTreeMap<Rec, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// The digest of a commit's bytes.
pub(crate) fn digest(rec: Rec) -> u64 {
    if let Some(known) = DIGESTS.with_borrow(|d| d.get(&rec).copied()) {
        return known;
    }
    let digest = u64::from_be_bytes(Digest::of(&record(rec).value).0);
    DIGESTS.with_borrow_mut(|d| d.insert(rec, digest));
    digest
}

fn real(at: At, rec: Rec) -> (Judged, At) {
    if let Some(known) = KNOWN.with_borrow(|k| k.get(&(at, rec)).copied()) {
        return known;
    }
    let judged = judge_anew(at, rec);
    KNOWN.with_borrow_mut(|k| k.insert((at, rec), judged));
    judged
}

fn judge_anew(at: At, rec: Rec) -> (Judged, At) {
    let expected = Expected { service: "model".into(), log_id: None, partitions: None };
    let position = Position {
        log_id: Uuid::from_u128(1),
        offset: 0,
        term: at.term.into(),
        claim_id: Uuid::from_u128(at.claim.into()),
        pseq: at.pseq.into(),
        digest: Digest(at.digest.to_be_bytes()),
    };
    let mut fold = Fold::resume(0, expected, position);
    let judged = match fold.take(1, &record(rec)) {
        Ok(Verdict::Dead(_)) => Judged::Dead,
        Ok(_) => Judged::Counts,
        Err(_) => Judged::Violation,
    };
    let after = fold.position().unwrap();
    let content = match rec {
        Rec::Commit { content, .. } if judged == Judged::Counts => content,
        _ => at.content,
    };
    let small = |n: u64| u8::try_from(n).unwrap();
    let after = At {
        term: small(after.term),
        claim: u8::try_from(after.claim_id.as_u128()).unwrap(),
        pseq: small(after.pseq),
        digest: u64::from_be_bytes(after.digest.0),
        content,
    };
    (judged, after)
}

fn genesis_bytes() -> Record {
    let genesis =
        Genesis { log_id: Uuid::from_u128(1), service: "model".into(), partitions: 1, format: FORMAT };
    genesis_record(&genesis, Micros(0)).unwrap()
}

/// The record in the engine's own bytes.
fn record(rec: Rec) -> Record {
    match rec {
        Rec::Claim { term, claim, .. } => {
            let claim_id = Uuid::from_u128(claim.into());
            let claim = Claim { term: term.into(), claim_id, owner: "model".into(), time: Micros(0) };
            claim_record(&claim, Micros(0)).unwrap()
        }
        Rec::Commit { term, claim, pseq, prev, content, .. } => {
            let commit = Commit {
                term: term.into(),
                claim_id: Uuid::from_u128(claim.into()),
                pseq: pseq.into(),
                prev: Digest(prev.to_be_bytes()),
                time: Micros(content.into()),
                cause: Cause::Control { act: "model".into() },
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
    }
}
