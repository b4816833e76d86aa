//! A member on librdkafka's own imitation of a cluster: what it answers when the group does not.

use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

use super::*;
use crate::{commit::Genesis, log::Confirmed};

/// A service of two shards on a cluster of one broker.
fn world() -> (MockCluster<'static, DefaultProducerContext>, KafkaSettings, Arc<Served>) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("hotel.inbox", 2, 1).unwrap();
    let settings = KafkaSettings::new(cluster.bootstrap_servers());
    let genesis = Genesis { log_id: uuid::Uuid::nil(), service: "hotel".into(), partitions: 2, format: 1 };
    let served = Arc::new(Served::new(&settings, genesis));
    (cluster, settings, served)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_confirmed_refused_or_not_known() {
    let (cluster, settings, served) = world();
    let mut member = Member::join(&settings, &served).unwrap();
    for _ in 0..2 {
        assert!(matches!(member.next().await, Some(Assignment::Assigned(0 | 1))));
    }
    let confirmer = member.confirmer();

    assert_eq!(confirmer.confirm(1).await, Confirmed::Yes);
    assert_eq!(confirmer.confirm(2).await, Confirmed::Refused);
    cluster.broker_down(1).unwrap();
    assert_eq!(confirmer.confirm(1).await, Confirmed::Unknown);
    cluster.broker_up(1).unwrap();
    while confirmer.confirm(1).await == Confirmed::Unknown {}
    drop(member);
    while confirmer.confirm(1).await != Confirmed::Refused {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_hears_that_no_broker_answers_and_that_one_does_again() {
    let (cluster, settings, served) = world();
    let mut member = Member::join(&settings, &served).unwrap();
    for _ in 0..2 {
        assert!(matches!(member.next().await, Some(Assignment::Assigned(_))));
    }
    cluster.broker_down(1).unwrap();
    let heard = member.next().await;
    assert!(matches!(&heard, Some(Assignment::Hindered(why)) if **why == *"no broker answers"), "{heard:?}");
    cluster.broker_up(1).unwrap();
    let heard = member.next().await;
    assert!(matches!(heard, Some(Assignment::Settled)), "{heard:?}");
}
