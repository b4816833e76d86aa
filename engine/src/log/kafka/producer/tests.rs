//! The outcomes of appends, on librdkafka's own imitation of a cluster. It shows how errors come out, and nothing about
//! what a real broker does.

use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr as Fault},
};

use super::*;
use crate::{commit::Genesis, time::Micros};

const TOPIC: &str = "hotel.events";

struct World {
    cluster: MockCluster<'static, DefaultProducerContext>,
    pool: Pool,
    lane: Arc<Lane>,
}

impl World {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 2, 1).unwrap();
        let mut settings = KafkaSettings::new(cluster.bootstrap_servers());
        settings.producers = Some(1);
        let genesis =
            Genesis { log_id: uuid::Uuid::nil(), service: "hotel".into(), partitions: 2, format: 1 };
        let served = super::super::lane::Served::new(&settings, genesis);
        let lane = served.lane(Stream::Events, 0).unwrap().unwrap();
        Self { cluster, pool: Pool::start(&settings, 1).unwrap(), lane }
    }

    fn produce_fails(&self, faults: &[Fault]) {
        self.cluster.request_errors(RDKafkaApiKey::Produce, faults);
    }

    /// Which producer the lane belongs to.
    fn number(&self) -> u64 {
        self.pool.shared.as_ref().unwrap().producer(&self.lane).number
    }

    async fn append(&self, values: &[&str]) -> Append {
        let record = |v: &&str| Record::ours("room/1".into(), v.as_bytes().to_vec(), Micros(1_000_000));
        self.pool.append(&self.lane, values.iter().map(record).collect()).await
    }
}

#[tokio::test]
async fn a_delivery_tells_its_offsets() {
    let world = World::new();
    assert_eq!(world.append(&["a", "b"]).await, Append::Appended(vec![Some(0), Some(1)]));
    assert_eq!(world.append(&["c"]).await, Append::Appended(vec![Some(2)]));
    assert_eq!(world.lane.reached(), 3);
}

#[tokio::test]
async fn what_passes_is_tried_again_without_anybody_noticing() {
    let world = World::new();
    world.produce_fails(&[
        Fault::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Fault::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    ]);
    assert!(matches!(world.append(&["a"]).await, Append::Appended(_)));
}

#[tokio::test]
async fn what_finds_no_room_waits_in_its_order() {
    let world = World::new();
    assert!(matches!(world.append(&["a"]).await, Append::Appended(_)));
    world.cluster.broker_down(1).unwrap();
    // More than the driver's queue holds; the value is shared.
    let value = bytes::Bytes::from(vec![7; 1024 * 1024]);
    let large = || Record::ours("room/1".into(), value.clone(), Micros(1_000_000));
    let calls: Vec<_> = (0..300).map(|_| world.pool.append(&world.lane, vec![large()])).collect();
    let shared = world.pool.shared.as_ref().unwrap();
    assert!(shared.producer(&world.lane).is_behind());

    world.cluster.broker_up(1).unwrap();

    for (call, offset) in calls.into_iter().zip(1..) {
        assert_eq!(call.await, Append::Appended(vec![Some(offset)]));
    }
    assert!(!shared.producer(&world.lane).is_behind());
}

#[tokio::test]
async fn a_refusal_by_the_broker_is_unknown_and_the_producer_goes_on() {
    let world = World::new();
    assert!(matches!(world.append(&["a"]).await, Append::Appended(_)));
    world.produce_fails(&[Fault::RD_KAFKA_RESP_ERR_INVALID_RECORD]);
    let outcome = world.append(&["b"]).await;
    assert!(matches!(outcome, Append::Unknown(_)), "{outcome:?}");
    let after = world.append(&["c"]).await;
    assert!(matches!(after, Append::Appended(_)), "{after:?}");
}

#[tokio::test]
async fn a_producer_that_failed_for_good_is_replaced() {
    let world = World::new();
    assert!(matches!(world.append(&["a"]).await, Append::Appended(_)));
    let before = world.number();
    world.produce_fails(&[Fault::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
    let outcome = world.append(&["b"]).await;
    assert!(matches!(outcome, Append::Unknown(_)), "{outcome:?}");

    // Until it is replaced, appends fail; none of them is lost without a word.
    for _ in 0..100_000 {
        let after = world.append(&["c"]).await;
        if matches!(after, Append::Appended(_)) {
            return assert_ne!(world.number(), before);
        }
        tokio::task::yield_now().await;
    }
    panic!("it was not replaced");
}

#[tokio::test]
async fn a_producer_that_delivers_nothing_to_a_partition_with_a_leader_is_replaced() {
    let world = World::new();
    assert!(matches!(world.append(&["a"]).await, Append::Appended(_)));
    let before = world.number();
    world.produce_fails(&vec![Fault::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 10_000]);
    while world.number() == before {
        let outcome = world.append(&["b"]).await;
        assert!(matches!(outcome, Append::Unknown(_)), "{outcome:?}");
    }
    world.cluster.clear_request_errors(RDKafkaApiKey::Produce);
    let after = world.append(&["c"]).await;
    assert!(matches!(after, Append::Appended(_)), "{after:?}");
}

#[tokio::test]
async fn a_record_for_which_there_is_no_partition_is_not_appended() {
    let world = World::new();
    assert!(matches!(world.append(&["a"]).await, Append::Appended(_)));
    let settings = KafkaSettings::new(world.cluster.bootstrap_servers());
    let genesis = Genesis { log_id: uuid::Uuid::nil(), service: "hotel".into(), partitions: 9, format: 1 };
    let served = super::super::lane::Served::new(&settings, genesis);
    let lane = served.lane(Stream::Events, 8).unwrap().unwrap();
    let records = |n| (0..n).map(|_| Record::ours("".into(), "x", Micros(1_000_000))).collect();
    let outcome = world.pool.append(&lane, records(2)).await;
    assert!(matches!(outcome, Append::Refused(_)), "{outcome:?}");
}

#[tokio::test]
async fn appends_of_a_pool_that_is_dropped_are_unknown() {
    let World { cluster: _cluster, pool, lane } = World::new();
    let outcome = pool.append(&lane, vec![Record::ours("".into(), "a", Micros(1_000_000))]);
    drop(pool);
    assert!(matches!(outcome.await, Append::Unknown(_) | Append::Appended(_)));
}
