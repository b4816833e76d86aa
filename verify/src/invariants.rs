//! The invariants that a log must keep, one file a concept. Each takes effective commits in the order of their shard and
//! says what must not be. What a saga's own journal promises is read from its events and is not checked here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use uuid::Uuid;

use crate::{
    reader::Effective,
    record::{Genesis, Peer},
    report::{Finding, Report, Rule},
};

mod channels;
mod clients;
mod entities;
mod runs;
mod timers;
mod times;

pub(crate) use channels::Channels;

/// The logs that are there, by service.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    services: BTreeMap<Arc<str>, (Uuid, u32)>,
    broken: BTreeSet<(Arc<str>, u32)>,
}

impl Logs {
    /// A log is there.
    pub(crate) fn add(&mut self, genesis: &Genesis) {
        self.services.insert(Arc::clone(&genesis.service), (genesis.log_id, genesis.partitions));
    }

    /// A partition could be read to an impossible record only.
    pub(crate) fn broken(&mut self, service: &Arc<str>, shard: u32) {
        self.broken.insert((Arc::clone(service), shard));
    }

    /// How many partitions the log of a peer has, when it is here.
    fn partitions(&self, service: &str, log_id: Uuid) -> Option<u32> {
        self.services.get(service).filter(|(id, _)| *id == log_id).map(|(_, n)| *n)
    }

    /// Whether all records of this shard were read.
    fn whole(&self, peer: &Peer) -> bool {
        self.partitions(&peer.service, peer.log_id).is_some()
            && !self.broken.contains(&(Arc::clone(&peer.service), peer.shard))
    }
}

/// The invariants of one shard.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    entities: entities::Entities,
    clients: clients::Clients,
    times: times::Times,
    timers: timers::Timers,
    runs: runs::Runs,
}

impl Shard {
    /// Takes the shard's next effective commit.
    pub(crate) fn take(&mut self, at: &Effective, logs: &Logs, report: &mut Report) {
        report.counts.commits += 1;
        report.counts.events += u64::try_from(at.commit.events.len()).unwrap_or(0);
        self.entities.take(at, logs, report);
        self.clients.take(at, report);
        self.times.take(at, report);
        self.timers.take(at, report);
        self.runs.take(at, report);
    }

    /// Counts what is left at the end.
    pub(crate) fn finish(self, report: &mut Report) {
        report.counts.entities += self.entities.count();
        report.counts.timers_set += self.timers.count();
        report.counts.runs_open += self.runs.count();
    }
}

/// Says that this commit breaks a rule.
fn broken(report: &mut Report, at: &Effective, rule: Rule, found: String, expected: String) {
    let (service, shard, offset) = (Arc::clone(&at.at.service), at.at.shard, Some(at.offset));
    report.find(Finding { rule, service, shard, offset, found, expected });
}

fn len<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

fn count<K, V>(items: &BTreeMap<K, V>) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
