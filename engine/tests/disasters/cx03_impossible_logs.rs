//! CX3, CX5, CX6, CX28: what a log that only grows cannot contain stops the shard that meets it, and no other.

use std::{sync::Arc, time::Duration};

use palinode::{
    Limits, Micros, Node, Record, Topic, codec,
    commit::{FORMAT, Genesis},
    log::memory::MemoryCluster,
    receipt::Told,
};
use uuid::Uuid;

use crate::world::{World, clients, living_on};

fn newer() -> Record {
    let record = Record::ours(Arc::from(""), b"{\"t\":\"commit\"}".to_vec(), Micros(0));
    Record { mark: Some(FORMAT + 1), ..record }
}

fn events(cluster: &MemoryCluster) -> Vec<Record> {
    cluster.records(&Topic::events("bank"), 0)
}

async fn why_halted(world: &World, node: &Node) -> String {
    world.until("a shard halts", |_| !node.halted().is_empty()).await;
    node.halted().concat()
}

#[tokio::test(start_paused = true)]
async fn cx03_a_newer_record_stops_its_shard_and_nothing_behind_it_is_acknowledged() {
    // Given two shards, one of which a newer build wrote to
    let world = World::of_two_services(2);
    let a = world.node("a").await;
    let client = clients(&[&a]);
    let counters = [living_on("counter", 0, 2), living_on("counter", 1, 2)];
    for counter in &counters {
        world.accepted(&client, &world.add(counter, 1)).await;
    }
    world.cluster.inject(&Topic::events("bank"), 0, newer());
    // When this build is asked to write behind that
    let told = world.ask(&a.client(), &world.add(&counters[0], 1)).await;
    // Then it cannot tell, it stops that shard with the reason, and the other one goes on
    assert!(matches!(told, Told::Unknown), "{told:?}");
    assert!(why_halted(&world, &a).await.contains("newer than this build"));
    assert_eq!(world.accepted(&client, &world.add(&counters[1], 1)).await, 2);
    // And no other node of this build goes past it
    a.crash().await;
    let b = world.node("b").await;
    assert!(why_halted(&world, &b).await.contains("newer than this build"));
    let truth = world.check();
    assert!(truth.shard("bank", 0).violation.is_some());
    assert_eq!(truth.shard("bank", 0).claims.len(), 1, "nobody claims a log it cannot read");
    b.crash().await;
}

#[tokio::test(start_paused = true)]
async fn cx05_a_partition_with_another_genesis_is_refused() {
    let world = World::of_two_services(2);
    world.node("a").await.crash().await;
    let genesis =
        Genesis { log_id: Uuid::from_u128(9), service: "bank".into(), partitions: 2, format: FORMAT };
    let record = codec::genesis_record(&genesis, Micros(0)).unwrap();
    world.cluster.replace(&Topic::events("bank"), 1, vec![record]);
    let a = world.node("a").await;
    assert!(why_halted(&world, &a).await.contains("genesis is of another log"));
    let client = clients(&[&a]);
    assert_eq!(world.accepted(&client, &world.add(&living_on("counter", 0, 2), 1)).await, 1);
    a.crash().await;
}

/// A world whose shard has this many commits and perhaps a snapshot; the log of every such world has one identity.
async fn grown(commits: i64, first: i64) -> (World, Node) {
    let mut world = World::of_one_shard();
    world.limits = Limits { snapshot_commits: 5, ..Limits::default() };
    let a = world.node("a").await;
    for n in 0..commits {
        world.accepted(&clients(&[&a]), &world.add("c", first + n)).await;
    }
    world.pass(Duration::from_millis(10)).await;
    (world, a)
}

#[tokio::test(start_paused = true)]
async fn cx06_a_log_restored_under_a_snapshot_is_refused_even_when_it_has_grown_past_it() {
    // Given a snapshot, and another history of the same log that is longer
    let (world, a) = grown(10, 0).await;
    assert!(a.counts().snapshots() > 0);
    a.crash().await;
    let (other, b) = grown(30, 100).await;
    b.crash().await;
    // When the log is replaced by it
    world.cluster.replace(&Topic::events("bank"), 0, events(&other.cluster));
    let a = world.node("a").await;
    // Then it is refused: the snapshot's last record is not there
    let why = why_halted(&world, &a).await;
    assert!(why.contains("its snapshot") && why.contains("restored"), "{why}");
    assert_eq!(events(&world.cluster).len(), events(&other.cluster).len(), "nothing is written to it");
    a.crash().await;
}

#[tokio::test(start_paused = true)]
async fn cx28_a_log_replaced_under_a_running_owner_stops_it() {
    let (world, a) = grown(3, 0).await;
    let (other, b) = grown(30, 100).await;
    b.crash().await;
    world.cluster.replace(&Topic::events("bank"), 0, events(&other.cluster));
    let told = world.ask(&a.client(), &world.add("c", 1)).await;
    assert!(matches!(told, Told::Unknown), "{told:?}");
    why_halted(&world, &a).await;
    a.crash().await;
}

#[tokio::test(start_paused = true)]
async fn cx28_a_log_truncated_under_a_running_owner_stops_it() {
    // Given three acknowledged commands
    let (world, a) = grown(3, 1).await;
    // When two of them are cut off, and the log grows again
    world.cluster.truncate(&Topic::events("bank"), 0, 3);
    let told = world.ask(&a.client(), &world.add("c", 1)).await;
    // Then the owner does not go on as if they had never been
    assert!(matches!(told, Told::Unknown), "{told:?}");
    let why = why_halted(&world, &a).await;
    assert!(why.contains("truncated"), "{why}");
    a.crash().await;
}

#[tokio::test(start_paused = true)]
async fn cx28_a_restored_log_in_which_everything_looks_late_stops_its_owner() {
    // Given an owner of the second term
    let (world, a) = grown(3, 1).await;
    a.crash().await;
    let a = world.node("a").await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    // When the log goes back to the first term, and grows by claims of it that came twice: dead, all of them
    let records = events(&world.cluster);
    let mut restored = records[..2].to_vec();
    restored.resize(records.len() + 1, records[1].clone());
    world.cluster.replace(&Topic::events("bank"), 0, restored);
    // Then the owner looks at what it stands on, and not only at what lies behind it
    let why = why_halted(&world, &a).await;
    assert!(why.contains("the last record proven here") && why.contains("restored"), "{why}");
    let told = world.ask(&a.client(), &world.add("c", 1)).await;
    assert!(matches!(told, Told::Unknown), "{told:?}");
    a.crash().await;
}

#[tokio::test(start_paused = true)]
async fn cx05_another_log_that_is_too_short_for_the_snapshot_is_refused_by_its_genesis() {
    // Given a snapshot of the second shard
    let mut world = World::of_two_services(2);
    world.limits = Limits { snapshot_commits: 5, ..Limits::default() };
    let a = world.node("a").await;
    let counter = living_on("counter", 1, 2);
    for n in 0..10 {
        world.accepted(&clients(&[&a]), &world.add(&counter, n)).await;
    }
    world.pass(Duration::from_millis(10)).await;
    assert!(a.counts().snapshots() > 0);
    a.crash().await;
    // When another log lies there, which does not reach so far
    let genesis =
        Genesis { log_id: Uuid::from_u128(9), service: "bank".into(), partitions: 2, format: FORMAT };
    let record = codec::genesis_record(&genesis, Micros(0)).unwrap();
    world.cluster.replace(&Topic::events("bank"), 1, vec![record]);
    // Then nobody waits for the record that the snapshot stands on
    let a = world.node("a").await;
    assert!(why_halted(&world, &a).await.contains("genesis is of another log"));
    a.crash().await;
}
