//! Having too much to do.

use std::time::Duration;

use palinode::{Limits, log::memory::Faults, receipt::Told};

use crate::world::{World, clients};

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_said_so_and_loses_nothing() {
    // Given a small queue, and a log that does not answer
    let mut world = World::of_one_shard();
    world.limits = Limits { queue: 8, pipeline: 4, ..Limits::default() };
    let a = world.node("a").await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    world.cluster.set_faults(Faults { latency: Duration::from_secs(1), ..Faults::none() });
    // When many ask at once
    let asked: Vec<_> = (0..50)
        .map(|_| {
            let message = world.add("c", 1);
            let told = world.asking(&a.client(), &message);
            (message, told)
        })
        .collect();
    let mut overloaded = Vec::new();
    for (message, told) in asked {
        match told.await.unwrap() {
            Told::Overloaded => overloaded.push(message),
            told => assert!(matches!(told, Told::Recorded { .. }), "{told:?}"),
        }
    }
    // Then those who did not fit were told, nothing of theirs was done, and they may ask again
    assert!(overloaded.len() >= 30, "{}", overloaded.len());
    let truth = world.truth();
    assert!(overloaded.iter().all(|message| truth.of_id(message.id).is_empty()));
    world.cluster.set_faults(Faults::none());
    for message in &overloaded {
        world.accepted(&clients(&[&a]), message).await;
    }
    assert_eq!(world.accepted(&clients(&[&a]), &world.add("c", 0)).await, 51);
    world.finish(vec![a]).await;
}
