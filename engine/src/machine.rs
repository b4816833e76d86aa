//! The shard machine: the pure heart. One input becomes at most one commit; the same inputs in the same order give the
//! same commits. It knows no log, no clock, no runtime: time comes in, commits and effects come out.
//!
//! The state is *speculative*: it runs ahead of what is known to be effective, and is thrown away and folded again from
//! the log when something in flight dies. What leaves the shard waits, outside, until its commit is effective.

use std::{sync::Arc, time::Duration};

use crate::{
    address::EntityKey,
    commit::Peer,
    digest::Digest,
    entity::{Kinds, Unfit},
    machine::rows::Row,
    time::Micros,
};

pub mod channels;
pub mod entities;
pub mod fold;
pub mod ids;
pub mod input;
pub mod known;
pub mod rows;
pub mod runs;
pub mod snapshot;
pub mod timers;

pub mod apply;
mod build;
mod refuse;
mod step;
mod traced;
mod unpark;
mod written;

pub use input::{Directory, Encoded, Incoming, Input, Quiet, Seen, Sent, Step, Stepped};
pub use traced::Handled;

/// A shard's state, and the only place where it changes.
pub struct Machine {
    me: Peer,
    partitions: u32,
    kinds: Kinds,
    directory: Arc<Directory>,
    head: Head,
    low: Low,
    entities: entities::Entities,
    channels: channels::Channels,
    ids: ids::IdWindow,
    timers: timers::Timers,
    runs: runs::Runs,
    /// The share of new traces that is wanted; none when nobody observes.
    observed: Option<f64>,
    /// How long an entity may do nothing before its trace is cut.
    segment_after: Option<Duration>,
    /// Whether somebody counts.
    counted: bool,
}

/// Where the shard stands: what the next commit builds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Term of the claim it writes under.
    pub term: u64,
    /// That claim.
    pub claim_id: uuid::Uuid,
    /// Number of the last commit.
    pub pseq: u64,
    /// Digest of the last commit, or of genesis.
    pub digest: Digest,
    /// Time of the last commit.
    pub time: Micros,
}

/// Where the inbox of a shard resumes.
#[derive(Debug, Clone, Copy, Default)]
struct Low {
    /// The offset after the highest one taken in.
    next: u64,
    /// What the last commit said.
    recorded: u64,
}

impl Machine {
    /// The machine of a shard to which nothing has happened; `digest` is that of genesis.
    #[must_use]
    pub fn new(
        me: Peer,
        kinds: Kinds,
        directory: Arc<Directory>,
        window: ids::WindowSize,
        digest: Digest,
    ) -> Self {
        let partitions = directory.get(&me.service).map_or(1, |(_, n)| n);
        let head = Head { term: 0, claim_id: uuid::Uuid::nil(), pseq: 0, digest, time: Micros(0) };
        Self {
            me,
            partitions,
            kinds,
            directory,
            head,
            low: Low::default(),
            entities: entities::Entities::default(),
            channels: channels::Channels::default(),
            ids: ids::IdWindow::new(window),
            timers: timers::Timers::default(),
            runs: runs::Runs::default(),
            observed: None,
            segment_after: None,
            counted: false,
        }
    }

    /// Somebody observes: whether what is measured is counted; which share of new traces is wanted, if any; how long an entity
    /// may do nothing before its trace is cut, if it ever is.
    pub fn observed(&mut self, counted: bool, ratio: Option<f64>, segment_after: Option<Duration>) {
        (self.counted, self.observed, self.segment_after) = (counted, ratio, segment_after);
    }

    /// Which shard this is.
    #[must_use]
    pub fn me(&self) -> &Peer {
        &self.me
    }

    /// Where it stands.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// From here on commits are written under this claim.
    pub fn claimed(&mut self, term: u64, claim_id: uuid::Uuid) {
        self.head.term = term;
        self.head.claim_id = claim_id;
        self.channels.all_effective();
    }

    /// Genesis was read.
    pub fn begun(&mut self, genesis: Digest) {
        self.head.digest = genesis;
    }

    /// Its channels.
    #[must_use]
    pub fn channels(&self) -> &channels::Channels {
        &self.channels
    }

    /// Its channels, to acknowledge on.
    pub fn channels_mut(&mut self) -> &mut channels::Channels {
        &mut self.channels
    }

    /// Its timers.
    #[must_use]
    pub fn timers(&self) -> &timers::Timers {
        &self.timers
    }

    /// Attempts of activities without an outcome.
    #[must_use]
    pub fn runs(&self) -> &runs::Runs {
        &self.runs
    }

    /// Where the inbox is to be read from.
    #[must_use]
    pub fn inbox_from(&self) -> u64 {
        self.low.recorded
    }

    /// The lowest offset of the inbox that a new owner would still have to read.
    #[must_use]
    pub fn inbox_low(&self) -> u64 {
        self.channels.lowest_held().map_or(self.low.next, |held| held.min(self.low.next))
    }

    /// A record of the inbox was taken in that is no message of a channel, after everything that lies before it.
    pub fn inbox_passed(&mut self, offset: u64) {
        self.low.next = self.low.next.max(offset.saturating_add(1));
    }

    /// The entity an input is for, when it is not in memory.
    #[must_use]
    pub fn missing(&self, input: &Input) -> Option<EntityKey> {
        let key = input.entity()?;
        (!self.entities.has(&key) && self.kinds.get(&key.kind).is_some()).then_some(key)
    }

    /// Takes an entity in: its snapshot row, or nothing when it has none.
    ///
    /// # Errors
    /// When the service has no such kind.
    pub fn load(&mut self, key: &EntityKey, row: Option<&Row>) -> Result<(), Unfit> {
        self.entities.load(&self.kinds, key, row)
    }

    /// Whether the snapshot may have a row of this entity. A no is certain.
    #[must_use]
    pub fn may_be_saved(&self, key: &EntityKey) -> bool {
        self.entities.may_be_saved(key)
    }

    /// What an entity ended with, if it has; and the commit that last changed it.
    pub fn ended(&mut self, key: &EntityKey) -> Option<(u64, Box<serde_json::value::RawValue>)> {
        let slot = self.entities.get(key)?;
        match &slot.state {
            entities::State::Live(state) => state.ended().map(|end| (slot.pseq, end)),
            entities::State::Parked(_) => None,
        }
    }

    /// The commit of a client's id is effective and lies here.
    pub fn located(&mut self, id: uuid::Uuid, offset: u64) {
        self.ids.located(id, offset);
    }
}
