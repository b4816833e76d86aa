//! A record of a newer build.

use palinode::{Answer, Micros, Record, commit::FORMAT};

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_record_of_a_newer_build_stops_its_shard_and_nobody_reads_past_it() {
    // Given a node, and accounts on both shards
    let world = World::new();
    let first = world.node("first").await;
    let (on_zero, on_one) = (account_on(0), account_on(1));
    for n in 1..=3 {
        assert_eq!(deposit(&first.client(), &on_zero).await, n);
        assert_eq!(deposit(&first.client(), &on_one).await, n);
    }
    // When a newer build has written to one of them
    let newer = Record::ours("account/x".into(), "{\"t\":\"commit\",\"term\":9}", Micros(1));
    world.cluster.write("bank.events", 0, &Record { mark: Some(FORMAT + 1), ..newer });
    // Then that shard stops, says which version it met and what to do, and the other one goes on
    let says = format!("format {} is newer than this build's {FORMAT}: run a newer build", FORMAT + 1);
    until("the shard stops", &first, || stopped(&first, 0, &says)).await;
    assert!(matches!(ask(&first.client(), &on_zero).await, Answer::Unknown { .. }));
    assert_eq!(deposit(&first.client(), &on_one).await, 4);
    // And a second process of this build, which may be given it, stops there as well
    let before = claims(&world.events(0).await);
    let second = world.node("second").await;
    until("the second one stops there", &second, || stopped(&second, 0, &says)).await;
    for n in 5..8 {
        assert_eq!(deposit(&second.client(), &on_one).await, n);
    }
    assert!(stopped(&first, 0, &says), "{:?}", first.health());
    // And nobody has claimed what cannot be read
    assert_eq!(claims(&world.events(0).await), before);
    first.crash().await;
    second.crash().await;
}
