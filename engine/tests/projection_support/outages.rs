//! What is away is waited for.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::balances::{Balances, tables};
use palinode::projection::State;

use crate::world::*;

pub(crate) async fn an_outage_of_the_database_is_waited_out() {
    // given a database that is away for twelve tries
    let world = world().await;
    let projection = Arc::new(Balances::default());
    projection.outages.store(12, Ordering::SeqCst);
    let token = world.journal.deposit(0, "a", &[1]);
    let model = world.start(Arc::clone(&projection)).await;
    while projection.outages.load(Ordering::SeqCst) > 0 {
        let status = model.wait_until(0, |s| retrying(s) || stopped(s)).await.unwrap();
        assert_eq!(status.state, State::Retrying { why: "the database is away".into() });
        assert!(!tables(&world.db).await.0.contains_key("a"), "rows without their checkpoint");
        // when time passes
        world.clock.advance(Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
    // then the event is written once
    reached_in_time(&world, &model, &token).await;
    assert_eq!(world.table().await["a"], (1, "bank/0/1/0=1".into()));
    // and nothing was parked
    assert_eq!(model.parked().await.unwrap(), []);
}

pub(crate) async fn an_outage_of_the_log_is_waited_out() {
    let world = world().await;
    let token = world.journal.deposit(0, "a", &[1]);
    world.journal.fail_reads(7);
    let model = world.start(Arc::default()).await;
    while world.journal.2.load(Ordering::SeqCst) > 0 {
        world.clock.advance(Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
    reached_in_time(&world, &model, &token).await;
    assert_eq!(world.table().await["a"].0, 1);
    assert_eq!(model.parked().await.unwrap(), []);
}
