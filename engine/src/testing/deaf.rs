//! A log for a node that is to die: from some append of commits on its owners hear nothing any more, although what they
//! appended has landed. Whoever tests takes the node away then, and knows which commits nobody knew to be effective.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    address::{Stream, Topic},
    codec::{Entry, decode},
    log::{Append, Created, Log, LogError, Membership, Stored},
    record::Record,
    time::Micros,
};

/// A log that is not heard of from its `nth` append of commits on. Cheap to clone.
#[derive(Clone)]
pub struct Deaf(Arc<Shared>);

struct Shared {
    log: Arc<dyn Log>,
    nth: usize,
    appends: AtomicUsize,
    landed: Notify,
    unheard: Mutex<BTreeSet<Micros>>,
}

impl Deaf {
    /// This log, whose `nth` append of commits (1, 2, 3..) is the last one that lands and the first one that is not answered.
    #[must_use]
    pub fn from_append(log: Arc<dyn Log>, nth: usize) -> Self {
        let (appends, landed, unheard) = (AtomicUsize::new(0), Notify::new(), Mutex::default());
        Self(Arc::new(Shared { log, nth, appends, landed, unheard }))
    }

    /// Returns when that append has landed.
    pub async fn landed(&self) {
        self.0.landed.notified().await;
    }

    /// The times of the commits that landed unheard.
    #[must_use]
    pub fn unheard(&self) -> BTreeSet<Micros> {
        self.0.unheard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn times(records: &[Record]) -> BTreeSet<Micros> {
    let time = |record: &Record| match decode(record) {
        Ok(Some(Entry::Commit(commit))) => Some(commit.time),
        _ => None,
    };
    records.iter().filter_map(time).collect()
}

#[async_trait]
impl Log for Deaf {
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append> {
        let commits = if topic.stream == Stream::Events { times(&records) } else { BTreeSet::new() };
        let shared = Arc::clone(&self.0);
        let nth = if commits.is_empty() {
            0
        } else {
            shared.appends.fetch_add(1, Ordering::SeqCst).saturating_add(1)
        };
        let appended = shared.log.append(topic, partition, records);
        Box::pin(async move {
            let appended = appended.await;
            if nth >= shared.nth {
                shared.unheard.lock().unwrap_or_else(PoisonError::into_inner).extend(commits);
                shared.landed.notify_one();
                std::future::pending::<()>().await;
            }
            appended
        })
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        self.0.log.read(topic, partition, from, limit).await
    }

    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError> {
        self.0.log.end(topic, partition).await
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        self.0.log.create(service, partitions, log_id).await
    }

    async fn join(&self, service: &str) -> Result<Box<dyn Membership>, LogError> {
        self.0.log.join(service).await
    }
}
