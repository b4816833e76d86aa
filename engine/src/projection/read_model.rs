//! The handle on a running projection: how far each shard is, waiting for one's own writes, stopping. Holds no
//! database; runners tell it where they are.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use uuid::Uuid;

use crate::{
    clock::Clock,
    position::{Position, Token},
    time::Micros,
};

/// A running projection. Cheap to clone; when the last clone is dropped, it stops.
#[derive(Clone)]
pub struct ReadModel(Arc<Shared>);

struct Shared {
    name: &'static str,
    service: Arc<str>,
    log_id: Uuid,
    shards: Vec<watch::Receiver<ShardStatus>>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
    tasks: TaskTracker,
}

/// How far a projection is in one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardStatus {
    /// The shard.
    pub shard: u32,
    /// What its runner does.
    pub state: State,
    /// The last record that is in the tables; `None` until the checkpoint was read and compared with the log.
    pub position: Option<Position>,
    /// Time of the last commit that is in the tables; zero before the first.
    pub time: Micros,
}

/// What the runner of a shard does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It takes over.
    Starting,
    /// It is behind the log and reads as fast as it can.
    CatchingUp,
    /// It has reached the end of the log and waits for more.
    Live,
    /// Something is away; it tries again.
    Retrying {
        /// What.
        why: Arc<str>,
    },
    /// It stands still until it is started again.
    Stopped {
        /// Why, and what to do.
        why: Arc<str>,
    },
}

/// The end of a wait for one's own writes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the read model may not show the write yet"]
pub enum Waited {
    /// The tables hold everything up to the token.
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
        name: &'static str,
        (service, log_id): (Arc<str>, Uuid),
        shards: Vec<watch::Receiver<ShardStatus>>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Self {
        let _stop_when_dropped = stop.clone().drop_guard();
        Self(Arc::new(Shared { name, service, log_id, shards, clock, stop, _stop_when_dropped, tasks }))
    }

    /// The projection's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The service it follows.
    #[must_use]
    pub fn service(&self) -> &Arc<str> {
        &self.0.service
    }

    /// Where each shard is, in order.
    #[must_use]
    pub fn status(&self) -> Vec<ShardStatus> {
        self.0.shards.iter().map(|shard| shard.borrow().clone()).collect()
    }

    /// Waits until the tables hold the effects of the answer that gave this token, at most `within`.
    pub async fn wait_for(&self, token: &Token, within: Duration) -> Waited {
        let wrong_log = || Waited::WrongLog { follows: (Arc::clone(&self.0.service), self.0.log_id) };
        if token.service != self.0.service || token.log_id != self.0.log_id {
            return wrong_log();
        }
        let shard = usize::try_from(token.shard).ok().and_then(|n| self.0.shards.get(n));
        let Some(mut shard) = shard.cloned() else { return wrong_log() };
        let until = self.0.clock.now().plus(within);
        loop {
            let now = shard.borrow_and_update().clone();
            let pseq = now.position.map_or(0, |p| p.pseq);
            match now.state {
                _ if pseq >= token.pseq => return Waited::Reached,
                State::Stopped { why } => return Waited::Stopped { reason: why },
                state if self.0.clock.now() >= until => {
                    return Waited::NotYet { pseq, lag: token.pseq.saturating_sub(pseq), state };
                }
                _ => {}
            }
            tokio::select! {
                biased;
                told = shard.changed() => if told.is_err() {
                    return Waited::Stopped { reason: "the runner is gone: its task has ended".into() };
                },
                () = self.0.clock.wait_until(until) => {}
            }
        }
    }

    /// Waits until the shard's status satisfies the condition; `None` when its runner is gone before that. For tests
    /// and for pages that show progress.
    pub async fn wait_until(
        &self,
        shard: u32,
        mut condition: impl FnMut(&ShardStatus) -> bool,
    ) -> Option<ShardStatus> {
        let mut shard = self.0.shards.get(usize::try_from(shard).ok()?)?.clone();
        let found = shard.wait_for(|status| condition(status)).await.ok()?;
        Some(found.clone())
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
