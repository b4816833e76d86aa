//! A call never hangs: when its time is over it is unknown, and it may be executed all the same.

use std::time::Duration;

use palinode::{log::memory::Faults, receipt::Told};

use crate::{
    pure_clients::pure,
    world::{World, clients},
};

#[tokio::test(start_paused = true)]
async fn a_call_to_a_shard_that_cannot_claim_is_unknown_when_its_time_is_over() {
    // Given a log that refuses every append
    let world = World::of_one_shard();
    world.cluster.set_faults(Faults { refused: 1_000, ..Faults::none() });
    let a = world.node("a").await;
    let client = pure(&world, "c").await;
    for client in [a.client().with_patience(Duration::from_secs(10)), client] {
        let began = tokio::time::Instant::now();
        assert!(matches!(client.tell(world.add("x", 1)).await, Told::Unknown));
        assert!((10..=31).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    }
    // When it takes appends again, what waited is executed, or not; and what is asked now is answered
    world.cluster.set_faults(Faults::none());
    assert!(world.accepted(&clients(&[&a]), &world.add("x", 1)).await >= 1);
    world.finish(vec![a]).await;
}
