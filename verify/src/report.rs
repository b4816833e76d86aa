//! What a check says: findings for people, counts, and what is still under way. Knows no rule.

use std::{fmt, sync::Arc};

use crate::record::Peer;

mod rule;

pub use rule::Rule;

/// Findings kept; the rest is only counted.
pub const KEPT: usize = 1_000;

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

/// A saga that has not come to its end: under way, not wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Where it lives.
    pub at: Peer,
    /// Its definition.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// When it was started, in microseconds since 1970; `None` when it was parked before that.
    pub since: Option<i64>,
    /// How it stands.
    pub stage: Stage,
    /// Its nodes that are open: asked, waiting, or in need of a person.
    pub open: Vec<String>,
}

/// How an unfinished saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It will go on by itself.
    Running,
    /// Nothing can move without a person.
    Stuck,
    /// It cannot be run, and keeps its inputs.
    Parked,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Running => "running",
            Stage::Stuck => "stuck",
            Stage::Parked => "parked",
        };
        write!(f, "unfinished: {}/{} on {}, {stage}", self.kind, self.id, self.at)?;
        if self.open.is_empty() { Ok(()) } else { write!(f, ", open: {}", self.open.join(", ")) }
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
    /// Sagas that were started.
    pub sagas: u64,
    /// Sagas that ended completed.
    pub completed: u64,
    /// Sagas that ended compensated.
    pub compensated: u64,
    /// Sagas that a person stopped.
    pub killed: u64,
    /// Sagas that have not ended: running, stuck and parked.
    pub unfinished: u64,
    /// Those of them that are stuck.
    pub stuck: u64,
    /// Those of them that are parked.
    pub parked: u64,
    /// Late answers of participants outside the log whose fence broke: done after undone.
    pub leaks: u64,
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
    /// Sagas that have not ended, at most [`KEPT`]; all of them are counted.
    pub unfinished: Vec<Unfinished>,
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

    pub(crate) fn list(&mut self, saga: Unfinished) {
        let n = &mut self.counts;
        n.unfinished += 1;
        match saga.stage {
            Stage::Running => {}
            Stage::Stuck => n.stuck += 1,
            Stage::Parked => n.parked += 1,
        }
        if self.unfinished.len() < KEPT {
            self.unfinished.push(saga);
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
        for saga in &self.unfinished {
            writeln!(f, "{saga}")?;
        }
        if n.sagas + n.unfinished > 0 {
            writeln!(
                f,
                "{} sagas: {} completed, {} compensated, {} killed, {} unfinished ({} stuck, {} parked); {} leaks",
                n.sagas, n.completed, n.compensated, n.killed, n.unfinished, n.stuck, n.parked, n.leaks
            )?;
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
