//! What the shards of a node are doing, as data: what a readiness check asks. Knows no network and decides nothing.
//!
//! | from | when | to |
//! |---|---|---|
//! | `Starting`, `Away` | the node is given the shard | `Recovering` |
//! | `Starting` | the group has spoken, and did not give it to the node | `Away` |
//! | `Recovering` | it is read and claimed | `Serving` |
//! | `Serving` | its owner must begin again: a claim is lost, an outcome is unknown | `Recovering` |
//! | `Recovering`, `Serving` | it is to be given up, or the node stops | `Draining` |
//! | `Draining` | what was in flight is finished | `Away` |
//! | any of them | the shard must not go on | `Stopped` |
//!
//! Beside its stage a shard may have *troubles*: what does not end its work and somebody should look at. Each has a source
//! that says when it is over; those of an owner end with it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::commit::Peer;

/// What a shard is doing on this node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Stage {
    /// The group has not said yet who is to have it.
    #[default]
    Starting,
    /// It is read from the log and claimed; commands wait.
    Recovering,
    /// Commands are decided.
    Serving,
    /// It is given up: what is in flight is finished, nothing new is taken.
    Draining,
    /// It was given up, or not given to the node: another may have it.
    Away,
    /// It must not go on; the others do.
    Stopped {
        /// Why, for people.
        why: Arc<str>,
    },
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => write!(f, "starting"),
            Self::Recovering => write!(f, "recovering"),
            Self::Serving => write!(f, "serving"),
            Self::Draining => write!(f, "draining"),
            Self::Away => write!(f, "away"),
            Self::Stopped { why } => write!(f, "stopped: {why}"),
        }
    }
}

/// A shard of a node and what it is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardHealth {
    /// Its service.
    pub service: Arc<str>,
    /// Its number.
    pub shard: u32,
    /// What it is doing.
    pub stage: Stage,
    /// What goes wrong meanwhile, for people.
    pub trouble: Option<Arc<str>>,
}

impl fmt::Display for ShardHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} is {}", self.service, self.shard, self.stage)?;
        self.trouble.as_ref().map_or(Ok(()), |trouble| write!(f, "; {trouble}"))
    }
}

/// All shards of a node's services.
#[derive(Default)]
pub(crate) struct Health(Mutex<BTreeMap<Peer, State>>);

#[derive(Default)]
struct State {
    stage: Stage,
    troubles: BTreeMap<Source, Arc<str>>,
}

/// Where a trouble comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The group of the service cannot be followed.
    Group,
    /// The shard cannot be recovered or claimed.
    Taking,
    /// The end of its log cannot be seen.
    Log,
    /// Its inbox cannot be read.
    Inbox,
    /// Its owner makes no progress.
    Still,
}

impl Health {
    /// Of these shards, none of which was given to the node yet.
    pub(crate) fn of(shards: impl Iterator<Item = Peer>) -> Self {
        Self(Mutex::new(shards.map(|shard| (shard, State::default())).collect()))
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<Peer, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, shard: &Peer, stage: Stage) {
        let mut states = self.states();
        let state = states.entry(shard.clone()).or_default();
        match stage {
            Stage::Serving => drop(state.troubles.remove(&Source::Taking)),
            Stage::Recovering => state.troubles.retain(|source, _| *source <= Source::Taking),
            _ => {}
        }
        state.stage = stage;
    }

    /// The group has spoken: another may have it, if the node has not.
    pub(crate) fn known(&self, shard: &Peer) {
        let mut states = self.states();
        let state = states.entry(shard.clone()).or_default();
        if state.stage == Stage::Starting {
            state.stage = Stage::Away;
        }
    }

    /// Something goes wrong with it that does not end its work.
    pub(crate) fn trouble(&self, shard: &Peer, source: Source, what: impl Into<Arc<str>>) {
        self.states().entry(shard.clone()).or_default().troubles.insert(source, what.into());
    }

    /// It is over.
    pub(crate) fn recovered(&self, shard: &Peer, source: Source) {
        self.states().entry(shard.clone()).or_default().troubles.remove(&source);
    }

    /// Nothing goes wrong with its owner any more: there is none.
    pub(crate) fn at_peace(&self, shard: &Peer) {
        self.states().entry(shard.clone()).or_default().troubles.retain(|source, _| *source == Source::Group);
    }

    pub(crate) fn has_stopped(&self, shard: &Peer) -> bool {
        self.states().get(shard).is_some_and(|state| matches!(state.stage, Stage::Stopped { .. }))
    }

    /// It is to be given up; nothing, when it has ended already.
    pub(crate) fn drain(&self, shard: &Peer) {
        if let Some(state) = self.states().get_mut(shard)
            && matches!(state.stage, Stage::Recovering | Stage::Serving)
        {
            state.stage = Stage::Draining;
        }
    }

    pub(crate) fn shards(&self) -> Vec<ShardHealth> {
        let shard = |(peer, state): (&Peer, &State)| ShardHealth {
            service: Arc::clone(&peer.service),
            shard: peer.shard,
            stage: state.stage.clone(),
            trouble: together(&state.troubles),
        };
        self.states().iter().map(shard).collect()
    }
}

fn together(troubles: &BTreeMap<Source, Arc<str>>) -> Option<Arc<str>> {
    let all: Vec<&str> = troubles.values().map(|what| &**what).collect();
    (!all.is_empty()).then(|| all.join("; ").into())
}
