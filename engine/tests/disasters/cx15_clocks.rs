//! CX15: a node whose clock is ahead. Its messages are held back, not skipped and not believed, until time has come.

use std::{sync::Arc, time::Duration};

use palinode::node::Parts;

use crate::{
    ports::BEGIN,
    world::{World, clients},
};

#[tokio::test(start_paused = true)]
async fn cx15_messages_from_ahead_of_the_clock_wait_for_their_time() {
    // Given a sender three minutes ahead
    let world = World::of_two_services(1);
    let wrong = world.clock.ahead(Duration::from_secs(180));
    let parts = Parts { clock: Arc::new(wrong), ..world.parts("a") };
    let (a, b) = (world.node_with("a", parts).await, world.node("b").await);
    world.split().await;
    // When it sends two messages
    world.tell(&clients(&[&a]), &world.order("d", "c", 2)).await;
    world.pass(Duration::from_secs(60)).await;
    // Then the receiver holds them back, works on, and its time is its own
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 1)).await, 1);
    assert!(world.truth().shard("bank", 0).commits[0].time < BEGIN.plus(Duration::from_secs(120)));
    // And takes them when they lead by less than a minute
    world.settle().await;
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 1)).await, 4);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_clock_is_set_back_an_hour_works_on_at_once() {
    // Given a receiver an hour ahead, that waits for its inbox, and for the next look
    let world = World::of_two_services(1);
    let wrong = world.clock.ahead(Duration::from_secs(3_600));
    let parts = Parts { clock: Arc::new(wrong.clone()), ..world.parts("b") };
    let (a, b) = (world.node("a").await, world.node_with("b", parts).await);
    world.split().await;
    // When its clock is set right, and messages come
    wrong.set_right();
    world.tell(&clients(&[&a]), &world.order("d", "c", 2)).await;
    // Then it does not wait for the hour to come again
    world.settle().await;
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 1)).await, 3);
    world.finish(vec![a, b]).await;
}
