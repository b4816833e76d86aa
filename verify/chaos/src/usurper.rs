//! A log whose group says what nobody may say: that every shard is ours, always. So two owners meet on a shard, and nothing
//! but the log stands between them. Everything else is the log inside.

use std::{future::pending, sync::Arc};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use palinode::{
    Append, Log, Record, Topic,
    log::{Assignment, Confirm, Confirmed, Created, LogError, Membership, Stored},
};
use uuid::Uuid;

use crate::domain::SHARDS;

pub(crate) struct Usurper(Arc<dyn Log>);

impl Usurper {
    pub(crate) fn new(inside: Arc<dyn Log>) -> Self {
        Self(inside)
    }
}

#[async_trait]
impl Log for Usurper {
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append> {
        self.0.append(topic, partition, records)
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        self.0.read(topic, partition, from, limit).await
    }

    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError> {
        self.0.end(topic, partition).await
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        self.0.create(service, partitions, log_id).await
    }

    async fn join(&self, _: &str) -> Result<Box<dyn Membership>, LogError> {
        Ok(Box::new(Everything { next: 0 }))
    }
}

/// Gives out all shards, and takes none back.
struct Everything {
    next: u32,
}

#[async_trait]
impl Membership for Everything {
    async fn next(&mut self) -> Option<Assignment> {
        if self.next == SHARDS {
            return pending().await;
        }
        self.next += 1;
        Some(Assignment::Assigned(self.next - 1))
    }

    fn confirmer(&self) -> Arc<dyn Confirm> {
        Arc::new(Always)
    }
}

struct Always;

#[async_trait]
impl Confirm for Always {
    async fn confirm(&self, _: u32) -> Confirmed {
        Confirmed::Yes
    }

    async fn others(&self) -> Option<bool> {
        None
    }
}
