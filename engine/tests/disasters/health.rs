//! What a node says of its shards while the world goes wrong around it.

use palinode::{
    Node, Record, Topic,
    health::Stage,
    log::memory::{Faults, Next},
};

use crate::world::World;

fn stage(node: &Node) -> Stage {
    node.health().remove(0).stage
}

async fn until(world: &World, node: &Node, wanted: Stage) {
    world.until(&format!("the shard is {wanted}"), |_| stage(node) == wanted).await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_serves_when_it_is_claimed_and_not_before() {
    // Given a log that refuses every append
    let world = World::of_one_shard();
    world.cluster.set_faults(Faults { refused: 1_000, ..Faults::none() });
    let node = world.node("a").await;
    // Then the shard does not serve, however long it is tried
    until(&world, &node, Stage::Recovering).await;
    for _ in 0..100 {
        assert_eq!(stage(&node), Stage::Recovering);
        world.pass(std::time::Duration::from_millis(100)).await;
    }
    // And when the log takes appends again, it does
    world.cluster.set_faults(Faults::none());
    until(&world, &node, Stage::Serving).await;
    // And what is told stands for all shards of all services
    let all: Vec<String> = node.health().iter().map(ToString::to_string).collect();
    assert_eq!(all, ["bank/0 is serving"]);
    // And an outcome that is unknown makes it begin again, until the log takes appends
    world.cluster.next_append("a", Next::Lose);
    world.cluster.set_faults(Faults { refused: 1_000, ..Faults::none() });
    let told = world.asking(&node.client(), &world.add("x", 1));
    until(&world, &node, Stage::Recovering).await;
    world.cluster.set_faults(Faults::none());
    until(&world, &node, Stage::Serving).await;
    told.await.unwrap();
    node.crash().await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_moves_is_away_and_one_that_must_not_go_on_says_why() {
    // Given a node that serves
    let world = World::of_one_shard();
    let a = world.node("a").await;
    until(&world, &a, Stage::Serving).await;
    // When the shard is given to another
    let b = world.node("b").await;
    assert!(world.cluster.assign("bank", 0, "b"));
    // Then it is away here and serves there
    until(&world, &a, Stage::Away).await;
    until(&world, &b, Stage::Serving).await;
    // And when a newer build has written to it, it stops, and says why
    let newer = Record { mark: Some(99), ..Record::ours("".into(), b"{}".to_vec(), palinode::Micros(0)) };
    assert!(world.cluster.inject(&Topic::events("bank"), 0, newer).is_some());
    world.until("the shard stops", |_| matches!(stage(&b), Stage::Stopped { .. })).await;
    assert!(b.health()[0].to_string().starts_with("bank/0 is stopped: "), "{:?}", b.health());
    assert_eq!(b.halted().len(), 1);
    a.crash().await;
    b.crash().await;
}
