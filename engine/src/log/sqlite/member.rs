//! The group of an embedded log: one process holds the lock, so all shards are its own until the log is closed.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::log::{Assignment, Confirm, Confirmed, LogError, Membership};

/// Why the log is closed, once it is.
pub(super) type Closed = watch::Receiver<Option<LogError>>;

/// The only member.
pub(super) struct Member {
    shards: Range<u32>,
    closed: Closed,
}

impl Member {
    pub(super) fn new(partitions: u32, closed: Closed) -> Self {
        Self { shards: 0..partitions, closed }
    }
}

#[async_trait]
impl Membership for Member {
    async fn next(&mut self) -> Option<Assignment> {
        if self.closed.borrow().is_none()
            && let Some(shard) = self.shards.next()
        {
            return Some(Assignment::Assigned(shard));
        }
        // An error means that the log itself is gone.
        drop(self.closed.wait_for(Option::is_some).await);
        None
    }

    fn confirmer(&self) -> Arc<dyn Confirm> {
        Arc::new(Holder(self.closed.clone()))
    }
}

struct Holder(Closed);

#[async_trait]
impl Confirm for Holder {
    async fn confirm(&self, _shard: u32) -> Confirmed {
        let open = self.0.has_changed().is_ok() && self.0.borrow().is_none();
        if open { Confirmed::Yes } else { Confirmed::Refused }
    }

    async fn others(&self) -> Option<bool> {
        Some(false)
    }
}
