//! Appending: a small pool of idempotent producers. A partition of `events` belongs to one of them, always the same; what
//! goes to `inbox` and `replies` has producers of its own, so that relaying never delays a commit.
//!
//! | what happens | the append is |
//! |---|---|
//! | the record cannot be queued, and none of the batch was | refused |
//! | the queue is full | queued behind it, in order |
//! | every record was delivered | appended; an offset that is none becomes `None` |
//! | one was not, or nothing was heard in time | unknown |
//!
//! A producer that failed for good, or has lost the way to a partition (`silent`), is replaced by a spare that is connected
//! already; what it had in flight is unknown.
//! An offset is passed on as it was reported, however odd: only the owner can tell an old one from a log that was cut.

mod batch;
mod instance;
mod silent;

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, Weak,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};

pub(super) use self::instance::Job;
use self::{batch::Batch, instance::Instance, silent::Silent};
use super::{
    lane::Lane,
    row,
    settings::{KafkaSettings, Role},
};
use crate::{
    address::Stream,
    log::{Append, LogError},
    record::Record,
};

/// The producers of a process.
pub(super) struct Pool {
    /// `None` only while it is dropped.
    shared: Option<Arc<Shared>>,
    deadline: Duration,
}

struct Shared {
    settings: KafkaSettings,
    /// Producers of commits.
    commits: Vec<RwLock<Arc<Instance>>>,
    /// Of messages.
    inbox: RwLock<Arc<Instance>>,
    /// Of answers.
    replies: RwLock<Arc<Instance>>,
    spare: Mutex<Option<Arc<Instance>>>,
    jobs: Sender<Job>,
}

impl Pool {
    /// Starts all of them: a fresh producer needs a second before its first record is taken.
    pub(super) fn start(settings: &KafkaSettings, brokers: usize) -> Result<Self, LogError> {
        let (jobs, to_do) = channel();
        let start = |role| Instance::start(settings, role, &jobs);
        let commits = (0..settings.producers_on(brokers)).map(|_| Ok(RwLock::new(start(Role::Commits)?)));
        let shared = Arc::new(Shared {
            commits: commits.collect::<Result<_, LogError>>()?,
            inbox: RwLock::new(start(Role::Post)?),
            replies: RwLock::new(start(Role::Post)?),
            spare: Mutex::new(Some(start(Role::Commits)?)),
            settings: settings.clone(),
            jobs: jobs.clone(),
        });
        let weak = Arc::downgrade(&shared);
        let spawned = thread::Builder::new().name("kafka-pool".into()).spawn(move || run(&weak, &to_do));
        spawned.map_err(|e| LogError::retry(format!("no thread for producers: {e}")))?;
        Ok(Self { shared: Some(shared), deadline: settings.deadline })
    }

    /// Queues records before it returns; the future waits for the outcome.
    pub(super) fn append(&self, lane: &Arc<Lane>, records: Vec<Record>) -> BoxFuture<'static, Append> {
        let done = |append| Box::pin(std::future::ready(append));
        if records.is_empty() {
            return done(Append::Appended(Vec::new()));
        }
        let unfit = records.iter().enumerate().find_map(|(nth, r)| row::unfit(r).map(|why| (nth, why)));
        if let Some((nth, why)) = unfit {
            let what = format!("{lane}: record {nth} of {}: {why}", records.len());
            return done(Append::Refused(LogError::stop(what)));
        }
        let Some(shared) = &self.shared else {
            return done(Append::Refused(LogError::stop("the log was closed")));
        };
        let (batch, outcome) = Batch::new(Arc::clone(lane), records.len());
        shared.producer(lane).send(&batch, records);
        let (place, deadline) = (lane.to_string(), self.deadline);
        Box::pin(async move {
            let unknown = |what| Append::Unknown(LogError::retry(format!("{place}: {what}")));
            match timeout(deadline, outcome).await {
                Ok(Ok(append)) => append,
                Ok(Err(_)) => unknown("its producer is gone"),
                Err(_) => unknown("no report of its delivery in time"),
            }
        })
    }
}

impl Drop for Pool {
    /// A producer takes its time to end, and must not take ours.
    fn drop(&mut self) {
        let shared = self.shared.take();
        if let Err(e) = thread::Builder::new().name("kafka-end".into()).spawn(move || drop(shared)) {
            tracing::warn!("no thread to end producers on: {e}");
        }
    }
}

impl Shared {
    /// The producer that a lane belongs to. It is held while records are queued, so it is not replaced meanwhile.
    fn producer(&self, lane: &Lane) -> RwLockReadGuard<'_, Arc<Instance>> {
        let topic = usize::try_from(crc32c::crc32c(lane.topic.as_bytes())).unwrap_or(0);
        let nth = topic.wrapping_add(usize::try_from(lane.number).unwrap_or(0));
        let slot = match lane.stream {
            Stream::Events => self.commits.get(nth % self.commits.len().max(1)).unwrap_or(&self.inbox),
            Stream::Inbox => &self.inbox,
            Stream::Replies => &self.replies,
        };
        slot.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self) -> impl Iterator<Item = &RwLock<Arc<Instance>>> {
        self.commits.iter().chain([&self.inbox, &self.replies])
    }

    /// The slot that holds this producer now, and the producer.
    fn slot(&self, number: u64) -> Option<(&RwLock<Arc<Instance>>, Arc<Instance>)> {
        let held =
            |slot: &RwLock<Arc<Instance>>| Arc::clone(&slot.read().unwrap_or_else(PoisonError::into_inner));
        self.slots().map(|slot| (slot, held(slot))).find(|(_, instance)| instance.number == number)
    }

    /// Replaces one that failed for good.
    fn look(&self, number: u64) {
        let Some((slot, instance)) = self.slot(number) else { return };
        if instance.has_failed() {
            self.replace(slot, &instance, "it failed for good");
        }
    }

    /// Replaces one that failed for good, or has lost the way to this partition.
    fn late(&self, number: u64, lane: &Lane, silent: &mut Silent) {
        self.look(number);
        let Some((slot, instance)) = self.slot(number) else { return };
        if silent.gives_up(lane, Instant::now(), || instance.knows_leader(lane)) {
            self.replace(slot, &instance, &format!("{lane} has a leader and takes nothing from it"));
        }
    }

    /// Puts the spare in the place of one that is of no use any more.
    fn replace(&self, slot: &RwLock<Arc<Instance>>, of_no_use: &Instance, why: &str) {
        let spare = || self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Instance::start(&self.settings, Role::Commits, &self.jobs);
        let number = of_no_use.number;
        let next = spare().take().map_or_else(fresh, Ok);
        match next {
            Ok(next) => {
                tracing::error!(number, "a producer is replaced: {why}");
                *slot.write().unwrap_or_else(PoisonError::into_inner) = next;
            }
            Err(e) => return tracing::error!(number, "a producer cannot be replaced ({why}): {e}"),
        }
        match fresh() {
            Ok(instance) => *spare() = Some(instance),
            Err(e) => tracing::error!("there is no spare producer: {e}"),
        }
    }
}

/// What must not be done where reports are taken.
fn run(shared: &Weak<Shared>, jobs: &Receiver<Job>) {
    let mut silent = Silent::default();
    while let Ok(job) = jobs.recv() {
        let Some(shared) = shared.upgrade() else { return };
        match job {
            Job::Room(number) => {
                if let Some((_, instance)) = shared.slot(number) {
                    instance.go_on();
                }
            }
            Job::Look(number) => shared.look(number),
            Job::Late(number, lane) => shared.late(number, &lane, &mut silent),
        }
    }
}

#[cfg(test)]
mod tests;
