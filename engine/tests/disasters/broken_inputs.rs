//! Inputs that break their entity in memory, with others in flight around them, and owners that change in between.

use std::time::Duration;

use palinode::{
    commit::Outcome,
    log::memory::{Faults, Next},
    receipt::Told,
};

use crate::{
    kinds::Command,
    world::{World, clients},
};

#[tokio::test(start_paused = true)]
async fn a_broken_command_is_refused_once_and_what_came_with_it_is_done() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    let before: Vec<_> = (0..5).map(|_| world.send(&client, world.add("c", 1))).collect();
    let curse = world.command("c", &Command::Curse);
    let broken = world.send(&client, curse.clone());
    let after: Vec<_> = (0..5).map(|_| world.send(&client, world.add("c", 1))).collect();
    let told = broken.await.unwrap();
    assert!(matches!(told, Told::Recorded { outcome: Outcome::Invalid, .. }), "{told:?}");
    for sent in before.into_iter().chain(after) {
        sent.await.unwrap();
    }
    assert_eq!(world.accepted(&client, &world.add("c", 0)).await, 10);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_command_that_another_owner_refused_meanwhile_is_not_refused_twice() {
    // Given an owner that has to claim anew because of a broken command, and whose claim is slow
    let world = World::of_one_shard();
    let (a, b) = (world.node("a").await, world.node("b").await);
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    world.cluster.next_append("a", Next::Hold);
    let curse = world.command("c", &Command::Curse);
    let waiting = world.send(&clients(&[&a]), curse.clone());
    world.until("its claim is on its way", |_| world.cluster.in_flight() == 1).await;
    // When another one takes the shard, refuses the command, and the shard comes back
    world.cluster.steal("bank", 0, "b");
    world.tell(&clients(&[&b]), &curse).await;
    world.cluster.set_faults(Faults { confirm_wrong: 1_000, ..Faults::none() });
    world.cluster.release("a");
    waiting.await.unwrap();
    world.cluster.set_faults(Faults::none());
    // Then there is one refusal
    world.pass(Duration::from_secs(30)).await;
    assert_eq!(world.accepted(&clients(&[&a, &b]), &world.add("c", 1)).await, 2);
    world.finish(vec![a, b]).await;
}
