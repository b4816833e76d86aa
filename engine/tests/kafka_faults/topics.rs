//! Topics that change under running nodes.

use palinode::{Aggregate, Answer, log::Created};
use rdkafka::{
    admin::{AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication},
    types::RDKafkaErrorCode as Code,
};

use crate::{cluster::options, world::*};

impl World {
    async fn delete(&self, topic: &str) {
        let name = self.cluster.topic(topic);
        self.cluster.admin().delete_topics(&[&name], &options()).await.unwrap().remove(0).unwrap();
    }

    /// An empty topic where there was one: as soon as the cluster is ready for that.
    async fn empty(&self, topic: &str) {
        let name = self.cluster.topic(topic);
        let shards = i32::try_from(SHARDS).unwrap();
        let new = NewTopic::new(&name, shards, TopicReplication::Fixed(1))
            .set("retention.ms", "-1")
            .set("max.message.bytes", "2097152");
        loop {
            match self.cluster.admin().create_topics([&new], &options()).await.unwrap().remove(0) {
                Ok(_) => return,
                Err((_, Code::TopicAlreadyExists)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    /// How large records of `events` may be.
    async fn at_most(&self, bytes: &str) {
        let name = self.cluster.topic("bank.events");
        let settings = [
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
            ("message.timestamp.after.max.ms", "60000"),
            ("max.message.bytes", bytes),
        ];
        let all = settings
            .into_iter()
            .fold(AlterConfig::new(ResourceSpecifier::Topic(&name)), |all, (key, value)| all.set(key, value));
        self.cluster.admin().alter_configs([&all], &options()).await.unwrap().remove(0).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_topic_that_is_deleted_under_its_owners_stops_them() {
    let world = World::new();
    let node = world.node("node").await;
    let account = account_on(0);
    assert_eq!(deposit(&node.client(), &account).await, 1);
    world.delete("bank.events").await;
    until("both stop", &node, || (0..SHARDS).all(|nth| stopped(&node, nth, "is not there"))).await;
    assert!(matches!(ask(&node.client(), &account).await, Answer::Unknown { .. }));
    node.crash().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_topic_that_is_recreated_under_its_owners_is_not_taken_for_their_log() {
    let world = World::new();
    let node = world.node("node").await;
    let accounts = [account_on(0), account_on(1)];
    for n in 1..=5 {
        for account in &accounts {
            assert_eq!(deposit(&node.client(), account).await, n);
        }
    }
    // When there is an empty one in its place
    world.delete("bank.events").await;
    world.empty("bank.events").await;
    // Then nothing more is acknowledged, and both say why
    for account in &accounts {
        assert!(matches!(ask(&node.client(), account).await, Answer::Unknown { .. }));
    }
    let why = |nth| {
        stopped(&node, nth, "truncated")
            || stopped(&node, nth, "no genesis")
            || stopped(&node, nth, "not a log of ours")
    };
    until("both stop", &node, || (0..SHARDS).all(why)).await;
    node.crash().await;
    // And neither does it become the log of somebody else by itself
    let there = world.cluster.connected().await;
    assert!(matches!(
        palinode::Log::create(&*there, "bank", SHARDS, uuid::Uuid::nil()).await,
        Created::Refused(_)
    ));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn partitions_that_are_added_under_its_owners_stop_them_within_the_hour() {
    let world = World::new();
    let node = world.node("node").await;
    let account = account_on(0);
    assert_eq!(deposit(&node.client(), &account).await, 1);
    let events = world.cluster.topic("bank.events");
    let more = [NewPartitions::new(&events, 4)];
    world.cluster.admin().create_partitions(&more, &options()).await.unwrap().remove(0).unwrap();
    assert_eq!(deposit(&node.client(), &account).await, 2);
    // When an hour is over
    world.clock.lock().unwrap().hour.notify_one();
    // Then they stop
    let says = format!("topic {events} has 4 partitions and genesis says {SHARDS}");
    until("both stop", &node, || (0..SHARDS).all(|nth| stopped(&node, nth, &says))).await;
    assert!(matches!(ask(&node.client(), &account).await, Answer::Unknown { .. }));
    node.crash().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_record_that_is_too_large_for_an_altered_topic_is_not_lost() {
    // Given a topic that takes small records only, since a moment
    let world = World::new();
    let node = world.node("node").await;
    assert_eq!(deposit(&node.client(), &account_on(0)).await, 1);
    world.at_most("2000").await;
    // When a large one comes
    let client = node.client().with_patience(std::time::Duration::from_secs(5));
    let (id, text) = (client.fresh_id(), "x".repeat(5_000));
    let told = client.execute(Page::at("p").ask(text.clone())).with_id(id).await;
    assert!(matches!(told, Answer::Unknown { .. }), "{told:?}");
    // Then the service stops and says why
    until("both stop", &node, || (0..SHARDS).all(|nth| stopped(&node, nth, "max.message.bytes=2000"))).await;
    node.crash().await;
    // And when the topic is mended, the same command is done, once
    world.at_most("2097152").await;
    let node = world.node("node").await;
    for _ in 0..2 {
        let reply = loop {
            match node.client().execute(Page::at("p").ask(text.clone())).with_id(id).await {
                Answer::Accepted(receipt) => break receipt.reply,
                Answer::Unknown { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(reply, 5_000);
    }
    assert_eq!(deposit(&node.client(), &account_on(0)).await, 2);
    crate::bank::close(node).await;
}
