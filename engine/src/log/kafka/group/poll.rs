//! The thread that polls a member's consumer, and what it does when the group changes. Only incremental calls are made,
//! so that either protocol of the group will do.

use std::{
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::KafkaError,
    types::{RDKafkaErrorCode as Code, RDKafkaRespErr},
};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, UnboundedSender},
    time::Instant,
};

use super::{
    super::{
        context::{line, trouble},
        error::{NEEDED, is_missing_right, words},
        settings::GroupProtocol,
    },
    Life,
};
use crate::log::Assignment;

/// How long a poll waits for news.
const POLL: Duration = Duration::from_millis(100);
/// How often a broker is looked for when none is left, and how long it has to answer.
const BROKER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(500));
/// After how long the broker's protocol (KIP-848) has nothing for a member: it says so by silence. It takes five seconds to
/// join.
const SILENCE: Duration = Duration::from_secs(10);
/// How many polls a member that leaves waits for its last revocation.
const LEAVING: usize = 30;

/// What a member does when the group changes.
pub(super) struct Rebalances {
    tell: UnboundedSender<Assignment>,
    life: Arc<Life>,
    hand_over: Duration,
    runtime: Option<Handle>,
}

impl Rebalances {
    pub(super) fn new(tell: UnboundedSender<Assignment>, life: Arc<Life>, hand_over: Duration) -> Self {
        Self { tell, life, hand_over, runtime: Handle::try_current().ok() }
    }

    fn tell(&self, change: Assignment) {
        // A member that leaves does not listen any more.
        drop(self.tell.send(change));
    }

    /// The consumer fetches nothing of what it is given: it stands at the end, paused.
    fn assigned(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &mut TopicPartitionList,
    ) -> Result<(), KafkaError> {
        list.set_all_offsets(Offset::End)?;
        consumer.incremental_assign(list)?;
        consumer.pause(list)?;
        if list.count() == 0 {
            self.tell(Assignment::Settled);
        }
        for shard in shards(list) {
            self.life.held().insert(shard);
            self.tell(Assignment::Assigned(shard));
        }
        Ok(())
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) -> Result<(), KafkaError> {
        let lost = consumer.assignment_lost();
        let (done, ended) = mpsc::channel(1);
        for shard in shards(list) {
            self.life.held().remove(&shard);
            self.tell(match lost {
                true => Assignment::Lost(shard),
                false => Assignment::Revoked { shard, done: done.clone() },
            });
        }
        drop(done);
        if !self.hand_over.is_zero()
            && let Some(all) = self.all_dropped(ended)
        {
            // Late or in time: the fence is in the log.
            let _ = all.recv_timeout(self.hand_over);
        }
        consumer.incremental_unassign(list)
    }

    /// Hears when everybody who was told to give up a shard has dropped its handle.
    fn all_dropped(&self, mut ended: mpsc::Receiver<()>) -> Option<Receiver<()>> {
        let (tell, all) = channel();
        self.runtime.as_ref()?.spawn(async move {
            while ended.recv().await.is_some() {}
            let _ = tell.send(());
        });
        Some(all)
    }
}

impl ClientContext for Rebalances {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        line("member", level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        trouble("member", &error, reason);
    }
}

impl ConsumerContext for Rebalances {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let done = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, list),
            _ => self.revoked(consumer, list),
        };
        if let Err(e) = done {
            tracing::error!("a rebalance failed: {}: the member leaves", words(&e));
            self.life.stop.store(true, Ordering::Relaxed);
        }
    }
}

fn shards(list: &TopicPartitionList) -> Vec<u32> {
    list.elements().iter().filter_map(|e| u32::try_from(e.partition()).ok()).collect()
}

/// Polls until the member leaves, or cannot go on; then leaves in order. Nobody waits for the thread: a consumer has been
/// seen to hang while it is dropped.
pub(super) fn start(
    consumer: Arc<BaseConsumer<Rebalances>>,
    (topic, protocol): (String, GroupProtocol),
    life: Arc<Life>,
    troubles: UnboundedSender<Assignment>,
) -> io::Result<()> {
    let run = move || {
        // A member that leaves does not listen any more.
        let tell = |change| drop(troubles.send(change));
        let mut cut_off = false;
        let mut next_look = (protocol == GroupProtocol::Consumer).then(|| Instant::now() + SILENCE);
        while !life.stop.load(Ordering::Relaxed) {
            life.beats.fetch_add(1, Ordering::Relaxed);
            // That a broker is back is not told.
            if next_look.is_some_and(|at| Instant::now() >= at) {
                let answers = consumer.fetch_metadata(Some(&topic), BROKER.1).is_ok();
                next_look = (!answers).then(|| Instant::now() + BROKER.0);
                if answers {
                    cut_off = false;
                    tell(Assignment::Settled);
                }
            }
            match consumer.poll(POLL) {
                None | Some(Ok(_)) => {}
                Some(Err(e)) if e.rdkafka_error_code() == Some(Code::AllBrokersDown) => {
                    if !std::mem::replace(&mut cut_off, true) {
                        tell(Assignment::Hindered("no broker answers".into()));
                    }
                    next_look.get_or_insert_with(|| Instant::now() + BROKER.0);
                }
                Some(Err(e @ KafkaError::MessageConsumptionFatal(_))) => {
                    tracing::error!("the member of a group is finished: {}", words(&e));
                    break;
                }
                Some(Err(e)) if e.rdkafka_error_code().is_some_and(is_missing_right) => {
                    let why = format!("{}: {NEEDED}", words(&e));
                    tell(Assignment::Hindered(why.into()));
                }
                Some(Err(e)) => tracing::debug!("the member of a group: {}", words(&e)),
            }
        }
        consumer.unsubscribe();
        for _ in 0..LEAVING {
            if life.held().is_empty() {
                break;
            }
            drop(consumer.poll(POLL));
        }
        drop(consumer);
    };
    thread::Builder::new().name("kafka-member".into()).spawn(run).map(drop)
}
