//! The desk without its thread, on librdkafka's own imitation of a cluster.

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
