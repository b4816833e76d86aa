//! A refusal without a commit leaves only when no later owner takes its record again.

use std::time::Duration;

use palinode::{
    Address, Invalid, Limits, Topic,
    commit::Cause,
    log::memory::{Faults, Next},
    receipt::Told,
};

use crate::{
    inboxes::{answers, call, told},
    pure_clients::pure,
    world::{World, clients, count},
};

#[tokio::test(start_paused = true)]
async fn a_refusal_waits_for_the_commit_that_lets_the_low_mark_pass_its_record() {
    // Given a call to a kind that nobody has
    let world = World::of_one_shard();
    let a = world.node("a").await;
    world.until("a has it", |truth| truth.shard("bank", 0).claims.len() == 1).await;
    world.accepted(&clients(&[&a]), &world.add("x", 1)).await;
    let mut message = world.add("x", 1);
    message.to = Address::new("bank", "vault", "v");
    // When the commit that would record the mark does not land
    world.cluster.next_append("a", Next::Hold);
    world.cluster.inject(&Topic::inbox("bank"), 0, call(&world, &message, 0)).unwrap();
    world.until("it is in flight", |_| world.cluster.in_flight() == 1).await;
    world.pass(Duration::from_secs(2)).await;
    // Then nothing is said
    assert_eq!(answers(&world).len(), 0);
    // And when it does, the refusal holds for ever
    world.cluster.release("a");
    world.until("it is answered", |_| answers(&world).len() == 1).await;
    assert!(matches!(told(&world, message.id)[..], [Told::Invalid(Invalid::NotServed { .. })]));
    let truth = world.finish(vec![a]).await;
    let last = truth.shard("bank", 0).commits.last().unwrap();
    assert!(matches!(last.cause, Cause::Control { .. }) && last.low == Some(1), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn too_much_in_the_inbox_is_said_so_and_loses_nothing() {
    // Given a small queue, a log that is slow, and many calls in the inbox
    let mut world = World::of_one_shard();
    world.limits = Limits { queue: 8, pipeline: 4, ..Limits::default() };
    let a = world.node("a").await;
    let client = pure(&world, "c").await;
    world.accepted(std::slice::from_ref(&client), &world.add("x", 1)).await;
    world.cluster.set_faults(Faults { latency: Duration::from_secs(1), ..Faults::none() });
    let messages: Vec<_> = (0..50).map(|_| world.add("x", 1)).collect();
    for message in &messages {
        world.cluster.inject(&Topic::inbox("bank"), 0, call(&world, message, 0)).unwrap();
    }
    world.until("all are answered", |_| answers(&world).len() == 51).await;
    world.cluster.set_faults(Faults::none());
    // Then those that were too many were told, and nothing of theirs was done
    let (mut refused, truth) = (0, world.truth());
    for message in &messages {
        match &told(&world, message.id)[..] {
            [Told::Overloaded] => {
                refused += 1;
                assert!(truth.of_id(message.id).is_empty());
            }
            [told @ Told::Recorded { .. }] => assert!(count(told) > 1),
            other => panic!("{other:?}"),
        }
    }
    assert!((10..50).contains(&refused), "{refused}");
    // And they may ask again
    for message in &messages {
        world.accepted(std::slice::from_ref(&client), message).await;
    }
    assert_eq!(count(&world.ask(&client, &world.add("x", 0)).await), 51);
    world.finish(vec![a]).await;
}
