//! The group of a service: a consumer that is a member of it and never reads. The group only suggests who owns what; the
//! fold fences.
//!
//! | the group says | the member hears | the rebalance |
//! |---|---|---|
//! | a partition is yours | `Assigned` | goes on |
//! | give it up | `Revoked` | goes on at once, or when the owner has ended, within a limit (`hand_over`) |
//! | you were thrown out | `Lost` | goes on |
//! | this user may not | `Hindered`, until there is other news | (asked again and again) |
//! | the client is finished, or stuck | `Lost` for everything, then the end | (join again) |
//!
//! A partition that is kept is never named again, so that it is kept has to be asked for (`confirm.rs`). The polling
//! thread is watched by tokio's time and not by the engine's clock: it lives in the time of the driver, and a test that
//! moves a clock must not make it look stuck.

mod confirm;
mod poll;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::{confirm::Confirmer, poll::Rebalances};
use super::{
    error::passing,
    lane::Served,
    settings::{KafkaSettings, Role},
};
use crate::{
    address::{Stream, Topic},
    log::{Assignment, Confirm, LogError, Membership},
};

/// How often the polling thread is looked at.
const WATCH: Duration = Duration::from_secs(5);
/// How many looks in a row may find it standing still, beside those it is allowed to wait for owners.
const STILL: u32 = 2;

/// A stay in the group. Dropping it is leaving in order, on a thread that nobody waits for.
pub(super) struct Member {
    news: UnboundedReceiver<Assignment>,
    life: Arc<Life>,
    confirmer: Arc<Confirmer>,
    seen: u64,
    still: u32,
    patience: u32,
}

/// What the polling thread and the member share.
#[derive(Default)]
struct Life {
    stop: AtomicBool,
    beats: AtomicU64,
    held: Mutex<BTreeSet<u32>>,
}

impl Life {
    fn held(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Joins the group of a service.
    pub(super) fn join(settings: &KafkaSettings, served: &Arc<Served>) -> Result<Self, LogError> {
        let service = &served.genesis.service;
        let topic = settings.named(Topic { service: Arc::clone(service), stream: Stream::Inbox });
        let group = settings.named(service);
        let role = Role::Member { group: group.clone() };
        let (tell, news) = unbounded_channel();
        let (life, troubles) = (Arc::new(Life::default()), tell.clone());
        let rebalances = Rebalances::new(tell, Arc::clone(&life), settings.hand_over);
        let what = format!("the group of {service:?}");
        let made = settings.client(&role).create_with_context(rebalances);
        let consumer: BaseConsumer<Rebalances> = made.map_err(|e| passing(&what, &e))?;
        consumer.subscribe(&[&topic]).map_err(|e| passing(&what, &e))?;
        let consumer = Arc::new(consumer);
        let no_thread = |e| LogError::retry(format!("{what}: no thread: {e}"));
        let confirmer =
            Confirmer::start(&consumer, Arc::clone(served), (group, topic.clone())).map_err(no_thread)?;
        poll::start(consumer, (topic, settings.protocol), Arc::clone(&life), troubles).map_err(no_thread)?;
        let waits = settings.hand_over.as_secs().div_ceil(WATCH.as_secs());
        let patience = STILL.saturating_add(u32::try_from(waits).unwrap_or(u32::MAX));
        Ok(Self { news, life, confirmer: Arc::new(confirmer), seen: 0, still: 0, patience })
    }

    /// Whether the polling thread stands still for too long.
    fn is_stuck(&mut self) -> bool {
        let beats = self.life.beats.load(Ordering::Relaxed);
        self.still = if beats == self.seen { self.still.saturating_add(1) } else { 0 };
        self.seen = beats;
        self.still >= self.patience
    }
}

#[async_trait]
impl Membership for Member {
    async fn next(&mut self) -> Option<Assignment> {
        loop {
            if self.life.stop.load(Ordering::Relaxed) {
                return self.life.held().pop_first().map(Assignment::Lost);
            }
            tokio::select! {
                biased;
                change = self.news.recv() => match change {
                    Some(change) => return Some(change),
                    // The thread has ended: what it still held is lost.
                    None => self.life.stop.store(true, Ordering::Relaxed),
                },
                () = tokio::time::sleep(WATCH) => if self.is_stuck() {
                    tracing::error!("the thread of a group's member stands still: it is abandoned");
                    self.life.stop.store(true, Ordering::Relaxed);
                },
            }
        }
    }

    fn confirmer(&self) -> Arc<dyn Confirm> {
        Arc::clone(&self.confirmer) as _
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.life.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
