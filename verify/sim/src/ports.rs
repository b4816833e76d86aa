//! The ports of a node with a [`Control`] around them: the log, the snapshot store, the clock. What the world does wrong
//! to one node alone is here; what it does wrong to all of them is in the log and the store themselves.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use palinode::{
    Append, Clock, Log, Micros, Position, Record, Topic,
    log::{Assignment, Confirm, Confirmed, Created, LogError, Membership, Stored},
    snapshots::{Head, Row, Save, Saved, SnapshotStore},
};
use uuid::Uuid;

use crate::{
    clock::Time,
    control::{Control, Cut},
    post::Post,
};

/// How long one waits for what does not come.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How far a record's stamp may lie ahead: the bound that a broker has.
const AHEAD: Duration = Duration::from_secs(60);

/// A clock that stops with its node.
pub(crate) struct SimClock<C> {
    pub(crate) clock: C,
    pub(crate) control: Control,
}

#[async_trait]
impl<C: Clock> Clock for SimClock<C> {
    fn now(&self) -> Micros {
        self.clock.now()
    }

    async fn wait_until(&self, until: Micros) {
        let Some(entered) = self.control.enter() else { return std::future::pending().await };
        self.clock.wait_until(until).await;
        self.control.leave(entered).await;
    }

    async fn pass(&self, span: Duration) {
        let Some(entered) = self.control.enter() else { return std::future::pending().await };
        if palinode::zoo!("spans-by-the-wall-clock") {
            self.clock.wait_until(self.clock.now().plus(span)).await;
        } else {
            self.clock.pass(span).await;
        }
        self.control.leave(entered).await;
    }
}

/// The log of one incarnation.
#[derive(Clone)]
pub(crate) struct SimLog {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) control: Control,
    pub(crate) time: Time,
    pub(crate) post: Post,
}

fn away() -> LogError {
    LogError::retry("the network is cut")
}

/// Work on the other side of a line that may be cut.
async fn through<T>(
    control: &Control,
    cut: impl Fn(&Control) -> Option<Cut>,
    work: impl Future<Output = T>,
    lost: impl FnOnce() -> T,
) -> T {
    let Some(entered) = control.enter() else { return std::future::pending().await };
    let result = match cut(control) {
        None => work.await,
        Some(cut) => {
            if cut == Cut::Replies {
                drop(work.await);
            }
            tokio::time::sleep(TIMEOUT).await;
            lost()
        }
    };
    control.leave(entered).await;
    result
}

impl SimLog {
    async fn through<T>(&self, work: impl Future<Output = T>, lost: impl FnOnce() -> T) -> T {
        through(&self.control, Control::log_cut, work, lost).await
    }
}

#[async_trait]
impl Log for SimLog {
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append> {
        let Some(entered) = self.control.enter() else { return Box::pin(std::future::pending()) };
        let control = self.control.clone();
        let latest = self.time.now().plus(AHEAD);
        if records.iter().any(|r| r.wall > latest) {
            let refused = Append::Refused(LogError::retry("a record is stamped too far ahead of the broker"));
            return Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                control.leave(entered).await;
                refused
            });
        }
        let cut = control.log_cut();
        let outcome = (cut != Some(Cut::Requests)).then(|| self.log.append(topic, partition, records));
        Box::pin(async move {
            let outcome = match (outcome, cut) {
                (Some(outcome), None) => outcome.await,
                _ => {
                    tokio::time::sleep(TIMEOUT).await;
                    Append::Unknown(away())
                }
            };
            control.leave(entered).await;
            outcome
        })
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        self.through(self.post.read(&*self.log, topic, partition, from, limit), || Err(away())).await
    }

    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError> {
        self.through(self.log.end(topic, partition), || Err(away())).await
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        self.through(self.log.create(service, partitions, log_id), || Created::Unknown(away())).await
    }

    async fn join(&self, service: &str) -> Result<Box<dyn Membership>, LogError> {
        let joined = self.through(self.log.join(service), || Err(away())).await?;
        Ok(Box::new(SimMember(joined, self.clone())))
    }
}

struct SimMember(Box<dyn Membership>, SimLog);

#[async_trait]
impl Membership for SimMember {
    async fn next(&mut self) -> Option<Assignment> {
        let Some(entered) = self.1.control.enter() else { return std::future::pending().await };
        let news = self.0.next().await;
        self.1.control.leave(entered).await;
        news
    }

    fn confirmer(&self) -> Arc<dyn Confirm> {
        Arc::new(SimConfirm(self.0.confirmer(), self.1.clone()))
    }
}

struct SimConfirm(Arc<dyn Confirm>, SimLog);

#[async_trait]
impl Confirm for SimConfirm {
    async fn confirm(&self, shard: u32) -> Confirmed {
        self.1.through(self.0.confirm(shard), || Confirmed::Unknown).await
    }

    async fn others(&self) -> Option<bool> {
        self.1.through(self.0.others(), || None).await
    }
}

/// The snapshot store of one incarnation, in front of what all of them share.
pub(crate) struct SimStore {
    pub(crate) store: Arc<dyn SnapshotStore>,
    pub(crate) control: Control,
}

impl SimStore {
    async fn through<T>(&self, work: impl Future<Output = T>, lost: impl FnOnce() -> T) -> T {
        through(&self.control, Control::store_cut, work, lost).await
    }
}

#[async_trait]
impl SnapshotStore for SimStore {
    async fn load(&self, service: &str, shard: u32) -> Result<Option<(Head, Vec<Row>)>, LogError> {
        self.control.recovers();
        self.through(self.store.load(service, shard), || Err(away())).await
    }

    async fn entities(
        &self,
        service: &str,
        shard: u32,
        keys: &[String],
    ) -> Result<(Option<Position>, Vec<Option<Row>>), LogError> {
        self.through(self.store.entities(service, shard, keys), || Err(away())).await
    }

    async fn save(&self, service: &str, shard: u32, base: Option<&Position>, save: Save) -> Saved {
        self.through(self.store.save(service, shard, base, save), || Saved::Unknown(away())).await
    }
}
