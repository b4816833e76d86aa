//! What a check says: findings for people, counts, and what is still under way. Knows no rule.

use std::{fmt, sync::Arc};

use crate::record::Peer;

/// Findings kept; the rest is only counted.
pub const KEPT: usize = 1_000;

/// The invariants, by the names they have in the description of what is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A1: an entity's events are 1, 2, 3..
    Versions,
    /// A2: numbers and terms of a partition.
    Numbers,
    /// A3: every commit names the one before it.
    Parent,
    /// A5: what is refused changes nothing.
    Refusals,
    /// A6: an id is executed once.
    Ids,
    /// A9: every record can be read, and none is missing.
    Readable,
    /// One genesis, the same everywhere (CX5).
    Genesis,
    /// Entities live on the shard of their hash (CX23).
    Placement,
    /// C1: a channel delivers 1, 2, 3.. once each, the bytes that were sent.
    Channel,
    /// C3: nothing is accepted that was not sent, nothing closed that was not accepted.
    Safe,
    /// T1: a timer fires when it is due, not before.
    Due,
    /// T2 and T4: a timer fires once, and only while it is set.
    Fired,
    /// T5: times rise in a shard, and from cause to effect.
    Time,
    /// S9: an effect is asked for once a round, as it was recorded; an attempt is intended once and ends once.
    Effects,
}

impl Rule {
    /// The rule's short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Versions => "A1",
            Self::Numbers => "A2",
            Self::Parent => "A3",
            Self::Refusals => "A5",
            Self::Ids => "A6",
            Self::Readable => "A9",
            Self::Genesis => "genesis",
            Self::Placement => "placement",
            Self::Channel => "C1",
            Self::Safe => "C3",
            Self::Due => "T1",
            Self::Fired => "T2",
            Self::Time => "T5",
            Self::Effects => "S9",
        }
    }
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule it breaks.
    pub rule: Rule,
    /// The service.
    pub service: Arc<str>,
    /// The shard.
    pub shard: u32,
    /// The record; `None` when it is about the whole partition.
    pub offset: Option<u64>,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.events/{}", self.rule.name(), self.service, self.shard)?;
        if let Some(offset) = self.offset {
            write!(f, ", record {offset}")?;
        }
        write!(f, ": {}; expected {}", self.found, self.expected)
    }
}

/// A message that was sent and is not yet accepted: under way, not wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSend {
    /// The sender.
    pub from: Peer,
    /// The receiver.
    pub to: Peer,
    /// The first number not accepted.
    pub first: u64,
    /// The last number sent.
    pub last: u64,
}

impl fmt::Display for OpenSend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "open: {} to {}, messages {} to {}", self.from, self.to, self.first, self.last)
    }
}

/// How much was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Partitions.
    pub partitions: u64,
    /// Records of any kind.
    pub records: u64,
    /// Claims that counted.
    pub claims: u64,
    /// Effective commits.
    pub commits: u64,
    /// Dead records.
    pub dead: u64,
    /// Events.
    pub events: u64,
    /// Entities that have events.
    pub entities: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Messages of channels whose sender's log is not here, or could not be read so far: not compared.
    pub not_compared: u64,
    /// Timers that are set at the end.
    pub timers_set: u64,
    /// Attempts of activities that have not ended.
    pub runs_open: u64,
    /// Findings beyond those that are kept.
    pub more_findings: u64,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What must not be, in the order it was met; at most [`KEPT`].
    pub findings: Vec<Finding>,
    /// Messages under way.
    pub open: Vec<OpenSend>,
    /// How much was read.
    pub counts: Counts,
}

impl Report {
    /// Whether nothing was found. A log without records is clean too: look at the counts.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(crate) fn find(&mut self, finding: Finding) {
        if self.findings.len() < KEPT {
            self.findings.push(finding);
        } else {
            self.counts.more_findings += 1;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let n = &self.counts;
        if n.more_findings > 0 {
            writeln!(f, "and {} more", n.more_findings)?;
        }
        for open in &self.open {
            writeln!(f, "{open}")?;
        }
        write!(
            f,
            "{} findings in {} records of {} partitions: {} commits, {} claims, {} dead; {} events of {} entities; \
             {} messages sent, {} accepted, {} not compared; {} timers set, {} attempts open",
            self.findings.len() as u64 + n.more_findings,
            n.records,
            n.partitions,
            n.commits,
            n.claims,
            n.dead,
            n.events,
            n.entities,
            n.sent,
            n.accepted,
            n.not_compared,
            n.timers_set,
            n.runs_open
        )
    }
}
