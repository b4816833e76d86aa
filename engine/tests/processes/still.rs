//! An owner that makes no progress is seen, and gives way to another.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use palinode::{
    Log, Node, Record, Topic,
    health::Stage,
    log::{Append, Created, LogError, Membership, Stored, memory::Next},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{World, clients, count};

#[tokio::test(start_paused = true)]
async fn an_owner_whose_commits_are_never_reported_gives_up_its_shard() {
    // Given an owner with a commit in flight of which nothing is heard
    let world = World::of_one_shard();
    let (a, b) = (world.node("a").await, world.node("b").await);
    world.cluster.assign("bank", 0, "a");
    world.until("a serves", |_| a.health()[0].stage == Stage::Serving).await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    world.cluster.next_append("a", Next::Hold);
    let message = world.add("c", 1);
    let held = world.send(&clients(&[&b]), message.clone());
    world.until("it is in flight", |_| world.cluster.in_flight() == 1).await;
    // Then it is seen first
    world.until("a is in trouble", |_| a.health()[0].trouble.is_some()).await;
    let told = a.health()[0].to_string();
    assert!(told.starts_with("bank/0 is serving; its commits are not reported"), "{told}");
    // And then somebody else has the shard
    world.until("b serves", |_| b.health()[0].stage == Stage::Serving).await;
    let told = a.health()[0].to_string();
    assert!(told.starts_with("bank/0 is away; its commits are not reported"), "{told}");
    assert_eq!(count(&held.await.unwrap()), 2);
    // And what lands late is dead
    world.cluster.release("a");
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(world.accepted(&clients(&[&a, &b]), &world.add("c", 1)).await, 3);
    let truth = world.finish(vec![a, b]).await;
    assert_eq!(truth.of_id(message.id).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_waits_for_a_port_for_ever_gives_up_its_shard() {
    // Given an owner that stands where its database does not answer, while the rest of its node goes on
    let world = World::of_one_shard();
    let (stuck, a) = stuck_node(&world, "a").await;
    let b = world.node("b").await;
    world.cluster.assign("bank", 0, "a");
    world.until("a serves", |_| a.health()[0].stage == Stage::Serving).await;
    stuck.cancel();
    // Then it is seen, given up, and served elsewhere
    world.until("a is in trouble", |_| a.health()[0].trouble.is_some()).await;
    let told = a.health()[0].to_string();
    assert!(told.contains("its owner does not go on: nothing has moved for 15s"), "{told}");
    world.until("b serves", |_| b.health()[0].stage == Stage::Serving).await;
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 1)).await, 1);
    b.crash().await;
    a.crash().await;
}

/// A node whose log does not say any more where it ends, from when it is told.
async fn stuck_node(world: &World, name: &str) -> (CancellationToken, Node) {
    let stuck = CancellationToken::new();
    let mut parts = world.parts(name);
    parts.log = Arc::new(Stuck(parts.log, stuck.clone()));
    (stuck, world.node_with(name, parts).await)
}

struct Stuck(Arc<dyn Log>, CancellationToken);

#[async_trait]
impl Log for Stuck {
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append> {
        self.0.append(topic, partition, records)
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        self.0.read(topic, partition, from, limit).await
    }

    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError> {
        if self.1.is_cancelled() {
            std::future::pending::<()>().await;
        }
        self.0.end(topic, partition).await
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        self.0.create(service, partitions, log_id).await
    }

    async fn join(&self, service: &str) -> Result<Box<dyn Membership>, LogError> {
        self.0.join(service).await
    }
}
