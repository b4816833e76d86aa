//! CX9, CX11, CX12, CX13, CX21: snapshots that are late, lost, unknown, set back. They may cost time, never truth.

use std::time::Duration;

use palinode::{
    Limits,
    commit::Outcome,
    log::memory::{Faults, Next},
    receipt::Told,
    store::memory::Fault,
};

use crate::{
    kinds::Command,
    world::{World, clients},
};

fn eager() -> Limits {
    Limits { snapshot_commits: 3, ..Limits::default() }
}

#[tokio::test(start_paused = true)]
async fn cx09_open_sends_come_back_with_the_snapshot() {
    // Given messages to a receiver that is away, and a snapshot of their sender
    let mut world = World::of_two_services(1);
    world.limits = eager();
    let (a, b) = world.apart().await;
    world.dies_unnoticed(b).await;
    for _ in 0..5 {
        world.tell(&clients(&[&a]), &world.order("d", "c", 2)).await;
    }
    world.pass(Duration::from_millis(100)).await;
    assert!(a.counts().snapshots() > 0);
    // When the sender dies and recovers from it, and the receiver comes back
    a.crash().await;
    let (a, b) = (world.node("a").await, world.node("b").await);
    // Then everything arrives
    world.settle().await;
    assert_eq!(world.accepted(&clients(&[&a, &b]), &world.add("c", 0)).await, 10);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn cx11_whatever_becomes_of_a_save_the_state_stays_right() {
    for fault in [Fault::UnknownHappened, Fault::UnknownNot, Fault::Lost, Fault::Refused] {
        let mut world = World::of_one_shard();
        world.limits = eager();
        let a = world.node("a").await;
        let client = clients(&[&a]);
        // Given a save that ends like this, twice, among work
        for n in 0..20 {
            if n == 5 || n == 9 {
                world.store.fail_next_save(fault);
            }
            assert_eq!(world.accepted(&client, &world.add("c", 1)).await, n + 1, "{fault:?}");
            world.pass(Duration::from_millis(200)).await;
        }
        // When the node dies
        a.crash().await;
        let a = world.node("a").await;
        // Then the next one has everything, under the right numbers
        let told = world.tell(&clients(&[&a]), &world.add("c", 1)).await;
        assert!(
            matches!(&told, Told::Recorded { receipt, answer, .. } if receipt.version == 21 && answer.get() == "21"),
            "{fault:?}: {told:?}"
        );
        world.finish(vec![a]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn cx12_a_commit_in_flight_is_in_no_snapshot() {
    // Given a commit in flight that will die, at the moment when a snapshot is due
    let mut world = World::of_one_shard();
    world.limits = eager();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    for _ in 0..2 {
        world.accepted(&client, &world.add("c", 1)).await;
    }
    world.cluster.set_faults(Faults { lost: 1_000, timeout: Duration::from_secs(9), ..Faults::none() });
    let dying = world.asking(&a.client(), &world.add("c", 100));
    world.pass(Duration::from_secs(1)).await;
    world.cluster.set_faults(Faults::none());
    assert_eq!(a.counts().snapshots(), 0, "not while something is in flight");
    // When the shard moves before that is known
    let b = world.node("b").await;
    world.cluster.steal("bank", 0, "b");
    // Then nobody ever sees it
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 1)).await, 3);
    dying.abort();
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(world.accepted(&clients(&[&a, &b]), &world.add("c", 1)).await, 4);
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn cx13_a_rejection_is_remembered_across_a_snapshot() {
    // Given a command that was refused, and a snapshot after it
    let mut world = World::of_one_shard();
    world.limits = eager();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    let refused = world.command("c", &Command::Take(10));
    let first = world.tell(&client, &refused).await;
    assert!(matches!(first, Told::Recorded { outcome: Outcome::Rejected, .. }), "{first:?}");
    for _ in 0..5 {
        world.accepted(&client, &world.add("c", 10)).await;
    }
    world.pass(Duration::from_millis(100)).await;
    assert!(a.counts().snapshots() > 0);
    a.crash().await;
    // When it is repeated at the next owner, where it could succeed
    let a = world.node("a").await;
    let again = world.tell(&clients(&[&a]), &refused).await;
    // Then the answer is the same
    assert!(matches!(again, Told::Recorded { outcome: Outcome::Rejected, .. }), "{again:?}");
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn cx21_a_store_that_goes_back_under_a_running_owner_is_not_believed() {
    // Given an owner that recovered from a snapshot and has not loaded an entity yet
    let mut world = World::of_one_shard();
    world.limits = eager();
    let a = world.node("a").await;
    for _ in 0..4 {
        world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    }
    world.pass(Duration::from_millis(100)).await;
    let earlier = world.store.copy();
    for _ in 0..4 {
        world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    }
    assert!(a.stop(Duration::from_secs(5)).await);
    let a = world.node("a").await;
    let client = clients(&[&a]);
    world.accepted(&client, &world.add("other", 1)).await;
    // When the store is set back, and the entity is needed
    world.store.set_back(&earlier);
    let told = world.tell(&client, &world.add("c", 1)).await;
    // Then no version is given out twice
    assert!(
        matches!(&told, Told::Recorded { receipt, answer, .. } if receipt.version == 9 && answer.get() == "9"),
        "{told:?}"
    );
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn cx35_a_read_from_the_past_is_not_taken_for_truncation() {
    // Given a snapshot that another node stored, and a log that shows this node less than that
    let mut world = World::of_one_shard();
    world.limits = eager();
    let a = world.node("a").await;
    for _ in 0..10 {
        world.accepted(&clients(&[&a]), &world.add("c", 1)).await;
    }
    assert!(a.stop(Duration::from_secs(5)).await);
    world.cluster.set_faults(Faults { read_lagging: 1_000, ..Faults::none() });
    let b = world.node("b").await;
    world.pass(Duration::from_secs(60)).await;
    // When it shows everything again
    world.cluster.set_faults(Faults::none());
    // Then the healthy log is served
    assert_eq!(b.halted(), Vec::<String>::new());
    assert_eq!(world.accepted(&clients(&[&b]), &world.add("c", 1)).await, 11);
    world.finish(vec![b]).await;
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_stored_although_their_owner_never_rests() {
    let mut world = World::of_one_shard();
    world.limits = eager();
    let a = world.node("a").await;
    let client = clients(&[&a]);
    for _ in 0..10 {
        let sent = (0..25).map(|_| world.send(&client, world.add("c", 1)));
        for told in sent.collect::<Vec<_>>() {
            told.await.unwrap();
        }
    }
    assert!(a.counts().snapshots() > 5, "{} snapshots", a.counts().snapshots());
    world.cluster.next_append("a", Next::Lose);
    assert_eq!(world.accepted(&client, &world.add("c", 1)).await, 251);
    world.finish(vec![a]).await;
}
