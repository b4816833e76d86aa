//! CX4, CX32: taking a shard when claims are slow and the group is silent. An assigned shard always gets an owner.

use std::time::Duration;

use palinode::log::memory::{Faults, Next};

use crate::world::{World, clients};

#[tokio::test(start_paused = true)]
async fn cx04_a_slow_claim_lands_first_and_the_assigned_node_claims_again() {
    // Given a node whose claim is late, and then loses the shard
    let world = World::of_one_shard();
    world.cluster.next_append("z", Next::Late);
    let z = world.node("z").await;
    world.pass(Duration::from_secs(1)).await;
    let a = world.node("a").await;
    world.cluster.next_append("a", Next::Hold);
    world.cluster.steal("bank", 0, "a");
    world.until("both claims are on their way", |_| world.cluster.in_flight() == 2).await;
    // When that slow claim lands before the new node's
    world.cluster.release("z");
    world.cluster.release("a");
    // Then the new node's claim is dead, and it claims again
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("c", 1)).await, 1);
    let truth = world.finish(vec![z, a]).await;
    let owners: Vec<_> = truth.shard("bank", 0).claims.iter().map(|c| &*c.owner).collect();
    assert_eq!((owners, truth.shard("bank", 0).dead), (vec!["z", "a"], 1));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_never_lands_or_whose_reply_is_lost_is_made_again_or_found() {
    for fate in [Next::Lose, Next::LoseReply, Next::Double, Next::Refuse, Next::HideOffsets] {
        let world = World::of_one_shard();
        world.cluster.next_append("a", fate);
        let a = world.node("a").await;
        assert_eq!(world.accepted(&clients(&[&a]), &world.add("c", 1)).await, 1, "{fate:?}");
        world.finish(vec![a]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn cx32_a_group_that_cannot_tell_is_asked_again_until_it_can() {
    // Given a group that cannot confirm anything
    let world = World::of_one_shard();
    world.cluster.set_faults(Faults { confirm_unknown: 1_000, ..Faults::none() });
    let a = world.node("a").await;
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(world.truth().shard("bank", 0).claims.len(), 0, "nobody claims what is not confirmed");
    // When it can again
    world.cluster.set_faults(Faults::none());
    // Then the shard has its owner, without any news from the group
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("c", 1)).await, 1);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn cx32_a_node_that_was_thrown_out_joins_again() {
    // Given the only node, which is told that it was expelled
    let world = World::of_one_shard();
    let a = world.node("a").await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    world.cluster.expel("a");
    world.pass(Duration::from_secs(1)).await;
    // Then it joins again, and the shard is not without an owner for ever
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("c", 1)).await, 2);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn cx32_a_node_that_was_thrown_out_unheard_finds_out_and_joins_again() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    world.cluster.expel_unheard("a");
    world.cluster.next_append("a", Next::Lose);
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("c", 1)).await, 2);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_lost_and_given_back_at_once_is_served_again() {
    // Given an owner whose commit takes its time
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.accepted(&client, &world.add("c", 1)).await;
    world.cluster.next_append("a", Next::Hold);
    let held = world.send(&client, world.add("c", 1));
    world.until("it is in flight", |_| world.cluster.in_flight() == 1).await;
    // When it loses the shard and gets it back before that has ended
    world.cluster.steal("bank", 0, "a");
    world.pass(Duration::from_secs(1)).await;
    world.cluster.release("a");
    held.await.unwrap();
    // Then the new owner is reached by clients
    assert_eq!(world.accepted(&client, &world.add("c", 1)).await, 3);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn trouble_of_long_ago_does_not_slow_the_next_recovery() {
    // Given an owner that had to claim anew many times, long ago
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    for _ in 0..10 {
        world.cluster.next_append("a", Next::Lose);
        world.accepted(&client, &world.add("c", 1)).await;
    }
    world.pass(Duration::from_secs(600)).await;
    // When it has to once more
    world.cluster.next_append("a", Next::Lose);
    let asked = tokio::time::Instant::now();
    world.accepted(&client, &world.add("c", 1)).await;
    // Then it is back as fast as the first time (this is the world's time, not the machine's)
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    world.finish(vec![a]).await;
}
