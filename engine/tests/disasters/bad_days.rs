//! Everything at once, drawn from a seed: faults of the log and the group, nodes that die and come back, the store set back.
//! Then the faults end, and within two minutes all is as it should be.

use std::time::Duration;

use palinode::{
    Limits, Node,
    log::memory::{Chance, Faults},
    store::memory::Fault,
};

use crate::world::{World, clients};

const NAMES: [&str; 3] = ["a", "b", "c"];

async fn start(world: &World, name: &str) -> Node {
    // The log may not say that it was created.
    let faults = Faults { create_unknown: 0, ..Faults::rough() };
    world.cluster.set_faults(faults);
    world.node(name).await
}

async fn bad_day(seed: u64) {
    let mut world = World::of_two_services(2).seeded(seed);
    world.limits = Limits { snapshot_commits: 6, ..Limits::default() };
    let mut chance = Chance::new(seed);
    let mut nodes = Vec::new();
    for name in NAMES {
        nodes.push(start(&world, name).await);
    }
    let mut messages = Vec::new();
    let mut earlier = world.store.copy();
    for round in 0..40 {
        for _ in 0..3 {
            let (desk, counter) = (format!("d{}", chance.below(3)), format!("c{}", chance.below(4)));
            let message = match chance.below(2) {
                0 => world.add(&counter, 1),
                _ => world.order(&desk, &counter, u32::try_from(chance.below(3)).unwrap()),
            };
            for node in &nodes {
                drop(world.asking(&node.client(), &message));
            }
            messages.push(message);
        }
        match chance.below(12) {
            0 => {
                let which = usize::try_from(chance.below(3)).unwrap();
                nodes.remove(which).crash().await;
                nodes.insert(which, start(&world, NAMES[which]).await);
            }
            1 => world.store.fail_next_save(Fault::UnknownNot),
            2 => world.store.fail_next_save(Fault::UnknownHappened),
            3 => earlier = world.store.copy(),
            4 => world.store.set_back(&earlier),
            5 => world.cluster.expel(NAMES[round % 3]),
            _ => {}
        }
        world.pass(Duration::from_millis(chance.below(3_000))).await;
        world.check();
    }
    world.cluster.set_faults(Faults::none());
    world.pass(Duration::from_secs(30)).await;
    let all = clients(&nodes.iter().collect::<Vec<_>>());
    for node in &nodes {
        assert_eq!(node.halted(), Vec::<String>::new());
    }
    for message in &messages {
        world.tell(&all, message).await;
    }
    world.finish(nodes).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_bad_day_everything_is_there_once() {
    bad_day(0).await;
}

#[tokio::test(start_paused = true)]
async fn after_another_bad_day_too() {
    bad_day(1).await;
}
