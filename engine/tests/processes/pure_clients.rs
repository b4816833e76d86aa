//! A client that owns nothing: its answers come through the replies, and survive what happens to owners and records.

use std::time::Duration;

use palinode::{
    Client, Invalid, Topic,
    log::memory::{Faults, Next},
    message::ClientMessage,
    receipt::Told,
};

use crate::world::{World, count};

/// A client of the bank in a process of its own.
pub(crate) async fn pure(world: &World, name: &str) -> Client {
    let parts = world.parts(name);
    Client::connect_with(parts.log, parts.clock, parts.ids, ["bank"]).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_command_goes_through_the_inbox_and_its_answer_through_the_replies() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = pure(&world, "c").await;
    let message = world.add("x", 3);
    // When it is asked, and asked again under the same id by both roads
    assert_eq!(count(&world.ask(&client, &message).await), 3);
    assert_eq!(count(&world.ask(&a.client(), &message).await), 3);
    assert_eq!(count(&world.ask(&client, &message).await), 3);
    // Then it was executed once, and the records are where they should be
    assert_eq!(world.truth().of_id(message.id).len(), 1);
    assert_eq!(world.inbox("bank", 0), ["counter/x", "counter/x"]);
    assert_eq!(world.cluster.records(&Topic::replies("bank"), 0).len(), 2);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_sends_what_it_does_not_own_through_the_inbox_and_the_rest_in_memory() {
    // Given two shards on two nodes
    let world = World::of_two_services(1);
    let (a, b) = world.apart().await;
    // When each is asked for what the other has
    assert_eq!(count(&world.ask(&a.client(), &world.add("x", 1)).await), 1);
    assert_eq!(world.inbox("bank", 0), ["counter/x"]);
    // Then what it has itself takes the short road
    assert_eq!(count(&world.ask(&b.client(), &world.add("x", 1)).await), 2);
    assert_eq!(world.inbox("bank", 0), ["counter/x"]);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn owners_die_and_move_and_every_command_is_answered_and_executed_once() {
    // Given a bad day on the log
    let world = World::of_two_services(2).seeded(7);
    let mut nodes = vec![world.node("a").await, world.node("b").await];
    let (one, other) = (pure(&world, "c").await, pure(&world, "d").await);
    let day = Faults { rebalance_every: Some(Duration::from_secs(3)), ..Faults::rough() };
    world.cluster.set_faults(day);
    // When clients ask all the while, and nodes are killed
    let mut asked = Vec::new();
    for round in 0_u32..60 {
        for (nth, client) in (0..).zip([&one, &other]) {
            let counter = format!("c{}", (round + nth) % 4);
            asked.push(world.send(std::slice::from_ref(client), world.add(&counter, 1)));
        }
        if round % 20 == 10 {
            let node = nodes.remove(0);
            node.crash().await;
            nodes.push(world.node(if round % 40 == 10 { "a" } else { "b" }).await);
        }
        world.pass(Duration::from_millis(400)).await;
    }
    world.pass(Duration::from_secs(10)).await;
    world.cluster.set_faults(Faults::none());
    // Then each of them has one answer, and one effect
    for told in asked {
        assert!(matches!(told.await.unwrap(), Told::Recorded { .. }));
    }
    let mut sum = 0;
    for n in 0..4 {
        sum += world.accepted(std::slice::from_ref(&one), &world.add(&format!("c{n}"), 0)).await;
    }
    assert_eq!(sum, 120);
    world.finish(nodes).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_survives_the_owner_that_died_before_it_gave_it() {
    // Given an owner whose commit landed, and that died before it could say so
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = pure(&world, "c").await;
    world.accepted(std::slice::from_ref(&client), &world.add("x", 1)).await;
    let (freezer, parts) = crate::ports::Freezer::around(world.parts("b"));
    let b = world.node_with("b", parts).await;
    world.cluster.assign("bank", 0, "b");
    world.until("b has it", |truth| truth.shard("bank", 0).claims.len() == 2).await;
    freezer.freeze();
    let message = world.add("x", 10);
    let told = world.asking(&client, &message);
    world.pass(Duration::from_secs(3)).await;
    assert!(!told.is_finished());
    // When another one takes over
    world.cluster.steal("bank", 0, "a");
    // Then the client is answered from the log, or by a commit of the new owner: once
    assert_eq!(count(&told.await.unwrap()), 11);
    assert_eq!(world.truth().of_id(message.id).len(), 1);
    b.crash().await;
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_and_nothing_is_done_twice() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = pure(&world, "c").await;
    world.accepted(std::slice::from_ref(&client), &world.add("x", 1)).await;
    // Given a commit that is reported, and an answer that never lands
    world.cluster.next_append("a", Next::HideOffsets);
    world.cluster.next_append("a", Next::Lose);
    let message = world.add("x", 1);
    assert_eq!(count(&world.ask(&client, &message).await), 2);
    assert_eq!(world.truth().of_id(message.id).len(), 1);
    assert_eq!(world.inbox("bank", 0).len(), 3, "it was asked twice");
    // And a question that never lands is asked again too
    world.cluster.next_append("c", Next::Lose);
    assert_eq!(count(&world.ask(&client, &world.add("x", 1)).await), 3);
    // And one that lands twice is done once
    world.cluster.next_append("c", Next::Double);
    assert_eq!(count(&world.ask(&client, &world.add("x", 1)).await), 4);
    assert_eq!(count(&world.ask(&client, &world.add("x", 0)).await), 4);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_reads_on_from_the_end_and_another_ones_answers_are_not_its_own() {
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let (one, other) = (pure(&world, "c").await, pure(&world, "d").await);
    assert_eq!(count(&world.ask(&one, &world.add("x", 1)).await), 1);
    for n in 2..10 {
        assert_eq!(count(&world.ask(&other, &world.add("x", 1)).await), n);
        world.pass(Duration::from_secs(3)).await;
    }
    assert_eq!(count(&world.ask(&one, &world.add("x", 1)).await), 10);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_an_id_that_was_asked_otherwise_is_not_taken_for_this_ones() {
    // Given a command that was asked for twice, because the answers were late
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = pure(&world, "c").await;
    world.accepted(std::slice::from_ref(&client), &world.add("x", 1)).await;
    let message = world.add("x", 10);
    world.cluster.next_append("a", Next::HideOffsets);
    world.cluster.next_append("a", Next::Late);
    assert_eq!(count(&world.ask(&client, &message).await), 11);
    // When its id is used for something else, and the first answer comes at last
    let other = ClientMessage { data: world.add("x", 100).data, ..message };
    let told = tokio::spawn({
        let client = client.clone();
        async move { client.tell(other).await }
    });
    tokio::task::yield_now().await;
    world.cluster.release("a");
    // Then nobody is told that this was done
    let told = told.await.unwrap();
    assert!(matches!(told, Told::Invalid(Invalid::IdReused { .. })), "{told:?}");
    assert_eq!(count(&world.ask(&client, &world.add("x", 0)).await), 11);
    world.finish(vec![a]).await;
}
