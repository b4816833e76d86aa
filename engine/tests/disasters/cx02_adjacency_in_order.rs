//! CX2: a commit is lost, and the next one lands where the lost one should be. It looks adjacent, and is dead.

use std::time::Duration;

use palinode::log::memory::Faults;

use crate::world::{World, clients};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn cx02_what_lands_in_the_place_of_a_lost_commit_is_never_acknowledged() {
    // Given a commit that is lost, which shows only after a second
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.accepted(&client, &world.add("c", 1)).await;
    world.cluster.set_faults(Faults { lost: 1_000, timeout: SECOND, ..Faults::none() });
    let lost = world.send(&client, world.add("c", 10));
    world.pass(SECOND / 4).await;
    // When the next one lands at once
    world.cluster.set_faults(Faults::none());
    let next = world.send(&client, world.add("c", 100));
    world.pass(SECOND / 4).await;
    assert_eq!(world.truth().shard("bank", 0).dead, 1, "its predecessor is missing");
    // Then nobody is told so, and both are done once when they are asked for again
    assert_eq!(world.acknowledged(), 1);
    lost.await.unwrap();
    next.await.unwrap();
    assert_eq!(world.accepted(&client, &world.add("c", 0)).await, 111);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_append_drops_the_whole_pipeline_behind_it() {
    // Given four commands in flight, of which the first is lost
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.accepted(&client, &world.add("c", 1)).await;
    world.cluster.set_faults(Faults { lost: 1_000, timeout: SECOND, ..Faults::none() });
    let mut sent = vec![world.send(&client, world.add("c", 10))];
    world.pass(SECOND / 8).await;
    world.cluster.set_faults(Faults::none());
    for _ in 0..3 {
        sent.push(world.send(&client, world.add("c", 10)));
        world.pass(SECOND / 8).await;
    }
    // When that becomes known
    for told in sent {
        told.await.unwrap();
    }
    // Then each has one effect, under a new claim
    assert_eq!(world.accepted(&client, &world.add("c", 0)).await, 41);
    let truth = world.finish(vec![a]).await;
    assert_eq!((truth.shard("bank", 0).dead, truth.shard("bank", 0).claims.len()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_refused_append_drops_what_is_in_flight_behind_it() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.cluster.set_faults(Faults { refused: 1_000, latency: SECOND, ..Faults::none() });
    let mut sent = vec![world.send(&client, world.add("c", 10))];
    tokio::task::yield_now().await;
    world.until("it is appended", |_| true).await;
    world.cluster.set_faults(Faults::none());
    for _ in 0..3 {
        sent.push(world.send(&client, world.add("c", 10)));
    }
    for told in sent {
        told.await.unwrap();
    }
    assert_eq!(world.accepted(&client, &world.add("c", 0)).await, 40);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_an_effect_all_the_same_and_asking_again_finds_it() {
    use palinode::log::memory::Next;
    for fate in [Next::LoseReply, Next::Double, Next::Lose, Next::Refuse, Next::Late] {
        let world = World::of_one_shard();
        let a = world.node("a").await;
        let client = clients(&[&a]);
        world.accepted(&client, &world.add("c", 1)).await;
        world.cluster.next_append("a", fate);
        assert_eq!(world.accepted(&client, &world.add("c", 1)).await, 2, "{fate:?}");
        world.cluster.release("a");
        assert_eq!(world.accepted(&client, &world.add("c", 1)).await, 3, "{fate:?}");
        world.finish(vec![a]).await;
    }
}
