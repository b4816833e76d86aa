//! CX8, CX10, CX24, CX33: what an inbox loses, swaps or never gets. The sender's log has every message for ever.

use std::{sync::Arc, time::Duration};

use palinode::{Limits, Micros, NodeBuilder, Record, Topic, commit::Cause, log::memory::Next};

use crate::{
    kinds,
    world::{World, clients, living_on},
};

/// What retention leaves of a record, for a log whose offsets cannot be cut at the front: nothing of ours.
fn expired() -> Record {
    Record { mark: None, crc: None, ..Record::ours(Arc::from(""), &b"gone"[..], Micros(0)) }
}

#[tokio::test(start_paused = true)]
async fn cx08_the_low_mark_waits_for_what_is_held_back() {
    // Given two messages in the inbox of a shard without owner, in the wrong order, and a dead sender
    let world = World::of_two_services(1);
    let (a, b) = world.apart().await;
    let desk = clients(&[&a]);
    world.dies_unnoticed(b).await;
    for _ in 0..2 {
        world.tell(&desk, &world.order("d", "c", 1)).await;
        world.pass(Duration::from_millis(1)).await;
    }
    world.dies_unnoticed(a).await;
    let inbox = Topic::inbox("bank");
    let mut records = world.cluster.records(&inbox, 0);
    records.retain(|record| !record.key.is_empty());
    records.reverse();
    assert_eq!(records.len(), 2);
    world.cluster.replace(&inbox, 0, records);
    // When the receiver takes them
    let builder = NodeBuilder::new("b").partitions(1).inbox().service(kinds::bank());
    let b = builder.start(world.parts("b")).await.unwrap();
    world.until("it has both", |truth| truth.shard("bank", 0).commits.len() == 2).await;
    // Then the commit of the first does not let the mark pass the second, which lies before it
    let truth = world.check();
    let marks: Vec<_> = truth.shard("bank", 0).commits.iter().map(|c| (&c.cause, c.low)).collect();
    assert!(matches!(marks[0], (Cause::Channel { seq: 1, .. }, None)), "{marks:?}");
    assert!(matches!(marks[1], (Cause::Channel { seq: 2, .. }, Some(2))), "{marks:?}");
    b.crash().await;
}

#[tokio::test(start_paused = true)]
async fn cx08_the_low_mark_does_not_pass_what_an_earlier_owner_had_in_flight() {
    // Given a receiver whose first commit dies, while the message of another channel waits behind it
    let mut world = World::of_two_services(2);
    world.limits = Limits { pipeline: 1, ..Limits::default() };
    let (a, b) = world.apart().await;
    let (desks, counter) = ([living_on("desk", 0, 2), living_on("desk", 1, 2)], living_on("counter", 0, 2));
    world.cluster.next_append("b", Next::Late);
    for desk in &desks {
        world.tell(&clients(&[&a]), &world.order(desk, &counter, 1)).await;
    }
    // When it is claimed anew and both are accepted
    world.until("it has both", |truth| truth.shard("bank", 0).commits.len() == 2).await;
    let truth = world.finish(vec![a, b]).await;
    // Then no commit lets the mark pass a message that only a later one accepts
    let keys = world.inbox("bank", 0);
    let offsets: Vec<_> = (0_u64..).zip(&keys).filter(|(_, key)| !key.is_empty()).map(|(at, _)| at).collect();
    let first = truth.shard("bank", 0).commits[0].low.unwrap_or(0);
    assert!(first <= offsets[1], "mark {first}, messages at {offsets:?}");
    assert!(
        matches!(&truth.shard("bank", 0).commits[0].cause, Cause::Channel { from, .. } if from.shard == 0)
    );
}

#[tokio::test(start_paused = true)]
async fn cx10_what_the_inbox_kept_too_short_is_sent_again() {
    // Given messages for a receiver that is away until its inbox has lost them all but the last
    let world = World::of_two_services(1);
    let (a, b) = world.apart().await;
    let desk = clients(&[&a]);
    world.dies_unnoticed(b).await;
    for _ in 0..5 {
        world.tell(&desk, &world.order("d", "c", 2)).await;
    }
    let inbox = Topic::inbox("bank");
    let mut records = world.cluster.records(&inbox, 0);
    let last = records.iter().rposition(|record| !record.key.is_empty()).unwrap();
    records[..last].fill(expired());
    world.cluster.replace(&inbox, 0, records);
    // When it comes back
    let b = world.node("b").await;
    // Then it has them all, in order
    world.settle().await;
    assert_eq!(world.accepted(&clients(&[&a, &b]), &world.add("c", 0)).await, 10);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn cx24_the_last_message_of_a_channel_is_lost_and_noticed() {
    let world = World::of_two_services(1);
    let (a, b) = world.apart().await;
    world.cluster.next_append("a", Next::HideOffsets);
    world.cluster.next_append("a", Next::Lose);
    world.tell(&clients(&[&a]), &world.order("d", "c", 1)).await;
    world.settle().await;
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 0)).await, 1);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn cx24_a_lost_message_is_noticed_although_its_sender_never_rests() {
    // Given a sender whose message is lost, and which always has something to do
    let world = World::of_two_services(1);
    let (a, b) = world.apart().await;
    let desk = clients(&[&a]);
    world.cluster.next_append("a", Next::HideOffsets);
    world.cluster.next_append("a", Next::Lose);
    world.tell(&desk, &world.order("d", "c", 1)).await;
    let busy = tokio::spawn({
        let (world, desk) = (world.clone(), desk.clone());
        async move {
            loop {
                // An order for nothing: a commit, and no message that would show the hole.
                let orders = (0..8).map(|_| world.send(&desk, world.order("d", "c", 0)));
                for order in orders.collect::<Vec<_>>() {
                    order.await.unwrap();
                }
                world.pass(Duration::from_millis(10)).await;
            }
        }
    });
    world.settle().await;
    busy.abort();
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn cx33_both_inboxes_lose_a_record_and_neither_waits_for_the_other() {
    // Given a message and an answer that are both lost
    let world = World::of_two_services(1);
    let (a, b) = world.apart().await;
    let desk = clients(&[&a]);
    world.cluster.next_append("b", Next::HideOffsets);
    world.cluster.next_append("b", Next::Lose);
    world.tell(&desk, &world.order("d", "c", 1)).await;
    world.until("the counter has it", |truth| !truth.shard("bank", 0).commits.is_empty()).await;
    world.cluster.next_append("a", Next::HideOffsets);
    world.cluster.next_append("a", Next::Lose);
    world.tell(&desk, &world.order("d", "c", 1)).await;
    // When later ones show the hole on one side, and the first request to fill it is lost too
    world.cluster.next_append("b", Next::Lose);
    world.tell(&desk, &world.order("d", "c", 1)).await;
    // Then both channels are complete in the end
    world.settle().await;
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 0)).await, 3);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_hole_is_asked_for_once_and_not_by_every_message_behind_it() {
    // Given a lost message, and a hundred behind it
    let world = World::of_two_services(1);
    let (a, b) = world.apart().await;
    let desk = clients(&[&a]);
    world.cluster.next_append("a", Next::HideOffsets);
    world.cluster.next_append("a", Next::Lose);
    world.tell(&desk, &world.order("d", "c", 1)).await;
    world.tell(&desk, &world.order("d", "c", 100)).await;
    world.settle().await;
    // Then what is sent again grows with what was missing, not with its square
    let messages = world.inbox("bank", 0).iter().filter(|key| !key.is_empty()).count();
    assert!(messages < 400, "{messages} messages in the inbox for 101 sent");
    world.finish(vec![a, b]).await;
}
