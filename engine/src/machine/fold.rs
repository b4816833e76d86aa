//! The fold rule: the one place that decides whether a record of an `events` partition counts. A pure function of the
//! prefix, so that all readers agree for ever.
//!
//! | record | counts when | dead when | a violation when |
//! |---|---|---|---|
//! | genesis | it is the first record | it repeats the first | it differs from the first or from what was expected |
//! | claim | `term` is the current one + 1 | `term` is not above the current one | `term` is higher still |
//! | commit | of the current claim, `pseq` + 1, `prev` = digest | of an earlier term, or another `pseq` of this claim | of a later term, of this term under another claim, or the right `pseq` on another parent |
//! | without our mark | never | always | |
//! | with our mark, unreadable | never | never | always |
//!
//! Dead is what late, doubled and lost appends leave behind. A violation is what a log that only grows cannot contain:
//! it was truncated, restored or damaged, or it is another log. Whoever meets one stops.

use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use crate::{
    codec::{self, Entry, Unreadable},
    commit::{Claim, Commit, Genesis},
    digest::Digest,
    position::Position,
    record::Record,
};

/// A reader's place in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    shard: u32,
    expected: Expected,
    at: Option<Position>,
    next: u64,
}

/// What the genesis of a partition must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The service.
    pub service: Arc<str>,
    /// The log's identity, when it is already known.
    pub log_id: Option<Uuid>,
    /// The number of shards, when it is already known.
    pub partitions: Option<u32>,
}

/// What a record is under the rule.
#[derive(Debug)]
pub enum Verdict {
    /// The first record.
    Genesis(Genesis),
    /// The shard has a new owner from here on.
    Claim(Claim),
    /// The effect of one input.
    Commit(Box<Commit>),
    /// It does not count.
    Dead(Dead),
}

/// Why a record does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dead {
    /// A foreign writer's.
    Unmarked,
    /// Genesis again.
    GenesisAgain,
    /// A claim that came too late.
    LateClaim,
    /// A commit of an owner that had been replaced.
    LateCommit,
    /// A commit that comes twice.
    Doubled,
    /// A commit whose predecessor was lost.
    Orphaned,
}

impl Dead {
    /// Its name in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unmarked => "no_mark",
            Self::LateClaim | Self::LateCommit => "old_term",
            Self::GenesisAgain | Self::Doubled => "duplicate",
            Self::Orphaned => "hole",
        }
    }
}

/// What a log that only grows cannot contain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{service}.events/{shard}, record {offset}: {what}; the last record that counted is {after}")]
pub struct Violation {
    /// The service.
    pub service: Arc<str>,
    /// The partition.
    pub shard: u32,
    /// The record that cannot be.
    pub offset: u64,
    /// What it is.
    pub what: What,
    /// The record before it that counted, as text.
    pub after: String,
}

/// The ways in which a record can be impossible.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum What {
    /// It is ours and cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The first record is no genesis.
    #[error("the log does not begin with genesis: its beginning is gone, or this is no log of ours")]
    NoGenesis,
    /// Genesis is not the one expected.
    #[error("genesis is of another log: found {found}, expected {expected}")]
    OtherGenesis {
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// A claim skips a term.
    #[error("claim of term {found} where term {expected} was next: records are missing")]
    FutureClaim {
        /// Its term.
        found: u64,
        /// The next term.
        expected: u64,
    },
    /// A commit of a term that has not begun.
    #[error("commit of term {found} in term {current}: records are missing")]
    FutureCommit {
        /// Its term.
        found: u64,
        /// The current term.
        current: u64,
    },
    /// Two claims in one term.
    #[error("commit under claim {found} in term {term}, which belongs to claim {current}")]
    OtherClaim {
        /// The term of both.
        term: u64,
        /// The commit's claim.
        found: Uuid,
        /// The claim that counted.
        current: Uuid,
    },
    /// The right number on another parent.
    #[error("commit {pseq} names {found} as its predecessor, which is {expected}: the log was changed")]
    OtherParent {
        /// Its number.
        pseq: u64,
        /// What it names.
        found: Digest,
        /// What precedes it.
        expected: Digest,
    },
}

impl Fold {
    /// A reader before the first record.
    #[must_use]
    pub fn start(shard: u32, expected: Expected) -> Self {
        Self { shard, expected, at: None, next: 0 }
    }

    /// A reader after the record of this position, which must have been read again and compared ([`matches()`]).
    #[must_use]
    pub fn resume(shard: u32, expected: Expected, at: Position) -> Self {
        let next = at.offset.saturating_add(1);
        Self { shard, expected: Expected { log_id: Some(at.log_id), ..expected }, at: Some(at), next }
    }

    /// The last record that counted, and the state after it; `None` before genesis.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.at.as_ref()
    }

    /// Where reading goes on: after the last record judged, dead ones too.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.next
    }

    /// Moves over a commit of one's own whose record is known to lie right after the last one judged: no claim can lie
    /// between, so it counts (`design.md`, acknowledging by adjacency). Returns false when it does not lie there.
    #[must_use]
    pub fn adjacent(&mut self, offset: u64, pseq: u64, digest: Digest) -> bool {
        match &mut self.at {
            Some(at)
                if (offset == self.next || zoo!("gap-not-read")) && pseq == at.pseq.saturating_add(1) =>
            {
                at.offset = offset;
                at.pseq = pseq;
                at.digest = digest;
                self.next = offset.saturating_add(1);
                true
            }
            _ => false,
        }
    }

    /// Judges the next record. Records must come in offset order.
    ///
    /// # Errors
    /// [`Violation`]: the shard must stop.
    pub fn take(&mut self, offset: u64, record: &Record) -> Result<Verdict, Violation> {
        match self.judge(offset, record) {
            Ok((verdict, after)) => {
                if let Verdict::Genesis(genesis) = &verdict {
                    self.expected.partitions = Some(genesis.partitions);
                }
                if after.is_some() {
                    self.at = after;
                }
                self.next = offset.saturating_add(1);
                Ok(verdict)
            }
            Err(what) => Err(Violation {
                service: Arc::clone(&self.expected.service),
                shard: self.shard,
                offset,
                what,
                after: self.at.as_ref().map_or_else(|| "none".into(), describe),
            }),
        }
    }

    fn judge(&self, offset: u64, record: &Record) -> Result<(Verdict, Option<Position>), What> {
        let dead = |why| Ok((Verdict::Dead(why), None));
        let entry = match codec::decode(record) {
            Ok(Some(entry)) => entry,
            Ok(None) => return dead(Dead::Unmarked),
            Err(_) if zoo!("unreadable-taken-as-dead") => return dead(Dead::Unmarked),
            Err(unreadable) => return Err(unreadable.into()),
        };
        let Some(at) = &self.at else {
            let Entry::Genesis(genesis) = entry else { return Err(What::NoGenesis) };
            return self.genesis(offset, record, genesis);
        };
        match entry {
            Entry::Genesis(g) => {
                self.check_genesis(&g)?;
                dead(Dead::GenesisAgain)
            }
            Entry::Claim(c) if c.term == at.term && c.term > 0 && zoo!("claim-of-the-same-term") => {
                let after = Position { offset, claim_id: c.claim_id, ..at.clone() };
                Ok((Verdict::Claim(c), Some(after)))
            }
            Entry::Claim(c) if c.term <= at.term => {
                sometimes!("claim dead");
                dead(Dead::LateClaim)
            }
            Entry::Claim(c) if c.term == at.term.saturating_add(1) => {
                let after = Position { offset, term: c.term, claim_id: c.claim_id, ..at.clone() };
                Ok((Verdict::Claim(c), Some(after)))
            }
            Entry::Claim(_) if zoo!("future-claim-taken-as-dead") => dead(Dead::LateClaim),
            Entry::Claim(c) => Err(What::FutureClaim { found: c.term, expected: at.term.saturating_add(1) }),
            Entry::Commit(c) if c.term < at.term && !zoo!("zombie-commit-counts") => {
                sometimes!("zombie commit dead");
                dead(Dead::LateCommit)
            }
            Entry::Commit(c) if c.term > at.term => {
                Err(What::FutureCommit { found: c.term, current: at.term })
            }
            Entry::Commit(c) if c.claim_id != at.claim_id && !zoo!("zombie-commit-counts") => {
                Err(What::OtherClaim { term: c.term, found: c.claim_id, current: at.claim_id })
            }
            Entry::Commit(c) if c.pseq > at.pseq && zoo!("number-skipped") => {
                let digest = Digest::of(&record.value);
                let after = Position { offset, pseq: c.pseq, digest, ..at.clone() };
                Ok((Verdict::Commit(c), Some(after)))
            }
            Entry::Commit(c) if c.pseq != at.pseq.saturating_add(1) => {
                sometimes!("doubled or skipped commit dead");
                dead(if c.pseq > at.pseq { Dead::Orphaned } else { Dead::Doubled })
            }
            Entry::Commit(c) if c.prev != at.digest && !zoo!("parent-not-compared") => {
                Err(What::OtherParent { pseq: c.pseq, found: c.prev, expected: at.digest })
            }
            Entry::Commit(c) => {
                let digest = Digest::of(&record.value);
                let after = Position { offset, pseq: c.pseq, digest, ..at.clone() };
                Ok((Verdict::Commit(c), Some(after)))
            }
        }
    }

    fn genesis(
        &self,
        offset: u64,
        record: &Record,
        genesis: Genesis,
    ) -> Result<(Verdict, Option<Position>), What> {
        self.check_genesis(&genesis)?;
        let after = Position {
            log_id: genesis.log_id,
            offset,
            term: 0,
            claim_id: Uuid::nil(),
            pseq: 0,
            digest: Digest::of(&record.value),
        };
        Ok((Verdict::Genesis(genesis), Some(after)))
    }

    fn check_genesis(&self, found: &Genesis) -> Result<(), What> {
        let Expected { service, log_id, partitions } = &self.expected;
        let known = self.at.as_ref().map(|p| p.log_id).or(*log_id);
        let same = found.service == *service
            && known.is_none_or(|id| id == found.log_id)
            && partitions.is_none_or(|n| n == found.partitions);
        if same {
            return Ok(());
        }
        let text = |service: &str, id: Option<Uuid>, n: Option<u32>| {
            let id = id.map_or_else(|| "any".into(), |i| i.to_string());
            format!("service {service:?}, log {id}, partitions {}", n.map_or("any".into(), |n| n.to_string()))
        };
        Err(What::OtherGenesis {
            found: text(&found.service, Some(found.log_id), Some(found.partitions)),
            expected: text(service, known, *partitions),
        })
    }
}

/// Whether the record at a position's offset is the one it was taken from: it is read again before a position is used.
///
/// # Errors
/// What differs, as text for people.
pub fn matches(at: &Position, record: &Record) -> Result<(), String> {
    let entry = codec::decode(record).map_err(|e| e.to_string())?;
    let same = match &entry {
        Some(Entry::Genesis(g)) => {
            g.log_id == at.log_id && at.term == 0 && at.pseq == 0 && Digest::of(&record.value) == at.digest
        }
        Some(Entry::Claim(c)) => c.term == at.term && c.claim_id == at.claim_id,
        Some(Entry::Commit(c)) => {
            (c.term, c.claim_id, c.pseq) == (at.term, at.claim_id, at.pseq)
                && Digest::of(&record.value) == at.digest
        }
        None => false,
    };
    if same {
        return Ok(());
    }
    let found = match entry {
        Some(Entry::Genesis(g)) => format!("genesis of log {}", g.log_id),
        Some(Entry::Claim(c)) => format!("claim {} of term {}", c.claim_id, c.term),
        Some(Entry::Commit(c)) => format!("commit {} of term {}, claim {}", c.pseq, c.term, c.claim_id),
        None => "a record that is not ours".into(),
    };
    Err(format!("found {found}, expected {}", describe(at)))
}

fn describe(at: &Position) -> String {
    format!(
        "record {} of log {} (term {}, claim {}, commit {}, digest {})",
        at.offset, at.log_id, at.term, at.claim_id, at.pseq, at.digest
    )
}
