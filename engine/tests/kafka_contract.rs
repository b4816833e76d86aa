//! What the adapter relies on in Kafka, and what it makes of it: dense offsets under load, readers that do not disturb
//! each other, records of others.

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

use std::sync::Arc;

use cluster::Cluster;
use palinode::{
    Append, Log, Micros, Record, Topic,
    log::{
        Created,
        conformance::{SERVICE, log_id, read_all, record, texts},
        kafka::KafkaLog,
    },
};
use tokio::task::JoinSet;

async fn service(cluster: &Cluster, partitions: u32) -> Arc<KafkaLog> {
    let log = cluster.creating().await;
    let created = log.create(SERVICE, partitions, log_id(1)).await;
    assert!(matches!(created, Created::Ready { fresh: true, .. }), "{created:?}");
    log
}

fn offsets(append: Append) -> Vec<u64> {
    let Append::Appended(offsets) = append else { panic!("{append:?}") };
    offsets.into_iter().map(|offset| offset.unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn offsets_of_events_are_dense_under_load() {
    const PARTITIONS: u32 = 8;
    let mut cluster = Cluster::new();
    cluster.settings.producers = Some(4);
    let log = service(&cluster, PARTITIONS).await;
    let events = Topic::events(SERVICE);

    let mut tasks = JoinSet::new();
    for partition in 0..PARTITIONS {
        let (log, events) = (Arc::clone(&log), events.clone());
        tasks.spawn(async move {
            let mut next = 1;
            for round in 0..20 {
                let calls: Vec<_> = (0..64)
                    .map(|n| {
                        let records = (0..1 + n % 3).map(|nth| record(&format!("{round} {n} {nth}")));
                        log.append(&events, partition, records.collect())
                    })
                    .collect();
                for call in calls {
                    for offset in offsets(call.await) {
                        assert_eq!(offset, next, "{partition}");
                        next += 1;
                    }
                }
            }
            next
        });
    }
    let ends: Vec<u64> = tasks.join_all().await;

    let stored = read_all(&*log, &events, 0, 0).await;
    assert_eq!(stored.len() as u64, ends[0]);
    assert!(stored.iter().zip(0..).all(|(s, offset)| s.offset == offset));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn many_readers_of_one_partition_read_the_same() {
    let cluster = Cluster::new();
    let log = service(&cluster, 1).await;
    let inbox = Topic::inbox(SERVICE);
    let values: Vec<String> = (0..3_000).map(|n| format!("record {n}")).collect();
    offsets(log.append(&inbox, 0, values.iter().map(|v| record(v)).collect()).await);

    let mut readers = JoinSet::new();
    for reader in 0..7_u64 {
        let (log, inbox, values) = (Arc::clone(&log), inbox.clone(), values.clone());
        readers.spawn(async move {
            let (mut from, page) = (reader * 100, [1, 7, 500][usize::try_from(reader % 3).unwrap()]);
            let upto = from + page * 60;
            while from < upto.min(3_000) {
                let found = log.read(&inbox, 0, from, usize::try_from(page).unwrap()).await.unwrap();
                assert_eq!(found.first().unwrap().offset, from, "reader {reader}");
                for stored in &found {
                    assert_eq!(stored.offset, from);
                    assert_eq!(stored.record.value, values[usize::try_from(from).unwrap()]);
                    from += 1;
                }
            }
        });
    }
    readers.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_reader_that_waits_at_the_end_meets_what_comes() {
    let cluster = Cluster::new();
    let log = service(&cluster, 1).await;
    let inbox = Topic::inbox(SERVICE);
    let other = cluster.connected().await;
    assert!(log.read(&inbox, 0, 0, 100).await.unwrap().is_empty());

    for n in 0..200_u64 {
        // Another process's: nothing tells this one of it but the partition itself.
        if n == 0 {
            assert!(other.read(&inbox, 0, 0, 1).await.unwrap().is_empty());
        }
        assert_eq!(offsets(other.append(&inbox, 0, vec![record(&n.to_string())]).await), [n]);
        let found = loop {
            let found = log.read(&inbox, 0, n, 100).await.unwrap();
            if !found.is_empty() {
                break found;
            }
        };
        assert_eq!(texts(&found), [n.to_string()]);
    }
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn records_of_others_bear_no_mark() {
    let cluster = Cluster::new();
    let log = service(&cluster, 1).await;
    let inbox = Topic::inbox(SERVICE);
    let foreign = Record { mark: None, crc: None, ..record("foreign") };

    cluster.write("hotel.inbox", 0, &foreign);
    cluster.write("hotel.inbox", 0, &record("ours"));

    let stored = read_all(&*log, &inbox, 0, 0).await;
    assert_eq!(texts(&stored), ["foreign", "ours"]);
    assert_eq!((stored[0].record.mark, stored[0].record.crc), (None, None));
    assert_eq!((stored[1].record.mark, stored[1].record.crc), (record("ours").mark, record("ours").crc));
    // The broker's own clock stamps what lies in an inbox.
    assert!(stored[0].record.wall > Micros(1_700_000_000_000_000));
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_commit_far_ahead_of_the_brokers_clock_does_not_land() {
    let cluster = Cluster::new();
    let log = service(&cluster, 1).await;
    let events = Topic::events(SERVICE);
    let ahead = Record {
        wall: Micros(palinode::Clock::now(&palinode::SystemClock).0 + 3_600_000_000),
        ..record("x")
    };

    let outcome = log.append(&events, 0, vec![ahead]).await;

    assert!(matches!(outcome, Append::Unknown(_)), "{outcome:?}");
    assert_eq!(offsets(log.append(&events, 0, vec![record("now")]).await), [1]);
    assert_eq!(read_all(&*log, &events, 0, 1).await.len(), 1);
}

#[tokio::test]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn two_processes_that_create_at_once_agree() {
    let cluster = Cluster::new();
    let (one, two) = (cluster.creating().await, cluster.creating().await);

    let (a, b) = tokio::join!(one.create(SERVICE, 4, log_id(1)), two.create(SERVICE, 4, log_id(2)));

    let (Created::Ready { genesis: a, fresh: a_fresh }, Created::Ready { genesis: b, fresh: b_fresh }) =
        (&a, &b)
    else {
        panic!("{a:?}, {b:?}")
    };
    assert!(a == b && a_fresh != b_fresh);
    let third = cluster.connected().await;
    let there = Created::Ready { genesis: a.clone(), fresh: false };
    assert_eq!(third.create(SERVICE, 4, log_id(3)).await, there);
    // A genesis that was written twice is the same, so the second is dead.
    for partition in 0..4 {
        let stored = read_all(&*third, &Topic::events(SERVICE), partition, 0).await;
        assert!(stored.iter().all(|s| s.record.value == stored[0].record.value));
    }
}
