//! The handle on a running projection: how far each shard is, waiting for one's own writes, what is parked, stopping.
//! Runners tell it where they are, and do what it asks of parked keys.

use std::{sync::Arc, time::Duration};

use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use uuid::Uuid;

use super::{
    Source,
    desk::Desk,
    parking::{Door, What},
};
use crate::{
    checkpoint::{Act, ApplyError, Class, Parked, Said, ShardStatus, State},
    clock::Clock,
    news::Hearer,
    position::Token,
    tail::Tail,
    time::Micros,
};

/// How long a question to a database that is away waits to be asked again.
const AGAIN: Duration = Duration::from_millis(50);

/// A running projection. Cheap to clone; when the last clone is dropped, it stops.
#[derive(Clone)]
pub struct ReadModel(Arc<Shared>);

struct Shared {
    name: &'static str,
    version: u32,
    source: Source,
    shards: Vec<Shard>,
    desk: Arc<dyn Desk>,
    /// When it was started.
    since: Micros,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
    tasks: TaskTracker,
}

/// The runner of one shard, seen from the handle.
#[derive(Clone)]
pub(super) struct Shard {
    pub(super) status: Hearer<ShardStatus>,
    pub(super) door: Door,
}

/// The end of a wait for one's own writes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the read model may not show the write yet"]
pub enum Waited {
    /// The tables hold everything up to the token, and the token's own commit.
    Reached,
    /// Not within the time given.
    NotYet {
        /// Number of the last commit of the shard that is in the tables.
        pseq: u64,
        /// How many commits are missing before the token is reached.
        lag: u64,
        /// What the shard's runner does.
        state: State,
    },
    /// The tables are past the token, and its commit is not in them: an event before it, or of it, cannot be taken.
    Parked {
        /// The key that is set aside.
        key: String,
    },
    /// The token is not of the log that this read model follows: it is dead, not late.
    WrongLog {
        /// The service and log followed.
        follows: (Arc<str>, Uuid),
    },
    /// The shard's runner stands still, so the token will not be reached.
    Stopped {
        /// Why, and what to do.
        reason: Arc<str>,
    },
}

impl ReadModel {
    pub(super) fn new(
        (name, version): (&'static str, u32),
        source: Source,
        shards: Vec<Shard>,
        desk: Arc<dyn Desk>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let (_stop_when_dropped, since) = (stop.clone().drop_guard(), source.clock.now());
        Self(Arc::new(Shared { name, version, source, shards, desk, since, stop, _stop_when_dropped, tasks }))
    }

    /// The projection's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.0.version
    }

    pub(super) fn desk(&self) -> &dyn Desk {
        &*self.0.desk
    }

    /// Whether it is the version that readers see.
    pub(super) fn is_active(&self) -> bool {
        self.0.desk.board().active(self.0.name, self.0.version).get() == self.0.version
    }

    pub(super) fn tail(&self) -> &Tail {
        &self.0.source.tail
    }

    /// When it was started.
    pub(super) fn since(&self) -> Micros {
        self.0.since
    }

    /// The clock that it runs by.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.source.clock)
    }

    /// The service it follows.
    #[must_use]
    pub fn service(&self) -> &Arc<str> {
        &self.0.source.service
    }

    /// Where each shard is, in order.
    #[must_use]
    pub fn status(&self) -> Vec<ShardStatus> {
        self.0.shards.iter().map(|shard| shard.status.get()).collect()
    }

    /// Waits until the tables that readers see hold the effects of the answer that gave this token, at most `within`.
    /// When readers are moved to another version, it goes on waiting for that one.
    pub async fn wait_for(&self, token: &Token, within: Duration) -> Waited {
        let Source { service, log_id, clock, .. } = &self.0.source;
        let known = token.service == *service && token.log_id == *log_id && self.shard(token.shard).is_ok();
        if !known {
            return Waited::WrongLog { follows: (Arc::clone(service), *log_id) };
        }
        let until = clock.now().plus(within);
        let mut active = self.0.desk.board().active(self.0.name, self.0.version);
        loop {
            let active_now = active.take();
            let version = if zoo!("token-of-a-version-nobody-reads") { self.0.version } else { active_now };
            tokio::select! {
                biased;
                // The board lives as long as the database.
                true = active.changed() => sometimes!("wait went on in another version"),
                waited = self.wait_in(version, token, until) => if active.get() == active_now { return waited },
            }
        }
    }

    /// The same, of one version.
    async fn wait_in(&self, version: u32, token: &Token, until: Micros) -> Waited {
        let Source { service, clock, .. } = &self.0.source;
        let stopped = |why: &str| {
            let reason = format!("readers see version {version} of {}, on {service}: {why}", self.0.name);
            Waited::Stopped { reason: reason.into() }
        };
        let Some(mut status) = self.status_of(version, token.shard) else {
            return stopped("it does not run here");
        };
        loop {
            let now = status.take();
            let pseq = now.position.map_or(0, |p| p.pseq);
            match now.state {
                _ if pseq >= token.pseq && (now.parked == 0 || zoo!("reached-though-parked")) => {
                    return Waited::Reached;
                }
                _ if pseq + 1 == token.pseq && zoo!("reached-one-too-early") => return Waited::Reached,
                _ if pseq >= token.pseq => return self.past(version, token, until).await,
                State::Stopped { why } => return stopped(&why),
                state if clock.now() >= until => {
                    return Waited::NotYet { pseq, lag: token.pseq.saturating_sub(pseq), state };
                }
                _ => {}
            }
            sometimes!("token waited for");
            tokio::select! {
                biased;
                told = status.changed() => if !told {
                    return stopped("the runner is gone: its task has ended");
                },
                () = clock.wait_until(until) => {}
            }
        }
    }

    fn status_of(&self, version: u32, shard: u32) -> Option<Hearer<ShardStatus>> {
        if version == self.0.version {
            return Some(self.shard(shard).ok()?.status);
        }
        self.0.desk.board().shard(self.0.name, version, &self.0.source.service, shard)
    }

    /// The tables are past the token: whether its commit is in them, or is held back.
    async fn past(&self, version: u32, token: &Token, until: Micros) -> Waited {
        let clock = &self.0.source.clock;
        loop {
            match self.0.desk.holder(version, token.shard, token.pseq).await {
                Ok(Some(key)) => {
                    sometimes!("token held back by a parked key");
                    return Waited::Parked { key };
                }
                Ok(None) => return Waited::Reached,
                Err(e) if e.class != Class::Outage => return Waited::Stopped { reason: e.what },
                Err(e) if clock.now() >= until => {
                    let state = State::Retrying { why: e.what };
                    return Waited::NotYet { pseq: token.pseq, lag: 0, state };
                }
                Err(_) => clock.pass(AGAIN.min(until.since(clock.now()))).await,
            }
        }
    }

    /// The keys that are parked, by shard and key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked(&self) -> Result<Vec<Parked>, ApplyError> {
        self.0.desk.parked().await
    }

    /// What people did to this projection, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn acts(&self) -> Result<Vec<Act>, ApplyError> {
        self.0.desk.acts().await
    }

    /// Tries a parked key again: its events are taken from the log, in order, while later ones are held, until none is.
    /// Returns when that is decided and recorded, not when it is done.
    ///
    /// # Errors
    /// When the key is not parked there, the database is away, or the shard's runner stands still.
    pub async fn retry(&self, shard: u32, key: &str, said: &Said) -> Result<(), ApplyError> {
        self.ask(shard, What::Retry(key.to_owned()), said).await.map(|_| ())
    }

    /// Tries all keys again that are parked for this cause, in all shards: how many they are.
    ///
    /// # Errors
    /// When the database is away or a shard's runner stands still. The shards before that one were asked.
    pub async fn retry_cause(&self, cause: &str, said: &Said) -> Result<usize, ApplyError> {
        let mut keys: usize = 0;
        for shard in 0..self.0.source.partitions {
            let more = self.ask(shard, What::RetryCause(cause.to_owned()), said).await?;
            keys = keys.saturating_add(more);
        }
        Ok(keys)
    }

    /// Leaves one event out of the tables for good, the first one that the key holds, and tries the rest.
    ///
    /// # Errors
    /// As [`ReadModel::retry`]; and when it is not the first one any more.
    pub async fn skip(&self, parked: &Parked, said: &Said) -> Result<(), ApplyError> {
        let what = What::Skip(parked.key.clone(), (parked.first.pseq, parked.first.idx));
        self.ask(parked.shard, what, said).await.map(|_| ())
    }

    /// Leaves everything out of the tables, for good, that the key holds now. Its later events are taken again.
    ///
    /// # Errors
    /// As [`ReadModel::retry`].
    pub async fn discard(&self, shard: u32, key: &str, said: &Said) -> Result<(), ApplyError> {
        self.ask(shard, What::Discard(key.to_owned()), said).await.map(|_| ())
    }

    async fn ask(&self, shard: u32, what: What, said: &Said) -> Result<usize, ApplyError> {
        self.shard(shard)?.door.ask(what, said.clone()).await
    }

    fn shard(&self, shard: u32) -> Result<Shard, ApplyError> {
        let found = usize::try_from(shard).ok().and_then(|n| self.0.shards.get(n));
        let none = || ApplyError::broken(format!("{} has no shard {shard}", self.0.source.service));
        found.cloned().ok_or_else(none)
    }

    /// Waits until the shard's status satisfies the condition; `None` when its runner is gone before that. For tests
    /// and for pages that show progress.
    pub async fn wait_until(
        &self,
        shard: u32,
        mut condition: impl FnMut(&ShardStatus) -> bool,
    ) -> Option<ShardStatus> {
        let mut status = self.shard(shard).ok()?.status;
        status.wait_for(|status| condition(status)).await
    }

    /// Whether it was stopped and its last runner has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.stop.is_cancelled() && self.0.tasks.is_empty()
    }

    /// Stops: running batches are finished, later ones not begun. Returns when all runners have ended.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.tasks.wait().await;
    }
}
