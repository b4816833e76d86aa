//! The fold rule once more, written from the design and not from the engine: which records of a partition count.
//!
//! | record | counts | dead | impossible in a log that only grows |
//! |---|---|---|---|
//! | genesis | first | equal to the first | anything else |
//! | claim | term + 1 | term or below | above |
//! | commit | term, claim, pseq + 1, prev | earlier term; other pseq | later term; other claim; other prev |
//! | not marked | | always | |
//! | marked, not readable | | | always |
//! | damaged beside its bytes | | | always |

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    hash::Digest,
    record::{Claim, Commit, FORMAT, Genesis, Record},
    report::Rule,
    source::Stored,
};

/// A reader of one partition.
#[derive(Debug, Clone)]
pub struct Fold {
    service: Arc<str>,
    place: Option<Place>,
}

/// The state after the last record that counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Genesis of the partition.
    pub genesis: Genesis,
    /// The offset of that record.
    pub offset: u64,
    /// The term.
    pub term: u64,
    /// The claim; nil before the first.
    pub claim: Uuid,
    /// The number of the last commit.
    pub pseq: u64,
    /// The digest of the last commit, or of genesis.
    pub digest: Digest,
}

/// What a record is.
#[derive(Debug, Clone)]
pub enum Judged {
    /// It begins the partition.
    Begins(Genesis),
    /// It changes the owner.
    Claims(Claim),
    /// It is effective.
    Effective(Box<Commit>),
    /// It is left over from a late, doubled or lost append.
    Dead,
}

/// A record that cannot be in a sound log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible {
    /// The invariant it breaks.
    pub rule: Rule,
    /// What was found.
    pub found: String,
    /// What belongs there.
    pub expected: String,
}

impl Impossible {
    fn new(rule: Rule, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { rule, found: found.into(), expected: expected.into() }
    }
}

impl Fold {
    /// Before the first record of a partition of this service.
    #[must_use]
    pub fn new(service: impl Into<Arc<str>>) -> Self {
        Self { service: service.into(), place: None }
    }

    /// The state after the last record that counted.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Judges the next record in offset order.
    ///
    /// # Errors
    /// [`Impossible`]: nothing after it can be judged.
    pub fn next(&mut self, stored: &Stored) -> Result<Judged, Impossible> {
        if let Some(damage) = &stored.damage {
            return Err(Impossible::new(Rule::Readable, damage.clone(), "a row as it was written"));
        }
        let Some(mark) = stored.mark else { return Ok(Judged::Dead) };
        let record = read(mark, stored)?;
        let Some(place) = self.place.as_mut() else { return self.begin(record, stored) };
        match record {
            Record::Genesis(again) if again == place.genesis => Ok(Judged::Dead),
            Record::Genesis(other) => Err(Impossible::new(
                Rule::Genesis,
                format!("genesis of log {} again, another one", other.log_id),
                format!("genesis of log {} only", place.genesis.log_id),
            )),
            Record::Claim(claim) => place.claim(claim, stored),
            Record::Commit(commit) => place.commit(commit, stored),
        }
    }

    fn begin(&mut self, record: Record, stored: &Stored) -> Result<Judged, Impossible> {
        let expected = || format!("genesis of service {}", self.service);
        let Record::Genesis(genesis) = record else {
            return Err(Impossible::new(Rule::Genesis, "a log that does not begin with genesis", expected()));
        };
        if genesis.service != self.service {
            let found = format!("genesis of service {}", genesis.service);
            return Err(Impossible::new(Rule::Genesis, found, expected()));
        }
        self.place = Some(Place {
            genesis: genesis.clone(),
            offset: stored.offset,
            term: 0,
            claim: Uuid::nil(),
            pseq: 0,
            digest: Digest::of(&stored.value),
        });
        Ok(Judged::Begins(genesis))
    }
}

impl Place {
    fn claim(&mut self, claim: Claim, stored: &Stored) -> Result<Judged, Impossible> {
        if claim.term <= self.term {
            return Ok(Judged::Dead);
        }
        if claim.term - self.term > 1 {
            let expected = format!("a claim of term {} at most", self.term.saturating_add(1));
            return Err(Impossible::new(Rule::Numbers, format!("a claim of term {}", claim.term), expected));
        }
        self.term = claim.term;
        self.claim = claim.id;
        self.offset = stored.offset;
        Ok(Judged::Claims(claim))
    }

    fn commit(&mut self, commit: Box<Commit>, stored: &Stored) -> Result<Judged, Impossible> {
        if commit.term < self.term {
            return Ok(Judged::Dead);
        }
        if (commit.term, commit.claim) != (self.term, self.claim) {
            let found = format!("a commit of term {} under claim {}", commit.term, commit.claim);
            let expected = format!("term {}, claim {}", self.term, self.claim);
            return Err(Impossible::new(Rule::Numbers, found, expected));
        }
        if Some(commit.pseq) != self.pseq.checked_add(1) {
            return Ok(Judged::Dead);
        }
        if commit.prev != self.digest {
            let found = format!("commit {} on the parent {}", commit.pseq, commit.prev);
            return Err(Impossible::new(Rule::Parent, found, format!("the parent {}", self.digest)));
        }
        self.pseq = commit.pseq;
        self.digest = Digest::of(&stored.value);
        self.offset = stored.offset;
        Ok(Judged::Effective(commit))
    }
}

/// The record, when it is whole and of a format this reader knows.
fn read(mark: u32, stored: &Stored) -> Result<Record, Impossible> {
    if mark > FORMAT {
        let found = format!("a record of format {mark}");
        return Err(Impossible::new(
            Rule::Readable,
            found,
            format!("format {FORMAT} at most: a newer build wrote it"),
        ));
    }
    let sum = crc32c::crc32c(&stored.value);
    if stored.crc != Some(sum) {
        let found = stored.crc.map_or_else(|| "no checksum".into(), |c| format!("checksum {c:08x}"));
        return Err(Impossible::new(Rule::Readable, found, format!("{sum:08x}, that of the bytes")));
    }
    Record::read(&stored.value)
        .map_err(|why| Impossible::new(Rule::Readable, why, "a genesis, a claim or a commit of format 1"))
}
