//! A shard that must not go on here is given back, and the node's other shards go on.

use std::{sync::Arc, time::Duration};

use palinode::{
    Invalid, Micros, Node, NodeBuilder, Record, Service, Topic,
    commit::FORMAT,
    health::{ShardHealth, Stage},
    receipt::Told,
};

use crate::world::{World, clients, living_on};

fn shard(node: &Node, nth: u32) -> ShardHealth {
    node.health().into_iter().find(|shard| (&*shard.service, shard.shard) == ("bank", nth)).unwrap()
}

fn is_stopped(node: &Node, nth: u32, why: &str) -> bool {
    matches!(shard(node, nth).stage, Stage::Stopped { why: said } if said.contains(why))
}

/// A process that runs the same service and has no kinds at all: it cannot read what the other one writes.
async fn blind(world: &World, name: &str) -> Node {
    let builder = NodeBuilder::new(name).partitions(1).limits(world.limits).inbox();
    builder.service(Service::new("bank")).start(world.parts(name)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_one_process_cannot_read_is_given_back_to_one_that_can() {
    // Given a counter on the first of two shards
    let world = World::of_one_shard();
    let a = world.node("a").await;
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("c", 1)).await, 1);
    // When its process dies, and there is one only that does not know counters
    let b = blind(&world, "b").await;
    a.crash().await;
    world.until("b stops there", |_| is_stopped(&b, 0, "kind \"counter\" is not served here")).await;
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(world.cluster.held_by("bank", "b"), [0]);
    // Then that one gives it to the next that comes, and the counter goes on
    let a = world.node("a").await;
    world.until("it is given back", |_| world.cluster.held_by("bank", "a") == [0]).await;
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("c", 1)).await, 2);
    assert!(is_stopped(&b, 0, ".retired(\"counter\")"), "{:?}", b.health());
    b.crash().await;
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_given_up_is_passed_over_when_that_is_said() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    a.crash().await;
    let builder = NodeBuilder::new("b").partitions(1).service(Service::new("bank").retired("counter"));
    let b = builder.start(world.parts("b")).await.unwrap();
    world.until("b serves", |_| shard(&b, 0).stage == Stage::Serving).await;
    let told = world.ask(&b.client(), &world.add("c", 1)).await;
    assert!(matches!(told, Told::Invalid(Invalid::NotServed { .. })), "{told:?}");
    world.finish(vec![b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_alone_keeps_what_has_stopped_and_its_other_shards_go_on() {
    // Given a record of a newer build on the first of two shards
    let world = World::of_two_services(2);
    let a = world.node("a").await;
    let client = clients(&[&a]);
    let counters = [living_on("counter", 0, 2), living_on("counter", 1, 2)];
    for counter in &counters {
        world.accepted(&client, &world.add(counter, 1)).await;
    }
    let newer = Record::ours(Arc::from(""), b"{\"t\":\"commit\"}".to_vec(), Micros(0));
    world.cluster.inject(&Topic::events("bank"), 0, Record { mark: Some(FORMAT + 1), ..newer });
    world.until("it stops", |_| is_stopped(&a, 0, "run a newer build")).await;
    // Then the other one is served on, by the same claim, however long nobody comes
    for n in 2..100 {
        assert_eq!(world.accepted(&client, &world.add(&counters[1], 1)).await, n);
        world.pass(Duration::from_secs(7)).await;
    }
    assert_eq!(world.truth().shard("bank", 1).claims.len(), 1);
    assert!(is_stopped(&a, 0, &format!("format {}", FORMAT + 1)), "{:?}", a.health());
    // And when somebody comes it is given back; nobody of this build claims it
    let b = world.node("b").await;
    world.until("b stops there too", |_| is_stopped(&b, 0, "run a newer build")).await;
    assert_eq!(world.truth().shard("bank", 0).claims.len(), 1, "nobody claims a log it cannot read");
    // And however often they give it to each other, the other shard is served, and moves ever more seldom
    for n in 0..500 {
        assert_eq!(world.accepted(&clients(&[&a, &b]), &world.add(&counters[1], 1)).await, 100 + n);
        world.pass(Duration::from_secs(7)).await;
    }
    let moves = world.truth().shard("bank", 1).claims.len();
    assert!((2..20).contains(&moves), "{moves}");
    assert_eq!(world.truth().shard("bank", 0).claims.len(), 1);
    b.crash().await;
    a.crash().await;
}
