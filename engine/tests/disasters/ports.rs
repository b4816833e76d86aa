//! The ports of the world: a clock over the runtime's paused time, and a freezer that stops a node where it stands, as a
//! signal stops a process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use palinode::{
    Append, Clock, Log, Micros, Position, Record, Topic,
    log::{Assignment, Confirm, Confirmed, Created, LogError, Membership, Stored},
    node::Parts,
    snapshots::{Head, Row, Save, Saved, SnapshotStore},
};
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

/// When every world begins.
pub(crate) const BEGIN: Micros = Micros(1_700_000_000_000_000);

/// A clock over the runtime's time, which may go wrong by so much.
#[derive(Clone)]
pub(crate) struct WorldClock {
    began: Instant,
    wrong_by: Arc<AtomicI64>,
}

impl WorldClock {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), wrong_by: Arc::default() }
    }

    /// Sets it right.
    pub(crate) fn set_right(&self) {
        self.wrong_by.store(0, Ordering::SeqCst);
    }

    /// Another clock, this far ahead of the world.
    pub(crate) fn ahead(&self, by: Duration) -> Self {
        let wrong_by = Arc::new(AtomicI64::new(i64::try_from(by.as_micros()).unwrap()));
        Self { began: self.began, wrong_by }
    }
}

#[async_trait]
impl Clock for WorldClock {
    fn now(&self) -> Micros {
        Micros(BEGIN.plus(self.began.elapsed()).0 + self.wrong_by.load(Ordering::SeqCst))
    }

    async fn wait_until(&self, until: Micros) {
        while self.now() < until {
            tokio::time::sleep(until.since(self.now())).await;
        }
    }

    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// Stops everything that waits on the ports it was put around.
#[derive(Clone)]
pub(crate) struct Freezer(Arc<watch::Sender<bool>>);

impl Freezer {
    pub(crate) fn around(parts: Parts) -> (Self, Parts) {
        let freezer = Self(Arc::new(watch::Sender::new(false)));
        let it = || freezer.clone();
        let parts = Parts {
            log: Arc::new(Frozen(parts.log, it())),
            store: Arc::new(Frozen(parts.store, it())),
            clock: Arc::new(Frozen(parts.clock, it())),
            ids: parts.ids,
        };
        (freezer, parts)
    }

    pub(crate) fn freeze(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn thaw(&self) {
        self.0.send_replace(false);
    }

    async fn pass(&self) {
        let mut frozen = self.0.subscribe();
        if frozen.wait_for(|frozen| !frozen).await.is_err() {
            std::future::pending().await
        }
    }

    async fn after<T>(&self, work: impl Future<Output = T>) -> T {
        let done = work.await;
        self.pass().await;
        done
    }
}

struct Frozen<P: ?Sized>(Arc<P>, Freezer);

#[async_trait]
impl Log for Frozen<dyn Log> {
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append> {
        let (outcome, freezer) = (self.0.append(topic, partition, records), self.1.clone());
        Box::pin(async move { freezer.after(outcome).await })
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        self.1.after(self.0.read(topic, partition, from, limit)).await
    }

    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError> {
        self.1.after(self.0.end(topic, partition)).await
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        self.0.create(service, partitions, log_id).await
    }

    async fn join(&self, service: &str) -> Result<Box<dyn Membership>, LogError> {
        Ok(Box::new(FrozenMember(self.0.join(service).await?, self.1.clone())))
    }
}

struct FrozenMember(Box<dyn Membership>, Freezer);

#[async_trait]
impl Membership for FrozenMember {
    async fn next(&mut self) -> Option<Assignment> {
        self.1.pass().await;
        self.0.next().await
    }

    fn confirmer(&self) -> Arc<dyn Confirm> {
        Arc::new(Frozen(self.0.confirmer(), self.1.clone()))
    }
}

#[async_trait]
impl Confirm for Frozen<dyn Confirm> {
    async fn confirm(&self, shard: u32) -> Confirmed {
        self.1.after(self.0.confirm(shard)).await
    }

    async fn others(&self) -> Option<bool> {
        self.1.after(self.0.others()).await
    }
}

#[async_trait]
impl SnapshotStore for Frozen<dyn SnapshotStore> {
    async fn load(&self, service: &str, shard: u32) -> Result<Option<(Head, Vec<Row>)>, LogError> {
        self.1.after(self.0.load(service, shard)).await
    }

    async fn entities(
        &self,
        service: &str,
        shard: u32,
        keys: &[String],
    ) -> Result<(Option<Position>, Vec<Option<Row>>), LogError> {
        self.1.after(self.0.entities(service, shard, keys)).await
    }

    async fn save(&self, service: &str, shard: u32, base: Option<&Position>, save: Save) -> Saved {
        self.1.after(self.0.save(service, shard, base, save)).await
    }
}

#[async_trait]
impl Clock for Frozen<dyn Clock> {
    fn now(&self) -> Micros {
        self.0.now()
    }

    async fn wait_until(&self, until: Micros) {
        self.1.after(self.0.wait_until(until)).await;
    }
}
