//! No disaster at all: the world works, and the checker sees what is there.

use crate::world::{World, clients, living_on};

#[tokio::test(start_paused = true)]
async fn messages_cross_services_and_nodes_and_are_answered() {
    let world = World::of_two_services(2);
    let (a, b) = (world.node("a").await, world.node("b").await);
    let both = clients(&[&a, &b]);
    for shard in 0..2 {
        for to in 0..2 {
            let order = world.order(&living_on("desk", shard, 2), &living_on("counter", to, 2), 3);
            world.tell(&both, &order).await;
        }
    }
    world.settle().await;
    for shard in 0..2 {
        assert_eq!(world.accepted(&both, &world.add(&living_on("counter", shard, 2), 0)).await, 6);
    }
    let truth = world.finish(vec![a, b]).await;
    assert_eq!(truth.0.iter().map(|p| p.dead).sum::<usize>(), 0);
}
