//! The desk: one thread that opens and closes readings on a few consumers, spreads them, and ends those that nobody uses
//! any more. It never takes a record from a queue; that is the reads' own business.
//!
//! A consumer fetches a partition once. A second reading of it goes to another consumer of the class, or waits until an
//! unused one has ended. A consumer that has lost the way to a partition, as producers do (`producer/silent.rs`), retires: it
//! serves the readings it has, and another opens those to come.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, base_consumer::PartitionQueue},
    error::KafkaError,
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    super::{
        context::Told,
        error::{passing, words},
        lane::Lane,
        settings::{KafkaSettings, Role},
    },
    stream::{Place, Stream},
};
use crate::log::LogError;

/// What a consumer is for. A partition that is read from far behind makes large answers; an inbox must not wait for them,
/// and a single record for nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Events,
    Tail,
    Gap,
}

/// The consumers. Two readers of the same partition (its owner and a projection) need two.
const CONSUMERS: [Class; 6] =
    [Class::Events, Class::Events, Class::Tail, Class::Tail, Class::Gap, Class::Gap];
/// How often unused readings are looked for, and librdkafka's own news taken.
const SWEEP: Duration = Duration::from_millis(500);
/// How often a place is looked for when somebody waits for one.
const CROWDED: Duration = Duration::from_millis(5);
/// Sweeps after which an unused reading ends.
const SWEEPS: u32 = 4;
/// How long a consumer remembers for certain who leads the partitions of a topic, and how long it waits to be told.
const LEADERS: (Duration, Duration) = (Duration::from_secs(300), Duration::from_millis(500));

/// What the desk is asked.
pub(super) enum Command {
    /// Begin a reading.
    Open(Open),
    /// A reading has ended.
    Close {
        /// Which.
        place: Place,
        /// Its queue: it must live as long as the assignment.
        queue: PartitionQueue<Told>,
    },
    /// The consumer of this reading does not get what is there.
    Retire(Place),
}

/// A reading to be.
pub(super) struct Open {
    lane: Arc<Lane>,
    class: Class,
    from: u64,
    /// For the reading, to say that it has ended.
    desk: Sender<Command>,
    answer: oneshot::Sender<Result<Stream, LogError>>,
}

/// The way to the desk. Its thread ends when nobody can ask it anything any more.
pub(super) struct Desk(Sender<Command>);

impl Desk {
    pub(super) fn start(settings: &KafkaSettings) -> Result<Self, LogError> {
        let slots = CONSUMERS.map(|class| Slot::start(settings, class));
        let slots = slots.into_iter().collect::<Result<Vec<Slot>, LogError>>()?;
        let (desk, commands) = channel();
        let worker = Worker { settings: settings.clone(), slots, retired: Vec::new(), waiting: Vec::new() };
        let spawned = thread::Builder::new().name("kafka-desk".into()).spawn(move || worker.run(&commands));
        spawned.map_err(|e| LogError::retry(format!("no thread for reading: {e}")))?;
        Ok(Self(desk))
    }

    /// A reading from this offset on.
    pub(super) async fn open(&self, lane: &Arc<Lane>, class: Class, from: u64) -> Result<Stream, LogError> {
        let gone = || LogError::stop(format!("{lane}: the reading thread ended: start again"));
        let (answer, opened) = oneshot::channel();
        let open = Open { lane: Arc::clone(lane), class, from, desk: self.0.clone(), answer };
        self.0.send(Command::Open(open)).map_err(|_| gone())?;
        opened.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// A consumer and what it fetches.
struct Slot {
    class: Class,
    consumer: Arc<BaseConsumer<Told>>,
    lanes: BTreeMap<(Arc<str>, i32), Arc<Lane>>,
    /// When it last asked who leads the partitions of a topic.
    asked: BTreeMap<Arc<str>, Instant>,
}

impl Slot {
    fn start(settings: &KafkaSettings, class: Class) -> Result<Self, LogError> {
        let role = if class == Class::Gap { Role::Gap } else { Role::Reader };
        let made = settings.client(&role).create_with_context(Told::to("reader"));
        let consumer: BaseConsumer<Told> = made.map_err(|e| passing("a consumer", &e))?;
        Ok(Self { class, consumer: Arc::new(consumer), lanes: BTreeMap::new(), asked: BTreeMap::new() })
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

    fn fetches(&self, lane: &Lane) -> bool {
        self.lanes.contains_key(&(Arc::clone(&lane.topic), lane.number))
    }
}

struct Worker {
    settings: KafkaSettings,
    slots: Vec<Slot>,
    /// Consumers that get no more readings.
    retired: Vec<Slot>,
    /// Readings of partitions that every consumer of their class fetches already.
    waiting: Vec<Open>,
}

impl Worker {
    fn run(mut self, commands: &Receiver<Command>) {
        let mut swept = Instant::now();
        loop {
            let pause = if self.waiting.is_empty() { SWEEP } else { CROWDED };
            match commands.recv_timeout(pause) {
                Ok(Command::Open(open)) => self.open(open),
                Ok(Command::Close { place, queue }) => self.close(&place, queue),
                Ok(Command::Retire(place)) => self.retire(&place),
                // Those in use are put down between two pages.
                Err(RecvTimeoutError::Timeout) => self.waiting.iter().for_each(|open| open.lane.evict()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.sweep();
                self.listen();
            }
        }
    }

    fn open(&mut self, open: Open) {
        if open.answer.is_closed() {
            return;
        }
        let free = self.slots.iter_mut().filter(|slot| slot.class == open.class && !slot.fetches(&open.lane));
        let Some(slot) = free.min_by_key(|slot| slot.lanes.len()) else {
            open.lane.evict();
            return self.waiting.push(open);
        };
        let Open { lane, from, desk, answer, .. } = open;
        slot.learn(&lane.topic);
        let begun = begin(slot, &lane, from).map(|(queue, news)| {
            slot.lanes.insert((Arc::clone(&lane.topic), lane.number), Arc::clone(&lane));
            let place = Place { consumer: Arc::clone(&slot.consumer), lane: Arc::clone(&lane) };
            Stream::new(place, queue, news, from, desk)
        });
        // Whoever gave up drops the reading, which closes it.
        drop(answer.send(begun.map_err(|e| passing(&format!("{lane}, record {from}"), &e))));
    }

    fn close(&mut self, place: &Place, queue: PartitionQueue<Told>) {
        let Place { consumer, lane } = place;
        let mut slots = self.slots.iter_mut().chain(&mut self.retired);
        if let Some(slot) = slots.find(|slot| Arc::ptr_eq(&slot.consumer, consumer)) {
            slot.lanes.remove(&(Arc::clone(&lane.topic), lane.number));
            let mut list = TopicPartitionList::new();
            list.add_partition(&lane.topic, lane.number);
            if let Err(e) = consumer.incremental_unassign(&list) {
                tracing::warn!(%lane, "a reading was not ended in order: {}", words(&e));
            }
        }
        drop(queue);
        end(self.retired.extract_if(.., |slot| slot.lanes.is_empty()).collect());
        std::mem::take(&mut self.waiting).into_iter().for_each(|open| self.open(open));
    }

    fn retire(&mut self, place: &Place) {
        let mut slots = self.slots.iter_mut();
        let Some(slot) = slots.find(|slot| Arc::ptr_eq(&slot.consumer, &place.consumer)) else { return };
        let lane = &place.lane;
        match Slot::start(&self.settings, slot.class) {
            Ok(fresh) => {
                tracing::error!(%lane, "a consumer does not get what is there, and is replaced");
                self.retired.push(std::mem::replace(slot, fresh));
            }
            Err(e) => {
                tracing::error!(%lane, "a consumer does not get what is there, and cannot be replaced: {e}");
            }
        }
    }

    fn sweep(&mut self) {
        for slot in self.slots.iter().chain(&self.retired) {
            slot.lanes.values().for_each(|lane| lane.sweep(SWEEPS));
        }
    }

    /// Takes librdkafka's own news; nothing that was fetched comes this way.
    fn listen(&self) {
        for slot in self.slots.iter().chain(&self.retired) {
            while let Some(told) = slot.consumer.poll(Duration::ZERO) {
                match told {
                    Ok(message) => {
                        use rdkafka::Message as _;
                        tracing::warn!(topic = message.topic(), "a record came past its queue");
                    }
                    Err(e) => tracing::debug!("a reader: {}", words(&e)),
                }
            }
        }
    }
}

/// Ends consumers. They take their time, and must not take ours.
fn end(consumers: Vec<Slot>) {
    if consumers.is_empty() {
        return;
    }
    if let Err(e) = thread::Builder::new().name("kafka-end".into()).spawn(move || drop(consumers)) {
        tracing::warn!("no thread to end consumers on: {e}");
    }
}

/// Lets a consumer fetch a partition from this offset on, into a queue of its own.
fn begin(slot: &Slot, lane: &Lane, from: u64) -> Result<(PartitionQueue<Told>, Arc<Notify>), KafkaError> {
    let unknown = || KafkaError::Subscription(format!("no queue for {lane}"));
    let news = Arc::new(Notify::new());
    // First the queue, then the assignment: else what was fetched meanwhile would come out of order.
    let mut queue = slot.consumer.split_partition_queue(&lane.topic, lane.number).ok_or_else(unknown)?;
    let tell = Arc::clone(&news);
    queue.set_nonempty_callback(move || tell.notify_one());
    let mut list = TopicPartitionList::new();
    let offset = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
    list.add_partition_offset(&lane.topic, lane.number, offset)?;
    slot.consumer.incremental_assign(&list)?;
    Ok((queue, news))
}

#[cfg(test)]
mod tests {
    use rdkafka::{
        mocking::MockCluster,
        producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _},
    };

    use super::*;
    use crate::{address, commit::Genesis, log::kafka::lane::Served};

    /// The desk without its thread.
    struct World {
        cluster: MockCluster<'static, DefaultProducerContext>,
        worker: Worker,
        served: Served,
        desk: (Sender<Command>, Receiver<Command>),
    }

    impl World {
        fn new() -> Self {
            let cluster = MockCluster::new(1).unwrap();
            cluster.create_topic("hotel.inbox", 2, 1).unwrap();
            let settings = KafkaSettings::new(cluster.bootstrap_servers());
            let genesis =
                Genesis { log_id: uuid::Uuid::nil(), service: "hotel".into(), partitions: 2, format: 1 };
            let served = Served::new(&settings, genesis);
            let slots = vec![Slot::start(&settings, Class::Tail).unwrap()];
            let worker = Worker { settings, slots, retired: Vec::new(), waiting: Vec::new() };
            Self { cluster, worker, served, desk: channel() }
        }

        fn open(&mut self, partition: u32) -> Stream {
            let lane = self.served.lane(address::Stream::Inbox, partition).unwrap().unwrap();
            let (answer, mut opened) = oneshot::channel();
            let desk = self.desk.0.clone();
            self.worker.open(Open { lane, class: Class::Tail, from: 0, desk, answer });
            opened.try_recv().unwrap().unwrap()
        }

        /// Does what was asked of it.
        fn work(&mut self) {
            while let Ok(command) = self.desk.1.try_recv() {
                match command {
                    Command::Open(open) => self.worker.open(open),
                    Command::Close { place, queue } => self.worker.close(&place, queue),
                    Command::Retire(place) => self.worker.retire(&place),
                }
            }
        }

        fn write(&self, partition: i32) {
            let mut config = rdkafka::ClientConfig::new();
            let producer: BaseProducer =
                config.set("bootstrap.servers", self.cluster.bootstrap_servers()).create().unwrap();
            let record = BaseRecord::<str, str>::to("hotel.inbox").partition(partition).payload("x");
            producer.send(record).unwrap();
            producer.flush(Duration::from_secs(10)).unwrap();
        }
    }

    async fn next(reading: &mut Stream) -> u64 {
        loop {
            let Ok(page) = reading.page(10) else { panic!("it is broken") };
            if let Some(first) = page.first() {
                return first.offset;
            }
            reading.news().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_consumer_that_retires_serves_the_readings_it_has_and_another_those_to_come() {
        let mut world = World::new();
        let (mut stays, lost) = (world.open(0), world.open(1));
        // When one of its readings does not get what is there
        lost.give_consumer_up();
        drop(lost);
        world.work();
        // Then the other goes on
        world.write(0);
        assert_eq!(next(&mut stays).await, 0);
        assert_eq!(world.worker.retired.len(), 1);
        // And the lost one is opened anew, by a consumer that takes its place
        world.write(1);
        assert_eq!(next(&mut world.open(1)).await, 0);
        // And it ends with its last reading
        drop(stays);
        world.work();
        assert!(world.worker.retired.is_empty());
    }
}
