//! A whole node on Kafka: answers are durable over an orderly stop and over a crash.

#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    dead_code,
    reason = "helpers of tests"
)]

#[path = "embedded/bank.rs"]
mod bank;
#[path = "kafka_support/cluster.rs"]
mod cluster;

use std::{path::Path, sync::Arc};

use bank::{Account, Command, close};
use cluster::Cluster;
use palinode::{
    Aggregate, Answer, Client, Node, NodeBuilder, Service, SystemClock, SystemIds,
    node::Parts,
    store::sqlite::{SqliteDb, SqliteStore},
};
use tokio::task::JoinSet;
use uuid::Uuid;

/// A node on this place of the cluster, its snapshots in this folder.
async fn open(cluster: &Cluster, dir: &Path) -> Node {
    let db = SqliteDb::open(dir.join("read.db")).await.unwrap();
    let parts = Parts {
        log: cluster.creating().await,
        store: Arc::new(SqliteStore::new(db)),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
    };
    let bank = Service::new("bank").aggregate::<Account>();
    NodeBuilder::new("kafka test").service(bank).partitions(4).start(parts).await.unwrap()
}

/// The definite answer: an owner that is not there yet does not know.
async fn deposit(client: &Client, account: &str, amount: i64, id: Uuid) -> i64 {
    loop {
        match client.execute(Account::at(account).ask(Command::Deposit(amount))).with_id(id).await {
            Answer::Accepted(receipt) => return receipt.reply,
            Answer::Unknown { .. } | Answer::Overloaded => tokio::task::yield_now().await,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_repeated_id_gets_the_same_answer_across_a_crash() {
    let (cluster, dir) = (Cluster::new(), tempfile::tempdir().unwrap());
    let node = open(&cluster, dir.path()).await;
    let client = node.client();
    let id = client.fresh_id();
    let first = deposit(&client, "a", 5, id).await;
    assert_eq!(deposit(&client, "a", 5, id).await, first);
    node.crash().await;

    let node = open(&cluster, dir.path()).await;
    assert_eq!(deposit(&node.client(), "a", 5, id).await, first);
    assert_eq!(deposit(&node.client(), "a", 1, node.client().fresh_id()).await, first + 1);
    close(node).await;

    // Without snapshots too: they are derived.
    let empty = tempfile::tempdir().unwrap();
    let node = open(&cluster, empty.path()).await;
    assert_eq!(deposit(&node.client(), "a", 5, id).await, first);
    assert_eq!(node.halted(), Vec::<String>::new());
    close(node).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn many_commands_at_once_are_each_applied_once() {
    let (cluster, dir) = (Cluster::new(), tempfile::tempdir().unwrap());
    let node = open(&cluster, dir.path()).await;
    let mut tasks = JoinSet::new();
    for n in 0..2_000 {
        let client = node.client();
        tasks.spawn(async move {
            let id = client.fresh_id();
            deposit(&client, &format!("a{}", n % 50), 1, id).await
        });
    }
    tasks.join_all().await;

    let client = node.client();
    for n in 0..50 {
        let id = client.fresh_id();
        assert_eq!(deposit(&client, &format!("a{n}"), 0, id).await, 40, "{n}");
    }
    assert_eq!(node.halted(), Vec::<String>::new());
    close(node).await;
}
