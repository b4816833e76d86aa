//! What an owner is told about its end. The log alone decides who owns a shard; this is about how soon nobody waits.
//!
//! | it is told | because | and then |
//! |---|---|---|
//! | to leave | the shard is to move, or the node stops | it stores a snapshot, says that it is ready, and serves on until it meets the next claim, or nothing comes any more, or its time is over |
//! | to stop | the next owner is of this process, or there are no others | it finishes what is in flight, stores a snapshot, ends |
//! | that it is lost | somebody else may own it already | it ends at once |

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{End, Exit, Owner};
use crate::time::Micros;

/// What one owner is told; shared by who tells and who is told.
#[derive(Clone, Default)]
pub(crate) struct Notice {
    leave: CancellationToken,
    idle: CancellationToken,
    stop: CancellationToken,
    lost: CancellationToken,
    ready: CancellationToken,
}

/// An owner that is about to leave.
pub(super) struct Leaving {
    /// The next owner may come then, whether a snapshot is stored or not.
    ready_by: Micros,
    /// Nobody waits longer than until then.
    until: Micros,
}

impl Notice {
    /// Another node shall have the shard.
    pub(crate) fn leave(&self) {
        self.leave.cancel();
    }

    /// The node stops: it is to leave, and to end as soon as nothing comes any more.
    pub(crate) fn leave_when_idle(&self) {
        self.idle.cancel();
        self.leave.cancel();
    }

    /// It is to end in order.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Somebody else may own it already.
    pub(crate) fn lose(&self) {
        self.lost.cancel();
    }

    /// Whether it is told anything of the sort: then no other owner is begun.
    pub(crate) fn is_given(&self) -> bool {
        [&self.leave, &self.stop, &self.lost].iter().any(|token| token.is_cancelled())
    }

    /// Returns when it is told anything of the sort.
    pub(crate) async fn given(&self) {
        tokio::select! {
            biased;
            () = self.lost.cancelled() => {}
            () = self.stop.cancelled() => {}
            () = self.leave.cancelled() => {}
        }
    }

    /// Returns when the next owner may come.
    pub(crate) async fn ready(&self) {
        self.ready.cancelled().await;
    }

    /// Returns when it is lost: then its owner is dropped wherever it stands.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Returns when an owner that may be about to leave is told more.
    pub(super) async fn more(&self, leaving: bool) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.leave.cancelled(), if !leaving => {}
        }
    }
}

impl Owner<'_> {
    /// Does what it is told; an error when that is to end.
    pub(super) async fn obey(&mut self, notice: &Notice) -> Result<(), Exit> {
        if notice.stop.is_cancelled() {
            self.drain().await?;
            self.finish_snapshot().await?;
            return Err(End::Stopped.into());
        }
        if notice.leave.is_cancelled() { self.leave(notice).await } else { Ok(()) }
    }

    async fn leave(&mut self, notice: &Notice) -> Result<(), Exit> {
        let (now, look) = (self.ports.clock.now(), self.limits.look);
        if self.leaving.is_none() {
            self.want_snapshot();
            self.next_look = now;
            let (ready_by, until) = (now.plus(look), now.plus(self.limits.hand_over));
            self.leaving = Some(Leaving { ready_by, until });
        }
        let Some(leaving) = &mut self.leaving else { return Ok(()) };
        // A clock that was set back must not put the end off.
        leaving.ready_by = leaving.ready_by.min(now.plus(look));
        leaving.until = leaving.until.min(now.plus(self.limits.hand_over));
        let (ready_by, until) = (leaving.ready_by, leaving.until);
        if !notice.ready.is_cancelled() && (self.is_saved() || now >= ready_by) {
            self.no_more_snapshots();
            notice.ready.cancel();
        }
        let idle = notice.idle.is_cancelled()
            && notice.ready.is_cancelled()
            && self.pipeline.is_empty()
            && now.since(self.busy) >= look;
        if idle || now >= until {
            self.drain().await?;
            return Err(End::Stopped.into());
        }
        Ok(())
    }

    /// How long until the next look at the end of the log: one that leaves waits for the next claim.
    pub(super) fn until_next_look(&self) -> Duration {
        if self.leaving.is_some() { self.limits.look / 10 } else { self.limits.look }
    }
}
