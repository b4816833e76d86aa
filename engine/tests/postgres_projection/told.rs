//! Whoever waits in another process is told when a checkpoint moves. The clocks of these tests stand still, so that whoever
//! waits looks once, and then only when it is told to.

use std::{sync::Arc, time::Duration};

use palinode::{
    ManualClock, Token,
    projection::{Waited, Watch},
};
use sqlx::PgConnection;

use crate::{
    db::{Database, again, connect},
    world::*,
};

/// In another process.
async fn watch(world: &World) -> Watch<Database> {
    let clock = Arc::new(ManualClock::default());
    Watch::new(again(&world.home).await, "balances", "bank", clock)
}

async fn told(watch: &Watch<Database>, token: &Token) {
    let waited = tokio::time::timeout(Duration::from_secs(60), watch.wait_for(token, LONG)).await;
    assert_eq!(waited.unwrap(), Waited::Reached, "within a minute");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn whoever_waits_elsewhere_is_told_and_does_not_look_again_and_again() {
    let world = world().await;
    let _model = world.start(Arc::default()).await;
    let (one, two) = (watch(&world).await, watch(&world).await);
    for n in 0..50 {
        // given two who wait for what has not happened yet
        let shard = n % 2;
        let before = world.journal.token(shard);
        let next = Token { pseq: before.pseq + 1, ..before };
        let waiting = async { tokio::join!(told(&one, &next), told(&two, &next)) };
        // when it happens, they are told
        let deposit = async { world.journal.deposit(shard, "a", &[i64::from(n)]) };
        let (_, token) = tokio::join!(waiting, deposit);
        assert_eq!(token, next);
    }
}

/// Ends the sessions that listen: how many.
async fn deafen(conn: &mut PgConnection) -> i64 {
    let sql = "select count(pg_terminate_backend(pid, 1000)) from pg_stat_activity \
               where datname = current_database() and query like 'select current_schema() ||%'";
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_connection_that_listened_and_was_lost_is_only_slower() {
    let world = world().await;
    let _model = world.start(Arc::default()).await;
    let (watch, mut other) = (watch(&world).await, connect(&world.home).await);
    told(&watch, &world.journal.deposit(0, "a", &[1])).await;
    for n in 0..3 {
        // when nobody listens any more, again and again
        while deafen(&mut other).await == 0 {}
        // then what happens is seen all the same
        told(&watch, &world.journal.deposit(0, "a", &[n])).await;
    }
}
