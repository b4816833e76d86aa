//! Levels: what goes up and comes down again.

use std::time::Duration;

use palinode::{Limits, log::memory::Faults};

use crate::world::{World, clients};

#[tokio::test(start_paused = true)]
async fn shards_are_owned_by_one_of_two_nodes() {
    // Given two nodes
    let world = World::of_two_services(4);
    let (a, b) = world.apart().await;
    let level = |what: &str| (world.heard.level("bank", what), world.heard.level("desk", what));
    world.until("all are served", |_| level("owned") == (Some(4.0), Some(4.0))).await;
    // Then both know how many there are
    assert_eq!(level("shards"), (Some(8.0), Some(8.0)));
    // When one dies, then what it owned is nobody's until it is noticed
    world.dies_unnoticed(b).await;
    assert_eq!(level("owned"), (Some(0.0), Some(4.0)));
    assert_eq!(level("shards"), (Some(4.0), Some(4.0)), "and the dead one says nothing");
    world.until("taken over", |_| level("owned") == (Some(4.0), Some(4.0))).await;
    world.finish(vec![a]).await;
    assert_eq!(world.heard.levels_now(), [], "nobody is left");
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_seen_while_the_log_is_slow() {
    // Given a slow log
    let mut world = World::of_one_shard();
    world.limits = Limits { pipeline: 4, ..Limits::default() };
    let node = world.node("a").await;
    world.accepted(&clients(&[&node]), &world.add("c", 1)).await;
    let level = |what: &str| world.heard.level("bank", what).unwrap();
    assert_eq!((level("queue"), level("pipeline")), (0.0, 0.0));
    world.cluster.set_faults(Faults { latency: Duration::from_secs(10), ..Faults::none() });
    // When many ask
    let asked: Vec<_> = (0..20).map(|_| world.asking(&node.client(), &world.add("c", 1))).collect();
    // Then what is in flight and what waits behind it are seen
    world.until("the pipeline is full", |_| level("pipeline") > 0.0 && level("queue") > 0.0).await;
    assert!(level("pipeline") <= 4.0 && level("queue") <= 20.0);
    // And when the log is itself again, nothing waits
    world.cluster.set_faults(Faults::none());
    for told in asked {
        told.await.unwrap();
    }
    world.until("nothing waits", |_| (level("queue"), level("pipeline")) == (0.0, 0.0)).await;
    world.finish(vec![node]).await;
}

#[tokio::test(start_paused = true)]
async fn messages_for_a_receiver_that_is_gone_are_the_relays_lag() {
    // Given a sender, and a receiver that is gone
    let world = World::of_two_services(1);
    let (a, b) = world.apart().await;
    world.dies_unnoticed(b).await;
    // When it sends
    world.tell(&clients(&[&a]), &world.order("d", "c", 7)).await;
    let relay = || world.heard.level("desk", "relay").unwrap();
    // Then so many wait, until somebody takes them
    world.until("they wait", |_| relay() == 7.0).await;
    world.settle().await;
    world.until("none waits", |_| relay() == 0.0).await;
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn messages_without_the_one_before_them_are_held() {
    // Given a sender whose clock is three minutes ahead
    let world = World::of_two_services(1);
    let wrong = world.clock.ahead(Duration::from_secs(180));
    let parts = palinode::node::Parts { clock: std::sync::Arc::new(wrong), ..world.parts("a") };
    let (a, b) = (world.node_with("a", parts).await, world.node("b").await);
    world.split().await;
    // When it sends, its messages are held back
    world.tell(&clients(&[&a]), &world.order("d", "c", 2)).await;
    world.until("they are held", |_| world.heard.level("bank", "held") == Some(2.0)).await;
    // And then no more
    world.pass(Duration::from_secs(60)).await;
    world.settle().await;
    world.until("none is held", |_| world.heard.level("bank", "held") == Some(0.0)).await;
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn commits_without_a_snapshot_are_its_lag() {
    let mut world = World::of_one_shard();
    world.limits = Limits { snapshot_after: Duration::from_secs(30), ..Limits::default() };
    let node = world.node("a").await;
    for _ in 0..10 {
        world.accepted(&clients(&[&node]), &world.add("c", 1)).await;
    }
    let lag = || world.heard.level("bank", "snapshot").unwrap();
    world.until("ten are not in it", |_| lag() == 10.0).await;
    world.until("all are in it", |_| lag() == 0.0).await;
    assert_eq!(node.counts().snapshots(), 1);
    world.finish(vec![node]).await;
}
