//! What an owner is given: its place, the ports it works through, its limits. Plain data.

use std::{sync::Arc, time::Duration};

use super::{Gauges, Pulse};
use crate::{
    activity::Performers,
    clock::{Clock, Ids},
    commit::Peer,
    entity::Kinds,
    health::Health,
    log::Log,
    machine::{Directory, fold::Dead, ids::WindowSize},
    relay::Router,
    snapshots::SnapshotStore,
    tail::Tail,
    telemetry::{Fact, Telemetry},
};

/// The shard, and what lives on it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) me: Peer,
    pub(crate) node: Arc<str>,
    pub(crate) kinds: Kinds,
    pub(crate) performers: Performers,
    pub(crate) directory: Arc<Directory>,
    pub(crate) health: Arc<Health>,
    pub(crate) pulse: Pulse,
    pub(crate) gauges: Gauges,
}

/// The ports.
#[derive(Clone)]
pub(crate) struct Ports {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) store: Arc<dyn SnapshotStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) router: Arc<Router>,
    pub(crate) tail: Tail,
    pub(crate) counts: Arc<super::Counts>,
    pub(crate) telemetry: Telemetry,
}

impl Ports {
    /// A record of this shard was met that does not count.
    pub(super) fn dead(&self, shard: &Peer, why: Dead) {
        self.counts.dead();
        self.telemetry.fact(&shard.service, || Fact::Dead(why));
        if why == Dead::Unmarked {
            tracing::warn!(
                service = %shard.service, shard = shard.shard,
                "a record without our mark lies in an events partition: another program writes there"
            );
        }
    }
}

/// The limits of an owner. Every one has a name here and an outcome where it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Commands waiting for a shard; beyond it a caller is told `Overloaded`.
    pub queue: usize,
    /// Commits in flight on a shard.
    pub pipeline: usize,
    /// Messages handed to one receiver and not yet acknowledged.
    pub window: u64,
    /// Commits after which a snapshot is taken.
    pub snapshot_commits: u64,
    /// Time after which a snapshot of what changed is taken.
    pub snapshot_after: Duration,
    /// How often an idle owner looks at the end of its partition, and a stalled channel is advertised.
    pub look: Duration,
    /// How long an owner waits for its own claim, or for its own commit, to appear when it reads.
    pub patience: Duration,
    /// How long an owner whose shard moves goes on serving until it meets the claim of the next one.
    pub hand_over: Duration,
    /// How long a node fails to serve a shard, or an owner makes no progress, before the node leaves the group for a while.
    pub unable: Duration,
    /// The window of client ids.
    pub ids: WindowSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 1_024,
            pipeline: 64,
            window: 4_096,
            snapshot_commits: 10_000,
            snapshot_after: Duration::from_secs(30),
            look: Duration::from_millis(500),
            patience: Duration::from_secs(5),
            hand_over: Duration::from_secs(5),
            unable: Duration::from_secs(30),
            ids: WindowSize::default(),
        }
    }
}
