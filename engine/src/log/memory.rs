//! The reference log: the contract in memory, without faults unless they are asked for, and then meaner than Kafka.
//! Every fault is drawn from one seeded source and every delay waits in tokio's time, so a run under a paused clock can
//! be repeated exactly. It has no thread, and nothing lands by a task: what is due lands when somebody looks. (Only the end
//! of a revocation is waited for by a task of the runtime.)
//!
//! A [`MemoryCluster`] holds the partitions; each node has a [`MemoryLog`] of its own, which is a producer and a group
//! member. Appends of one producer to one partition land in the order of their calls, as long as the one before is not
//! answered; what was answered with `Unknown` may land at any time later.

mod chance;
mod faults;
mod group;
mod member;
mod partitions;
mod plan;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

pub use self::{chance::Chance, faults::Faults, plan::Next};
use self::{
    group::{Group, Way},
    member::MemoryMember,
    partitions::{Answer, When},
    plan::Say,
    state::State,
};
use crate::{
    address::Topic,
    log::{Append, Created, Log, LogError, Membership, Stored},
    record::Record,
};

/// The partitions that several nodes share, and what may go wrong with them.
///
/// ```
/// use palinode::{Log, log::memory::{Faults, MemoryCluster, Next}};
/// let cluster = MemoryCluster::new(42);
/// let (a, b) = (cluster.member("a"), cluster.member("b"));
/// cluster.next_append("a", Next::Late);           // a claim that comes too late
/// cluster.set_faults(Faults { lost: 50, ..Faults::none() });
/// ```
#[derive(Clone)]
pub struct MemoryCluster(Arc<Shared>);

struct Shared(Mutex<State>);

/// One node's log: its producer and its place in the groups.
#[derive(Clone)]
pub struct MemoryLog {
    cluster: MemoryCluster,
    member: Arc<str>,
}

impl MemoryCluster {
    /// An empty log without faults; the seed matters once there are some.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Shared(Mutex::new(State::new(seed)))))
    }

    /// The log of one node. Two of the same name are two incarnations of one node.
    #[must_use]
    pub fn member(&self, name: &str) -> Arc<dyn Log> {
        Arc::new(MemoryLog { cluster: self.clone(), member: name.into() })
    }

    /// Sets what may go wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
        // Whoever waits for the group looks again when the next shake is due.
        self.wake_groups();
    }

    /// Sets what the next append of a member meets that has no script yet, whatever the rates say.
    pub fn next_append(&self, member: &str, next: Next) {
        self.lock().scripts.entry(member.into()).or_default().push_back(next);
    }

    /// Lands what was held back of a member's appends ([`Next::Hold`], [`Next::Late`]). How many appends that were.
    pub fn release(&self, member: &str) -> usize {
        self.lock().partitions.release(member)
    }

    /// How many appends, or pieces of them, have not landed yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.lock().partitions.coming()
    }

    /// What is in a partition; nothing when there is no such partition.
    #[must_use]
    pub fn records(&self, topic: &Topic, partition: u32) -> Vec<Record> {
        self.lock().partitions.get(&(topic.clone(), partition)).cloned().unwrap_or_default()
    }

    /// Appends a record at once, whatever it is: a foreign writer's, a damaged one, one from the past. Its offset, or
    /// `None` when there is no such partition.
    pub fn inject(&self, topic: &Topic, partition: u32, record: Record) -> Option<u64> {
        let mut state = self.lock();
        let records = state.partitions.get_mut(&(topic.clone(), partition))?;
        records.push(record);
        u64::try_from(records.len() - 1).ok()
    }

    /// Cuts a partition, as no log may.
    pub fn truncate(&self, topic: &Topic, partition: u32, records: usize) {
        if let Some(found) = self.lock().partitions.get_mut(&(topic.clone(), partition)) {
            found.truncate(records);
        }
    }

    /// Replaces a partition, as by a restore or by another log of the same name.
    pub fn replace(&self, topic: &Topic, partition: u32, records: Vec<Record>) {
        if let Some(found) = self.lock().partitions.get_mut(&(topic.clone(), partition)) {
            *found = records;
        }
    }

    /// Throws a member out of its groups: it hears that its shards are lost and that its membership has ended.
    pub fn expel(&self, member: &str) {
        self.each_group(|group| group.expel(member, true));
    }

    /// Throws a member out, and it hears nothing, as if it were frozen; [`expel`](Self::expel) tells it later.
    pub fn expel_unheard(&self, member: &str) {
        self.each_group(|group| group.expel(member, false));
    }

    /// Gives a shard to a member when its owner has stopped. Whether there are such a shard and member.
    pub fn assign(&self, service: &str, shard: u32, member: &str) -> bool {
        self.with_group(service, |group, _, _| group.give(shard, member, Way::Politely)).unwrap_or(false)
    }

    /// Gives a shard to a member at once, and its owner hears nothing. Whether there are such a shard and member.
    pub fn steal(&self, service: &str, shard: u32, member: &str) -> bool {
        self.with_group(service, |group, _, _| group.give(shard, member, Way::Rudely(None))).unwrap_or(false)
    }

    /// Moves one shard of each group, drawn, to a member, drawn.
    pub fn rebalance(&self) {
        let services: Vec<Arc<str>> = self.lock().groups.keys().cloned().collect();
        for service in services {
            self.with_group(&service, Group::shake);
        }
    }

    /// The shards a member holds, as the group sees it.
    #[must_use]
    pub fn held_by(&self, service: &str, member: &str) -> Vec<u32> {
        self.lock().groups.get(service).map_or_else(Vec::new, |group| group.held_by(member))
    }

    fn each_group(&self, mut change: impl FnMut(&mut Group)) {
        let services: Vec<Arc<str>> = self.lock().groups.keys().cloned().collect();
        for service in services {
            self.with_group(&service, |group, _, _| change(group));
        }
    }

    fn wake_groups(&self) {
        self.lock().groups.values().for_each(Group::wake);
    }

    /// Runs something on a group, and watches the revocations it began.
    fn with_group<T>(
        &self,
        service: &str,
        change: impl FnOnce(&mut Group, &mut Chance, &Faults) -> T,
    ) -> Option<T> {
        let mut state = self.lock();
        let State { groups, chance, faults, .. } = &mut *state;
        let group = groups.get_mut(service)?;
        let changed = change(group, chance, faults);
        let watches = group.watches();
        drop(state);
        watches.into_iter().for_each(|w| member::watch(Arc::downgrade(&self.0), service.into(), w));
        Some(changed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self { cluster: MemoryCluster::new(0), member: "memory".into() }
    }
}

impl MemoryLog {
    /// A log of its own, without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What it is the log of: to look into it, and to make trouble.
    #[must_use]
    pub fn cluster(&self) -> &MemoryCluster {
        &self.cluster
    }
}

#[async_trait]
impl Log for MemoryLog {
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append> {
        let place = (topic.clone(), partition);
        let answer = self.cluster.lock().append(&self.member, &place, records);
        let Answer { when, say, offsets } = match answer {
            Ok(answer) => answer,
            Err(why) => return Box::pin(std::future::ready(Append::Refused(why))),
        };
        let cluster = self.cluster.clone();
        Box::pin(async move {
            let unknown =
                |what: &str| Append::Unknown(LogError::retry(format!("{}/{}: {what}", place.0, place.1)));
            match when {
                When::Now => {}
                When::At(at) => sleep_until(at).await,
                When::Released(released) => {
                    if released.await.is_err() {
                        return unknown("the log was dropped while the append was held");
                    }
                }
            }
            cluster.lock().partitions.settle(Instant::now());
            match say {
                Say::Appended { offsets: true } => {
                    Append::Appended(offsets.lock().unwrap_or_else(PoisonError::into_inner).clone())
                }
                Say::Appended { offsets: false } => {
                    let count = offsets.lock().unwrap_or_else(PoisonError::into_inner).len();
                    Append::Appended(vec![None; count])
                }
                Say::Refused => Append::Refused(LogError::retry("the broker refused it: try again")),
                Say::Unknown => unknown("no answer came in time"),
            }
        })
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        let stall = self.cluster.lock().stall();
        if let Some(until) = stall {
            sleep_until(until).await;
        }
        self.cluster.lock().read(&self.member, &(topic.clone(), partition), from, limit)
    }

    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError> {
        let end = self.cluster.lock().sight(&self.member, &(topic.clone(), partition))?;
        Ok(end as u64)
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        self.cluster.lock().create(service, partitions, log_id)
    }

    async fn join(&self, service: &str) -> Result<Box<dyn Membership>, LogError> {
        let joined = self.cluster.with_group(service, |group, _, _| group.join(Arc::clone(&self.member)));
        let (id, wake) = joined
            .ok_or_else(|| LogError::stop(format!("there is no service {service:?}: create it first")))?;
        Ok(Box::new(MemoryMember { cluster: self.cluster.clone(), service: service.into(), id, wake }))
    }
}
