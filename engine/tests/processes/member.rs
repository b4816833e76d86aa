//! A node that is given shards and cannot serve them.

use std::time::Duration;

use palinode::{health::Stage, log::memory::Next};

use crate::world::{World, clients};

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_serve_leaves_the_group_and_comes_back() {
    // Given a node whose appends are all refused, and which has the only shard
    let world = World::of_one_shard();
    for _ in 0..30 {
        world.cluster.next_append("a", Next::Refuse);
    }
    let (a, b) = (world.node("a").await, world.node("b").await);
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(
        (a.health()[0].stage.clone(), world.cluster.held_by("bank", "a")),
        (Stage::Recovering, vec![0])
    );
    // Then it gives way to another after a while, and says why
    world.until("b serves", |_| b.health()[0].stage == Stage::Serving).await;
    assert!(a.health()[0].to_string().starts_with("bank/0 is away; "), "{:?}", a.health());
    assert_eq!(world.accepted(&clients(&[&a, &b]), &world.add("x", 1)).await, 1);
    // And when that one is gone, it is there again
    b.crash().await;
    world.until("a serves", |_| a.health()[0].stage == Stage::Serving).await;
    assert_eq!(a.health()[0].to_string(), "bank/0 is serving");
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("x", 1)).await, 2);
    world.finish(vec![a]).await;
}
