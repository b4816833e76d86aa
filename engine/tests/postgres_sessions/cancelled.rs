//! Futures that are dropped while the server has not answered.

use std::task::Poll;

use palinode::checkpoint::Transacted;
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::{
    proxy::{Proxy, Then},
    world::{put, world},
};

/// Whether the next user of a pool is inside a transaction that is not theirs: only there can a savepoint be made.
async fn poisoned(pool: &PgPool) -> bool {
    sqlx::raw_sql("savepoint inside").execute(pool).await.is_ok()
}

/// Begins, and goes away before the server has answered.
async fn cancel_begin(pool: &PgPool, proxy: &Proxy) {
    proxy.at("begin", Then::HoldAnswer);
    {
        let mut begin = std::pin::pin!(pool.begin());
        tokio::select! {
            begun = &mut begin => panic!("it was answered: {}", begun.is_ok()),
            () = proxy.met() => {}
        }
    }
    proxy.release();
}

/// The bug of sqlx 0.9.0 (transact-rs/sqlx#4393). When this fails, the driver is mended: then `readers` need no rollback
/// before each use, and our own connections may be kept after errors.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_cancelled_begin_leaves_a_pool_of_the_driver_inside_a_transaction() {
    let world = world(|settings| settings).await;
    let options = world.fresh.options().host("127.0.0.1").port(world.proxy.port());
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    assert!(!poisoned(&pool).await);
    cancel_begin(&pool, &world.proxy).await;
    assert!(poisoned(&pool).await);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_cancelled_begin_does_not_reach_the_next_reader() {
    let world = world(|settings| settings.readers(1)).await;
    for _ in 0..5 {
        cancel_begin(world.db.readers(), &world.proxy).await;
        assert!(!poisoned(world.db.readers()).await);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_transaction_whose_caller_goes_away_is_done_and_leaves_nothing_open() {
    for words in ["begin", "insert into twice", "set constraints", "commit"] {
        // A statement is sent in full once, so each has a world of its own.
        let world = world(|settings| settings.writers(1)).await;
        // when the caller goes away while the server has not answered
        world.proxy.at(words, Then::HoldAnswer);
        {
            let mut begun = std::pin::pin!(put(&world.db, 0));
            tokio::select! {
                end = &mut begun => panic!("{words}: {end:?}"),
                () = world.proxy.met() => {}
            }
        }
        world.proxy.release();
        // then the next one comes after it, on a session that is outside of any transaction
        assert_eq!(put(&world.db, 1).await, Transacted::Committed(1), "{words}");
        assert_eq!(world.numbers().await, [0, 1]);
        assert_eq!(world.sessions("idle in transaction%").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_storm_of_cancellations_splits_nothing_and_leaves_nothing_open() {
    let world = world(|settings| settings.writers(3).readers(3)).await;
    // when many transactions and readers go away after a few polls
    for n in 0..300 {
        let mut begun = Box::pin(put(&world.db, n));
        let mut read = Box::pin(world.db.readers().begin());
        for _ in 0..n % 7 {
            std::future::poll_fn(|cx| {
                let _ = begun.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
            let read = std::future::poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_ready())).await;
            if read {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // then all of them are done, each as a whole
    let all: Vec<i64> = (0..300).collect();
    while world.numbers().await != all {
        tokio::task::yield_now().await;
    }
    // and nobody is inside somebody else's transaction
    for _ in 0..20 {
        assert!(!poisoned(world.db.readers()).await);
    }
    while world.sessions("idle in transaction%").await > 0 {
        // What a reader has dropped is rolled back when its session is used next.
        sqlx::query("select 1").execute(world.db.readers()).await.unwrap();
    }
    assert_eq!(put(&world.db, 300).await, Transacted::Committed(300));
}
