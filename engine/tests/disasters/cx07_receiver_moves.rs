//! CX7, and both roads: the receiver moves while messages are handed over, and the road changes in mid-stream.

use palinode::log::memory::Next;

use crate::world::{World, clients};

#[tokio::test(start_paused = true)]
async fn cx07_messages_handed_over_in_memory_survive_the_move_of_their_receiver() {
    // Given both shards on one node, and a receiver whose commits do not land
    let world = World::of_two_services(1);
    let (a, b) = (world.node("a").await, world.node("b").await);
    let both = clients(&[&a, &b]);
    world.accepted(&both, &world.add("c", 1)).await;
    world.cluster.next_append("a", Next::HideOffsets);
    world.cluster.next_append("a", Next::Hold);
    world.tell(&both, &world.order("d", "c", 3)).await;
    world.until("the receiver's commits are in flight", |_| world.cluster.in_flight() == 1).await;
    // When the receiver moves, and what it had in flight dies
    world.cluster.steal("bank", 0, "b");
    world.until("b has claimed", |truth| truth.shard("bank", 0).claims.len() == 2).await;
    world.cluster.release("a");
    // Then the sender hands them over again, by the other road
    world.settle().await;
    assert_eq!(world.accepted(&both, &world.add("c", 0)).await, 4);
    assert!(world.inbox("bank", 0).iter().any(|key| key == "counter/c"), "they came through the inbox");
    let truth = world.finish(vec![a, b]).await;
    assert_eq!(truth.shard("bank", 0).dead, 3);
}

#[tokio::test(start_paused = true)]
async fn the_road_changes_in_mid_stream_and_every_message_arrives_once() {
    let world = World::of_two_services(2);
    let (a, b) = (world.node("a").await, world.node("b").await);
    let both = clients(&[&a, &b]);
    let mut sent = Vec::new();
    for round in 0_u32..24 {
        for desk in ["d0", "d1", "d2"] {
            sent.push(world.send(&both, world.order(desk, &format!("c{}", round % 3), 2)));
        }
        let to = if round % 2 == 0 { "a" } else { "b" };
        let service = if round % 3 == 0 { "desk" } else { "bank" };
        if round % 4 == 1 {
            world.cluster.steal(service, round / 2 % 2, to);
        } else {
            world.cluster.assign(service, round / 2 % 2, to);
        }
        world.pass(std::time::Duration::from_millis(u64::from(round * 7 % 50))).await;
    }
    for told in sent {
        told.await.unwrap();
    }
    world.settle().await;
    let mut sum = 0;
    for counter in ["c0", "c1", "c2"] {
        sum += world.accepted(&both, &world.add(counter, 0)).await;
    }
    assert_eq!(sum, 24 * 3 * 2);
    world.finish(vec![a, b]).await;
}
