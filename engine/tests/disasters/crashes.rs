//! A node dies at many different points under load, and is started again: what was acknowledged is there, once, and every
//! channel is complete in the end.

use std::time::Duration;

use palinode::{Limits, log::memory::Faults};

use crate::world::{World, clients};

/// Two services on one node under load, which dies after this many turns of the scheduler and this much time.
async fn dies_after(turns: usize, time: Duration, faults: Faults) {
    let mut world = World::of_two_services(2);
    world.limits = Limits { snapshot_commits: 4, ..Limits::default() };
    world.cluster.set_faults(faults);
    let a = world.node("a").await;
    world.until("all shards are claimed", |truth| truth.0.iter().all(|p| p.claims.len() == 1)).await;
    let mut sent = Vec::new();
    for n in 0..12 {
        let (desk, counter) = (format!("d{}", n % 3), format!("c{}", n % 4));
        let orders = [world.order(&desk, &counter, 2), world.add(&counter, 1)];
        for message in orders {
            let (world, client) = (world.clone(), clients(&[&a]));
            let asked = message.clone();
            sent.push((message, tokio::spawn(async move { world.tell(&client, &asked).await })));
        }
    }
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
    if !time.is_zero() {
        world.pass(time).await;
    }
    a.crash().await;
    sent.iter().for_each(|(_, asking)| asking.abort());
    world.cluster.set_faults(Faults::none());
    world.check();
    let a = world.node("a").await;
    for (message, _) in &sent {
        world.tell(&clients(&[&a]), message).await;
    }
    world.settle().await;
    let mut sum = 0;
    for counter in 0..4 {
        sum += world.accepted(&clients(&[&a]), &world.add(&format!("c{counter}"), 0)).await;
    }
    assert_eq!(sum, 12 * 3, "dead after {turns} turns and {time:?}");
    world.finish(vec![a]).await;
}

/// A world in which the test is polled again after each poll of a task of the node.
fn turn_by_turn(turns: std::ops::Range<usize>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).event_interval(1).build().unwrap();
    runtime.block_on(async {
        for turns in turns {
            dies_after(turns, Duration::ZERO, Faults::none()).await;
        }
    });
}

#[test]
fn a_node_dies_after_few_turns() {
    turn_by_turn(0..12);
}

#[test]
fn a_node_dies_after_some_turns() {
    turn_by_turn(12..24);
}

#[test]
fn a_node_dies_after_many_turns() {
    turn_by_turn(24..36);
}

async fn moment_by_moment(millis: impl Iterator<Item = u64>) {
    let slow = Faults { latency: Duration::from_millis(20), split: 300, no_offset: 200, ..Faults::none() };
    for (turns, millis) in millis.enumerate() {
        dies_after(turns % 3, Duration::from_millis(millis), slow.clone()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_on_a_slow_log_dies_early() {
    moment_by_moment((0..30).step_by(3)).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_on_a_slow_log_dies_late() {
    moment_by_moment((30..60).step_by(3)).await;
}
