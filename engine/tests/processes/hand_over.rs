//! A shard moves in order: the old owner serves until it meets the next claim, so nobody waits; the log fences.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use palinode::{
    Client,
    health::Stage,
    log::memory::{Faults, Next},
    receipt::Told,
};

use crate::{
    pure_clients::pure,
    world::{World, clients, count},
};

/// Asks again and again until it is told to stop; the longest time anybody waited.
struct Load {
    stop: tokio_util::sync::CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<u32>>,
    longest: Arc<Mutex<Duration>>,
}

fn keep_longest(longest: &Mutex<Duration>, waited: Duration) {
    let mut longest = longest.lock().unwrap();
    *longest = longest.max(waited);
}

impl Load {
    fn of(world: &World, clients: &[Client]) -> Self {
        let (stop, longest) =
            (tokio_util::sync::CancellationToken::new(), Arc::new(Mutex::new(Duration::ZERO)));
        let task = |client: &Client| {
            let (world, client, stop, longest) =
                (world.clone(), client.clone(), stop.clone(), Arc::clone(&longest));
            tokio::spawn(async move {
                let mut done = 0;
                while !stop.is_cancelled() {
                    let (message, began) = (world.add("x", 1), tokio::time::Instant::now());
                    let told = world.ask(&client, &message).await;
                    assert!(matches!(told, Told::Recorded { .. }), "{told:?}");
                    keep_longest(&longest, began.elapsed());
                    done += 1;
                    world.pass(Duration::from_millis(7)).await;
                }
                done
            })
        };
        let tasks = clients.iter().map(task).collect();
        Self { stop, tasks, longest }
    }

    /// How many commands were executed, and the longest wait.
    async fn end(self) -> (u32, Duration) {
        self.stop.cancel();
        let mut done = 0;
        for task in self.tasks {
            done += task.await.unwrap();
        }
        (done, *self.longest.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn commands_during_a_move_are_all_answered_soon_and_executed_once() {
    // Given two nodes, their clients and one that owns nothing
    let world = World::of_one_shard();
    let (a, b) = (world.node("a").await, world.node("b").await);
    let client = pure(&world, "c").await;
    world.cluster.set_faults(Faults { latency: Duration::from_millis(4), ..Faults::none() });
    let load = Load::of(&world, &[a.client(), b.client(), client.clone()]);
    // When the shard moves to and fro under load
    for round in 0..8 {
        world.pass(Duration::from_secs(2)).await;
        let to = if round % 2 == 0 { "b" } else { "a" };
        world.cluster.assign("bank", 0, to);
        world.until("it has moved", |_| world.cluster.held_by("bank", to) == [0]).await;
    }
    world.pass(Duration::from_secs(2)).await;
    let (done, longest) = load.end().await;
    // Then nobody was told "unknown", nobody waited long, and nothing was done twice
    assert!(done > 1_000, "{done}");
    assert!(longest < Duration::from_millis(400), "{longest:?}");
    assert_eq!(world.accepted(&[client], &world.add("x", 0)).await, i64::from(done));
    let truth = world.finish(vec![a, b]).await;
    assert!(truth.shard("bank", 0).claims.len() >= 9);
}

#[tokio::test(start_paused = true)]
async fn what_the_old_owner_had_in_flight_is_dead_and_done_once_by_the_next() {
    // Given an owner with a commit in flight
    let world = World::of_one_shard();
    let (a, b) = (world.node("a").await, world.node("b").await);
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    world.cluster.next_append("a", Next::Hold);
    let message = world.add("c", 1);
    let held = world.send(&clients(&[&a]), message.clone());
    world.until("it is in flight", |_| world.cluster.in_flight() == 1).await;
    // When the shard is revoked, the group does not wait for it
    world.cluster.assign("bank", 0, "b");
    world.until("b has claimed", |truth| truth.shard("bank", 0).claims.len() == 2).await;
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 1)).await, 2);
    // And what was in flight lands too late
    world.cluster.release("a");
    assert_eq!(count(&held.await.unwrap()), 3);
    let truth = world.finish(vec![a, b]).await;
    assert_eq!(truth.of_id(message.id).len(), 1);
    assert_eq!(truth.shard("bank", 0).dead, 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_owner_finds_a_snapshot_and_has_little_to_read() {
    let world = World::of_one_shard();
    let (a, b) = (world.node("a").await, world.node("b").await);
    for _ in 0..20 {
        world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    }
    assert_eq!(a.counts().snapshots(), 0);
    world.cluster.assign("bank", 0, "b");
    world.until("b has claimed", |truth| truth.shard("bank", 0).claims.len() == 2).await;
    assert_eq!(a.counts().snapshots(), 1);
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 1)).await, 21);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_hands_its_shards_over_while_it_serves() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    world.accepted(&clients(&[&a]), &world.add("x", 0)).await;
    let b = world.node("b").await;
    let client = pure(&world, "c").await;
    let load = Load::of(&world, std::slice::from_ref(&client));
    world.pass(Duration::from_secs(2)).await;
    // When the owner's node is stopped
    assert!(a.stop(Duration::from_secs(30)).await);
    world.pass(Duration::from_secs(2)).await;
    // Then nobody noticed
    let (done, longest) = load.end().await;
    assert!(longest < Duration::from_millis(400), "{longest:?}");
    assert_eq!(world.accepted(&[client], &world.add("x", 0)).await, i64::from(done));
    world.finish(vec![b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_shard_that_nobody_takes_is_given_up_when_the_time_is_over() {
    // Given a shard that is to go to a node which cannot claim
    let world = World::of_one_shard();
    let (a, b) = (world.node("a").await, world.node("b").await);
    world.accepted(&clients(&[&a]), &world.add("x", 1)).await;
    for _ in 0..20 {
        world.cluster.next_append("b", Next::Refuse);
    }
    world.cluster.assign("bank", 0, "b");
    // Then the old owner serves until its time is over
    world.pass(Duration::from_secs(3)).await;
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("x", 1)).await, 2);
    world.pass(Duration::from_secs(4)).await;
    assert_eq!(a.health()[0].stage, Stage::Away);
    // And whoever asks then waits for the next one
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("x", 1)).await, 3);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_hears_that_its_shard_is_lost_ends_at_once() {
    // Given an owner with a commit in flight
    let world = World::of_one_shard();
    let (a, b) = (world.node("a").await, world.node("b").await);
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    world.cluster.next_append("a", Next::Hold);
    let held = world.send(&clients(&[&a]), world.add("c", 1));
    world.until("it is in flight", |_| world.cluster.in_flight() == 1).await;
    // When it is thrown out, and hears so
    world.cluster.expel("a");
    world.pass(Duration::from_millis(1)).await;
    // Then it waits for nothing
    assert_eq!(a.health()[0].stage, Stage::Away);
    assert_eq!(count(&held.await.unwrap()), 2);
    world.cluster.release("a");
    world.finish(vec![a, b]).await;
}
