//! CX1: one node runs twice. What the first incarnation still writes is dead, although both have the same name.

use palinode::log::memory::Next;

use crate::world::{World, clients, count};

#[tokio::test(start_paused = true)]
async fn cx01_what_an_older_incarnation_still_writes_is_dead() {
    // Given an incarnation that stands still with a commit on its way
    let world = World::of_one_shard();
    let (freezer, first) = world.frozen_node("a").await;
    world.accepted(&clients(&[&first]), &world.add("c", 1)).await;
    freezer.freeze();
    world.cluster.next_append("a", Next::Late);
    let late = world.add("c", 10);
    let waiting = world.asking(&first.client(), &late);
    world.until("the commit is on its way", |_| world.cluster.in_flight() == 1).await;
    // When the next incarnation takes over and works, and only then the commit lands
    world.cluster.expel_unheard("a");
    let second = world.node("a").await;
    assert_eq!(world.accepted(&clients(&[&second]), &world.add("c", 100)).await, 101);
    world.cluster.release("a");
    freezer.thaw();
    // Then it is dead, and whoever asked is told of the commit that the next one made of it
    assert_eq!(count(&waiting.await.unwrap()), 111);
    assert_eq!(world.accepted(&clients(&[&second]), &late).await, 111);
    let truth = world.finish(vec![second]).await;
    assert_eq!(truth.shard("bank", 0).dead, 1);
    assert!(truth.shard("bank", 0).claims.iter().all(|claim| &*claim.owner == "a"));
    first.crash().await;
}
