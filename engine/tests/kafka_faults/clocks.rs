//! A machine whose clock is an hour fast.

use std::{sync::Arc, time::Duration};

use palinode::Answer;

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_node_whose_clock_is_an_hour_fast_commits_nothing_and_gives_way() {
    // Given a service, and a process an hour ahead that has it alone
    let world = World::new();
    crate::bank::close(world.node("setup").await).await;
    let right = Arc::clone(&world.clock.lock().unwrap());
    *world.clock.lock().unwrap() =
        Arc::new(TestClock { ahead: Duration::from_secs(3_600), ..TestClock::default() });
    let fast = world.node("fast").await;
    *world.clock.lock().unwrap() = right;
    // Then it says what is wrong, and acknowledges nothing
    let says = "this machine's clock is more than a minute fast";
    until("it is in trouble", &fast, || (0..SHARDS).all(|nth| troubled(&fast, nth, says))).await;
    assert!(matches!(ask(&fast.client(), &account_on(0)).await, Answer::Unknown { .. }));
    // And a process with the right time is given all of it
    let node = world.node("right").await;
    until("the right one serves all", &node, || serves_all(&node)).await;
    assert_eq!(deposit(&node.client(), &account_on(0)).await, 1);
    assert!(!serves(&fast, 0) && !serves(&fast, 1), "{:?}", fast.health());
    fast.crash().await;
    crate::bank::close(node).await;
}
