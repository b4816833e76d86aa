//! The invariants that a log must keep, one file a concept. Each takes effective commits in the order of their shard and
//! says what must not be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use uuid::Uuid;

use crate::{
    graph::Graph,
    reader::Effective,
    record::{Genesis, Peer},
    report::{Finding, Report, Rule},
};

mod channels;
mod clients;
mod entities;
mod runs;
mod sagas;
mod timers;
mod times;

pub(crate) use channels::{Answer, Channels};

/// The logs that are there, by service; and what the caller knows of the definitions of sagas.
#[derive(Debug)]
pub(crate) struct Logs<'a> {
    services: BTreeMap<Arc<str>, (Uuid, u32)>,
    broken: BTreeSet<(Arc<str>, u32)>,
    graphs: &'a [Graph],
}

impl<'a> Logs<'a> {
    /// None yet.
    pub(crate) fn of(graphs: &'a [Graph]) -> Self {
        Self { services: BTreeMap::new(), broken: BTreeSet::new(), graphs }
    }

    /// The graph of a definition's version, when the caller gave it.
    fn graph(&self, definition: &str, version: u32) -> Option<&'a Graph> {
        self.graphs.iter().find(|graph| graph.is(definition, version))
    }

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
    sagas: sagas::Sagas,
}

impl Shard {
    /// Takes the shard's next effective commit; says which answer a saga took it for.
    pub(crate) fn take(&mut self, at: &Effective, logs: &Logs<'_>, report: &mut Report) -> Option<Answer> {
        report.counts.commits += 1;
        report.counts.events += u64::try_from(at.commit.events.len()).unwrap_or(0);
        self.entities.take(at, logs, report);
        self.clients.take(at, report);
        self.times.take(at, report);
        self.timers.take(at, report);
        self.runs.take(at, report);
        self.sagas.take(at, logs, report)
    }

    /// Counts what is left at the end, and finds what will be waited for in vain.
    pub(crate) fn finish(self, channels: &Channels, logs: &Logs<'_>, report: &mut Report) {
        report.counts.entities += self.entities.count();
        report.counts.timers_set += self.timers.count();
        report.counts.runs_open += self.runs.count();
        self.sagas.finish(channels, logs, report);
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
