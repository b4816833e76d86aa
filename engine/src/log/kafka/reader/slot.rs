//! A consumer and the partitions that it fetches, each into a queue of its own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, base_consumer::PartitionQueue},
    error::KafkaError,
};
use tokio::{sync::Notify, time::Instant};

use super::{
    super::{
        context::Told,
        error::{passing, words},
        lane::Lane,
        settings::{KafkaSettings, Role},
    },
    stream::Place,
};
use crate::log::LogError;

/// How long a consumer remembers for certain who leads the partitions of a topic, and how long it waits to be told.
const LEADERS: (Duration, Duration) = (Duration::from_secs(300), Duration::from_millis(500));
/// Sweeps after which an unused reading ends.
const SWEEPS: u32 = 4;

/// What a consumer is for. A partition that is read from far behind makes large answers; an inbox must not wait for them,
/// and a single record for nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Events,
    Tail,
    Gap,
}

/// A consumer and what it fetches.
pub(super) struct Slot {
    pub(super) class: Class,
    consumer: Arc<BaseConsumer<Told>>,
    lanes: BTreeMap<(Arc<str>, i32), Arc<Lane>>,
    /// When it last asked who leads the partitions of a topic.
    asked: BTreeMap<Arc<str>, Instant>,
}

impl Slot {
    pub(super) fn start(settings: &KafkaSettings, class: Class) -> Result<Self, LogError> {
        let role = if class == Class::Gap { Role::Gap } else { Role::Reader };
        let made = settings.client(&role).create_with_context(Told::to("reader"));
        let consumer: BaseConsumer<Told> = made.map_err(|e| passing("a consumer", &e))?;
        Ok(Self { class, consumer: Arc::new(consumer), lanes: BTreeMap::new(), asked: BTreeMap::new() })
    }

    /// How many partitions it fetches.
    pub(super) fn load(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn fetches(&self, lane: &Lane) -> bool {
        self.lanes.contains_key(&(Arc::clone(&lane.topic), lane.number))
    }

    /// Whether this is its reading.
    pub(super) fn serves(&self, place: &Place) -> bool {
        Arc::ptr_eq(&self.consumer, &place.consumer)
    }

    /// Fetches a partition from this offset on, into a queue of its own, and tells when the queue is not empty any more.
    pub(super) fn begin(
        &mut self,
        lane: &Arc<Lane>,
        from: u64,
    ) -> Result<(Place, PartitionQueue<Told>, Arc<Notify>), KafkaError> {
        self.learn(&lane.topic);
        let unknown = || KafkaError::Subscription(format!("no queue for {lane}"));
        let news = Arc::new(Notify::new());
        // First the queue, then the assignment: else what was fetched meanwhile would come out of order.
        let mut queue = self.consumer.split_partition_queue(&lane.topic, lane.number).ok_or_else(unknown)?;
        let tell = Arc::clone(&news);
        queue.set_nonempty_callback(move || tell.notify_one());
        let mut list = TopicPartitionList::new();
        let offset = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
        list.add_partition_offset(&lane.topic, lane.number, offset)?;
        self.consumer.incremental_assign(&list)?;
        self.lanes.insert((Arc::clone(&lane.topic), lane.number), Arc::clone(lane));
        Ok((Place { consumer: Arc::clone(&self.consumer), lane: Arc::clone(lane) }, queue, news))
    }

    /// Fetches it no more.
    pub(super) fn end(&mut self, lane: &Lane) {
        self.lanes.remove(&(Arc::clone(&lane.topic), lane.number));
        let mut list = TopicPartitionList::new();
        list.add_partition(&lane.topic, lane.number);
        if let Err(e) = self.consumer.incremental_unassign(&list) {
            tracing::warn!(%lane, "a reading was not ended in order: {}", words(&e));
        }
    }

    /// Ends readings that nobody has used for a while.
    pub(super) fn sweep(&self) {
        self.lanes.values().for_each(|lane| lane.sweep(SWEEPS));
    }

    /// Takes librdkafka's own news; nothing that was fetched comes this way.
    pub(super) fn listen(&self) {
        while let Some(told) = self.consumer.poll(Duration::ZERO) {
            match told {
                Ok(message) => tracing::warn!(topic = message.topic(), "a record came past its queue"),
                Err(e) => tracing::debug!("a reader: {}", words(&e)),
            }
        }
    }

    /// Has the consumer know who leads the partitions of a topic: by itself it looks for the leaders of a new one once a
    /// second, and the next owner of a shard would wait for that. When nobody tells, it finds out by itself.
    fn learn(&mut self, topic: &Arc<str>) {
        if self.asked.get(topic).is_some_and(|asked| asked.elapsed() < LEADERS.0) {
            return;
        }
        if let Err(e) = self.consumer.fetch_metadata(Some(topic), LEADERS.1) {
            tracing::debug!(topic = %topic, "who leads its partitions was not told: {}", words(&e));
        }
        self.asked.insert(Arc::clone(topic), Instant::now());
    }
}
