//! An acknowledgement is lost while the sender's window is full: it is given again, so the channel does not stand still.

use palinode::{Limits, log::memory::Next};

use crate::world::{World, clients};

#[tokio::test(start_paused = true)]
async fn a_sender_with_a_full_window_hears_a_lost_acknowledgement_again() {
    // Given a sender that hands over one message at a time, and a receiver on another node
    let mut world = World::of_two_services(1);
    world.limits = Limits { window: 1, ..Limits::default() };
    let (a, b) = world.apart().await;
    // When the receiver takes the first, answers it, and its acknowledgement is lost
    for next in [Next::HideOffsets, Next::HideOffsets, Next::Lose] {
        world.cluster.next_append("b", next);
    }
    world.tell(&clients(&[&a]), &world.order("d", "c", 3)).await;
    // Then the others follow
    world.settle().await;
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 0)).await, 3);
    world.finish(vec![a, b]).await;
}
