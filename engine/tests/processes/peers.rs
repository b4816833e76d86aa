//! A node that sends to a service which other processes run.

use palinode::{NodeBuilder, StartError, receipt::Told};

use crate::{
    kinds::{bank, desks},
    world::{World, count},
};

#[tokio::test(start_paused = true)]
async fn services_of_different_processes_send_to_each_other() {
    // Given counters in one process and desks in another
    let world = World::of_two_services(2);
    let node = |name: &str| NodeBuilder::new(name).partitions(2).limits(world.limits);
    let b = node("b").inbox().service(bank()).start(world.parts("b")).await.unwrap();
    let a = node("a").service(desks()).peer("bank").start(world.parts("a")).await.unwrap();
    // When a desk sends to counters, and somebody asks through it for one
    for n in 0..6 {
        let order = world.order(&format!("d{n}"), &format!("c{}", n % 3), 2);
        assert!(matches!(world.ask(&a.client(), &order).await, Told::Recorded { .. }));
    }
    world.settle().await;
    // Then they have it
    for n in 0..3 {
        assert_eq!(count(&world.ask(&a.client(), &world.add(&format!("c{n}"), 0)).await), 4);
    }
    // And the process of the counters does not know desks
    let told = world.ask(&b.client(), &world.order("d", "c", 1)).await;
    assert!(matches!(told, Told::Invalid(_)), "{told:?}");
    world.finish(vec![a, b]).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_a_log_and_one_that_is_run_here_are_refused() {
    let world = World::of_two_services(1);
    let start = NodeBuilder::new("a").service(desks()).peer("bank").start(world.parts("a")).await;
    assert!(matches!(start, Err(StartError::Log(_))));
    let both = NodeBuilder::new("a").service(bank()).peer("bank").start(world.parts("a")).await;
    let Err(StartError::Definitions(why)) = both else { panic!("it started") };
    assert!(why[0].contains("no peer"), "{why:?}");
}
