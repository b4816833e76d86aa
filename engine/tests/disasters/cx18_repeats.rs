//! CX18, CX36: a repeated id while its commit is in flight, lost, moved; and reports that do not say where.

use std::time::Duration;

use palinode::{
    log::memory::{Faults, Next},
    machine::ids::WindowSize,
    receipt::Told,
};

use crate::world::{World, clients, count};

fn same(a: &Told, b: &Told) -> bool {
    match (a, b) {
        (Told::Recorded { answer: x, receipt: r, .. }, Told::Recorded { answer: y, receipt: s, .. }) => {
            x.get() == y.get() && r == s
        }
        _ => false,
    }
}

#[tokio::test(start_paused = true)]
async fn cx18_a_repeat_waits_for_the_commit_that_is_in_flight() {
    // Given a command in flight, with the version it expects
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.accepted(&client, &world.add("c", 1)).await;
    world.cluster.next_append("a", Next::Hold);
    let mut message = world.add("c", 1);
    message.expect_version = Some(1);
    let first = world.send(&client, message.clone());
    world.until("it is in flight", |_| world.cluster.in_flight() == 1).await;
    // When it is repeated
    let again = world.send(&client, message.clone());
    world.pass(Duration::from_secs(3)).await;
    assert_eq!(world.acknowledged(), 1, "no answer before it is effective");
    world.cluster.release("a");
    // Then both get the one answer, and not a conflict with their own success
    let (first, again) = (first.await.unwrap(), again.await.unwrap());
    assert!(same(&first, &again), "{first:?}, {again:?}");
    assert_eq!(count(&first), 2);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn cx18_a_repeat_of_a_commit_that_dies_is_not_answered_from_it() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.cluster.set_faults(Faults { lost: 1_000, timeout: Duration::from_secs(1), ..Faults::none() });
    let message = world.add("c", 1);
    let first = world.send(&client, message.clone());
    world.pass(Duration::from_millis(100)).await;
    world.cluster.set_faults(Faults::none());
    let again = world.send(&client, message.clone());
    world.pass(Duration::from_millis(100)).await;
    assert_eq!(world.acknowledged(), 0);
    let (first, again) = (first.await.unwrap(), again.await.unwrap());
    assert!(same(&first, &again), "{first:?}, {again:?}");
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn cx18_after_a_take_over_the_answer_is_the_same() {
    let world = World::of_one_shard();
    let (a, b) = (world.node("a").await, world.node("b").await);
    let message = world.add("c", 1);
    let first = world.tell(&clients(&[&a]), &message).await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    world.cluster.assign("bank", 0, "b");
    let again = world.tell(&clients(&[&b]), &message).await;
    assert!(same(&first, &again), "{first:?}, {again:?}");
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn cx36_a_report_that_does_not_say_where_is_read_back() {
    for seed in 0..40 {
        // Given a log that lands appends in pieces, shows them bit by bit, and seldom says where they are
        let world = World::of_one_shard().seeded(seed);
        let a = world.node("a").await;
        let client = clients(&[&a]);
        world.accepted(&client, &world.add("c", 1)).await;
        world.cluster.set_faults(Faults {
            no_offset: 500,
            split: 500,
            read_short: 500,
            latency: Duration::from_millis(30),
            ..Faults::none()
        });
        // When commands come in bursts
        let mut sent = Vec::new();
        for burst in 1..5 {
            sent.extend((0..burst).map(|_| world.send(&client, world.add("c", 1))));
            world.pass(Duration::from_millis(seed % 20)).await;
        }
        // Then each is answered, the last ones too, and nobody had to claim anew
        for told in sent {
            told.await.unwrap();
        }
        world.cluster.set_faults(Faults::none());
        assert_eq!(world.accepted(&client, &world.add("c", 0)).await, 11);
        let truth = world.finish(vec![a]).await;
        assert_eq!(truth.shard("bank", 0).claims.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_is_not_called_expired_by_a_commit_that_is_still_in_flight() {
    // Given a window of one id, and a command in flight that pushes the first id out of it
    let mut world = World::of_one_shard();
    world.limits.ids = WindowSize { most: 1, ..WindowSize::default() };
    let a = world.node("a").await;
    let client = clients(&[&a]);
    let first = world.add("c", 1);
    world.accepted(&client, &first).await;
    world.pass(Duration::from_secs(1)).await;
    world.cluster.next_append("a", Next::Hold);
    let second = world.asking(&client[0], &world.add("c", 1));
    world.until("it is in flight", |_| world.cluster.in_flight() == 1).await;
    // When the first is asked again
    let repeat = world.asking(&client[0], &first);
    world.pass(Duration::from_secs(1)).await;
    // Then nothing is said of it before the second is effective
    assert!(!repeat.is_finished());
    world.cluster.release("a");
    assert_eq!(count(&second.await.unwrap()), 2);
    assert!(matches!(repeat.await.unwrap(), Told::Expired));
    world.finish(vec![a]).await;
}
