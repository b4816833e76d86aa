//! CX16, CX22 and zombies: owners that do not know that they are none any more, and reports that come too late.

use std::time::Duration;

use palinode::{log::memory::Next, receipt::Told};

use crate::world::{World, clients, count};

#[tokio::test(start_paused = true)]
async fn cx16_an_idle_deposed_owner_stops_at_its_look() {
    // Given an idle owner whose shard was given away without a word
    let world = World::of_one_shard();
    let (a, b) = (world.node("a").await, world.node("b").await);
    world.until("a has it", |truth| truth.shard("bank", 0).claims.len() == 1).await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    world.cluster.steal("bank", 0, "b");
    world.until("b has claimed", |truth| truth.shard("bank", 0).claims.len() == 2).await;
    // When it has looked
    world.pass(Duration::from_secs(1)).await;
    // Then it takes no work any more, has written nothing for nothing, and sends on what it is asked
    assert_eq!(count(&world.ask(&a.client(), &world.add("c", 1)).await), 2);
    assert_eq!(world.inbox("bank", 0), ["counter/c"]);
    assert_eq!((world.truth().shard("bank", 0).claims.len(), world.truth().shard("bank", 0).dead), (2, 0));
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn cx22_the_report_of_an_older_claim_proves_nothing() {
    // Given a commit that is unknown and late, so that its command was done again under the next claim
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.accepted(&client, &world.add("c", 1)).await;
    world.cluster.next_append("a", Next::Late);
    let first = world.send(&client, world.add("c", 10));
    first.await.unwrap();
    assert_eq!((world.acknowledged(), world.truth().shard("bank", 0).claims.len()), (2, 2));
    // When it lands right before the next commit, in whose place it may be taken
    world.cluster.next_append("a", Next::Hold);
    let second = world.send(&client, world.add("c", 100));
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(world.acknowledged(), 2);
    world.cluster.release("a");
    // Then it is dead, and each command has one effect
    second.await.unwrap();
    assert_eq!(world.accepted(&client, &world.add("c", 0)).await, 111);
    let truth = world.finish(vec![a]).await;
    assert_eq!(truth.shard("bank", 0).dead, 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_zombie_writes_is_dead_and_nothing_of_it_was_acknowledged() {
    // Given an owner stopped in the middle of its work
    let world = World::of_one_shard();
    let (freezer, a) = world.frozen_node("a").await;
    let b = world.node("b").await;
    world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    let mut asked = Vec::new();
    for n in 0..30 {
        let message = world.add("c", 1);
        let told = world.asking(&a.client(), &message);
        asked.push((message, told));
        if n == 20 {
            freezer.freeze();
        }
        tokio::task::yield_now().await;
    }
    // When another took over and worked, and it wakes up
    world.cluster.expel_unheard("a");
    world.accepted(&clients(&[&b]), &world.add("c", 1_000)).await;
    world.cluster.next_append("a", Next::LoseReply);
    let zombie = world.add("c", 1);
    let late = world.asking(&a.client(), &zombie);
    world.pass(Duration::from_secs(5)).await;
    freezer.thaw();
    // Then whoever was answered by it has a commit before the take-over, and all others can ask the next owner
    assert!(matches!(late.await.unwrap(), Told::Recorded { .. }));
    let mut answered = 0;
    for (message, told) in asked {
        let told = told.await.unwrap();
        answered += usize::from(matches!(told, Told::Recorded { .. }));
        world.tell(&clients(&[&b]), &message).await;
    }
    assert!(answered >= 10, "{answered}");
    world.tell(&clients(&[&b]), &zombie).await;
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 0)).await, 1_032);
    let truth = world.finish(vec![b]).await;
    assert!(truth.shard("bank", 0).dead > 0, "it did write after the take-over");
    a.crash().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_record_is_met_once_and_not_at_every_look() {
    // Given a dead record at the end of the log
    let world = World::of_one_shard();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.accepted(&client, &world.add("c", 1)).await;
    world.cluster.next_append("a", Next::Late);
    world.accepted(&client, &world.add("c", 1)).await;
    world.cluster.release("a");
    // When its owner is idle for a while, and then works again
    world.pass(Duration::from_secs(60)).await;
    world.accepted(&client, &world.add("c", 1)).await;
    // Then it was counted once
    assert_eq!(a.counts().dead_records(), 1);
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn cx20_what_is_unknown_on_one_shard_is_no_matter_to_the_others() {
    let world = World::of_two_services(4);
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.accepted(&client, &world.add("c", 1)).await;
    world.until("all are claimed", |truth| truth.0.iter().all(|p| p.claims.len() == 1)).await;
    world.cluster.next_append("a", Next::Lose);
    world.accepted(&client, &world.add("c", 1)).await;
    let truth = world.finish(vec![a]).await;
    assert_eq!(truth.0.iter().filter(|p| p.claims.len() > 1).count(), 1);
}
