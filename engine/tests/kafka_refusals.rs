//! Topics that would lose or reorder records are refused before anything is done with them, each with what was found and
//! what to do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    dead_code,
    reason = "helpers of tests"
)]

#[path = "kafka_support/cluster.rs"]
mod cluster;

use cluster::{Cluster, options};
use palinode::{
    Log, Record, Topic, codec,
    commit::{FORMAT, Genesis},
    log::{
        Advice, Append, Created, LogError,
        conformance::{SERVICE, log_id, record, texts},
    },
    time::Micros,
};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{NewPartitions, NewTopic, TopicReplication},
};

/// Good topics without genesis, but for this setting of `events`.
async fn topics(cluster: &Cluster, change: Option<(&str, &str)>) {
    let names = ["events", "inbox", "replies"].map(|stream| cluster.topic(&format!("{SERVICE}.{stream}")));
    let mut new: Vec<NewTopic<'_>> = names
        .iter()
        .map(|name| {
            NewTopic::new(name, 2, TopicReplication::Fixed(1))
                .set("cleanup.policy", "delete")
                .set("retention.ms", "-1")
                .set("max.message.bytes", "2097152")
        })
        .collect();
    if let (Some(events), Some((key, value))) = (new.first_mut(), change) {
        events.config.retain(|(there, _)| *there != key);
        events.config.push((key, value));
    }
    for created in cluster.admin().create_topics(&new, &options()).await.unwrap() {
        created.unwrap();
    }
}

async fn refused(cluster: &Cluster) -> LogError {
    match cluster.creating().await.create(SERVICE, 2, log_id(1)).await {
        Created::Refused(error) => error,
        other => panic!("{other:?}"),
    }
}

async fn a_setting_is_refused(key: &str, value: &str, says: &str) {
    let cluster = Cluster::new();
    topics(&cluster, Some((key, value))).await;

    let error = refused(&cluster).await;

    assert_eq!(error.advice, Advice::Stop);
    let topic = cluster.topic("hotel.events");
    assert!(error.what.contains(&topic) && error.what.contains(says), "{error}");
    let log = cluster.connected().await;
    assert!(log.read(&Topic::events(SERVICE), 0, 0, 1).await.unwrap_err().what.contains(says));
    assert!(log.join(SERVICE).await.is_err());
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn compaction_is_refused() {
    a_setting_is_refused("cleanup.policy", "compact", "cleanup.policy=delete").await;
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn finite_retention_is_refused() {
    a_setting_is_refused("retention.ms", "604800000", "retention.ms=604800000").await;
    a_setting_is_refused("retention.bytes", "1000000", "retention.bytes=1000000").await;
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn unclean_leader_election_is_refused() {
    a_setting_is_refused("unclean.leader.election.enable", "true", "unclean").await;
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn topics_for_small_records_are_refused() {
    a_setting_is_refused("max.message.bytes", "1048588", "max.message.bytes=1048588").await;
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_service_is_created_by_an_explicit_act_only() {
    let cluster = Cluster::new();
    let log = cluster.connected().await;
    let Created::Refused(error) = log.create(SERVICE, 2, log_id(1)).await else { panic!("it is not there") };
    assert!(error.what.contains("create it first"), "{error}");
    topics(&cluster, None).await;
    let Created::Refused(error) = log.create(SERVICE, 2, log_id(1)).await else { panic!("no genesis") };
    assert!(error.what.contains("genesis is missing"), "{error}");

    let created = cluster.creating().await.create(SERVICE, 2, log_id(7)).await;

    let Created::Ready { genesis, fresh: true } = created else { panic!("{created:?}") };
    assert_eq!(log.create(SERVICE, 2, log_id(1)).await, Created::Ready { genesis, fresh: false });
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_creation_that_was_interrupted_is_finished() {
    let cluster = Cluster::new();
    topics(&cluster, None).await;
    cluster.write("hotel.events", 1, &genesis(SERVICE, 5));
    let there = cluster.connected().await.read(&Topic::events(SERVICE), 0, 0, 1).await.unwrap_err();
    assert!(there.what.contains("not created to the end"), "{there}");

    let created = cluster.creating().await.create(SERVICE, 2, log_id(1)).await;

    let Created::Ready { genesis, fresh: false } = created else { panic!("{created:?}") };
    assert_eq!(genesis.log_id, log_id(5));
}

fn genesis(service: &str, id: u128) -> Record {
    let genesis = Genesis { log_id: log_id(id), service: service.into(), partitions: 2, format: FORMAT };
    codec::genesis_record(&genesis, Micros(1_000_000)).unwrap()
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn another_log_is_refused() {
    for (first, second, says) in [
        (genesis(SERVICE, 5), genesis(SERVICE, 6), "two logs were mixed"),
        (genesis("flight", 5), genesis("flight", 5), "holds the log of service"),
        (record("something"), genesis(SERVICE, 5), "not a log of ours"),
        (Record { mark: None, crc: None, ..record("foreign") }, genesis(SERVICE, 5), "it is no genesis"),
    ] {
        let cluster = Cluster::new();
        topics(&cluster, None).await;
        cluster.write("hotel.events", 0, &first);
        cluster.write("hotel.events", 1, &second);
        let error = refused(&cluster).await;
        assert!(error.what.contains(says), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn partitions_that_were_added_are_refused() {
    for stream in ["inbox", "events"] {
        let cluster = Cluster::new();
        let log = cluster.creating().await;
        assert!(matches!(log.create(SERVICE, 2, log_id(1)).await, Created::Ready { .. }));
        let topic = cluster.topic(&format!("{SERVICE}.{stream}"));
        let added = cluster.admin().create_partitions(&[NewPartitions::new(&topic, 3)], &options()).await;
        added.unwrap().remove(0).unwrap();

        let error = loop {
            // A new partition has no leader at first.
            match cluster.connected().await.read(&Topic::events(SERVICE), 0, 0, 1).await.unwrap_err() {
                error if error.advice == Advice::Retry => {}
                error => break error,
            }
        };

        assert!(error.what.contains(&format!("{topic} has 3 partitions and genesis says 2")), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn history_that_was_deleted_is_refused() {
    let cluster = Cluster::new();
    let log = cluster.creating().await;
    assert!(matches!(log.create(SERVICE, 2, log_id(1)).await, Created::Ready { .. }));
    let events = cluster.topic("hotel.events");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&events, 1, Offset::Offset(1)).unwrap();
    cluster.admin().delete_records(&list, &options()).await.unwrap();

    let at_start = cluster.connected().await.read(&Topic::events(SERVICE), 0, 0, 1).await.unwrap_err();
    let on_the_way = log.read(&Topic::events(SERVICE), 1, 0, 100).await;

    assert!(at_start.what.contains("begins at record 1: history was deleted"), "{at_start}");
    // Nothing is read past a hole, by those who had looked before either.
    let on_the_way = on_the_way.unwrap_err();
    assert_eq!(on_the_way.advice, Advice::Stop);
    assert!(on_the_way.what.contains("history was deleted"), "{on_the_way}");
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn what_an_inbox_kept_too_short_is_read_from_where_it_begins() {
    let cluster = Cluster::new();
    let log = cluster.creating().await;
    assert!(matches!(log.create(SERVICE, 2, log_id(1)).await, Created::Ready { .. }));
    let inbox = Topic::inbox(SERVICE);
    let records = ["a", "b", "c", "d"].map(record).to_vec();
    assert!(matches!(log.append(&inbox, 0, records).await, Append::Appended(_)));
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&cluster.topic("hotel.inbox"), 0, Offset::Offset(2)).unwrap();
    cluster.admin().delete_records(&list, &options()).await.unwrap();

    for log in [log, cluster.connected().await] {
        let read = log.read(&inbox, 0, 0, 100).await.unwrap();
        assert_eq!(read.iter().map(|stored| stored.offset).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(texts(&read), ["c", "d"]);
    }
}
