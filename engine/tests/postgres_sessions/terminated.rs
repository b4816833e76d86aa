//! Backends that are terminated while transactions run, and while connections are idle.

use std::{cell::Cell, collections::BTreeSet};

use palinode::checkpoint::{Class, Transacted};
use sqlx::{ConnectOptions as _, PgConnection};

use crate::world::{put, world};

/// Ends all other sessions of the database, as a restart of the server does: how many.
async fn terminate(conn: &mut PgConnection) -> i64 {
    let sql = "select count(pg_terminate_backend(pid, 1000)) from pg_stat_activity \
               where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn connections_that_were_cut_while_idle_are_not_noticed() {
    let world = world(|settings| settings.writers(4)).await;
    let all = |from: i64| (from..from + 4).map(|n| put(&world.db, n)).collect::<Vec<_>>();
    let mut other = world.fresh.connect().await.unwrap();
    for from in [0, 4, 8] {
        let ends = futures_util::future::join_all(all(from)).await;
        assert!(ends.iter().all(|end| matches!(end, Transacted::Committed(_))), "{ends:?}");
        assert!(terminate(&mut other).await > 0);
    }
    let read: i64 =
        sqlx::query_scalar("select count(*) from done").fetch_one(world.db.readers()).await.unwrap();
    assert_eq!(read, 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn every_answer_is_true_while_backends_are_terminated() {
    let world = world(|settings| settings.writers(4)).await;
    let killed = Cell::new(0);
    // given transactions from several sides
    let sides = (0..4).map(|side| {
        let (db, killed) = (world.db.clone(), &killed);
        async move {
            let (mut committed, mut unknown) = (BTreeSet::new(), BTreeSet::new());
            for n in (side * 1_000_000..).take_while(|_| killed.get() < 100) {
                match put(&db, n).await {
                    Transacted::Committed(_) => drop(committed.insert(n)),
                    Transacted::Unknown(_) => drop(unknown.insert(n)),
                    Transacted::RolledBack(e) => assert_eq!(e.class, Class::Outage, "{e}"),
                }
            }
            (committed, unknown)
        }
    });
    // when all sessions are terminated again and again
    let killer = async {
        let mut conn = world.fresh.connect().await.unwrap();
        while killed.get() < 100 {
            killed.set(killed.get() + terminate(&mut conn).await);
        }
    };
    let (ends, ()) = tokio::join!(futures_util::future::join_all(sides), killer);
    // then what was said to be committed is there, and nothing else but what nobody knew
    let there: BTreeSet<i64> = world.numbers().await.into_iter().collect();
    let (committed, unknown): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
    let committed: BTreeSet<i64> = committed.into_iter().flatten().collect();
    let possible: BTreeSet<i64> = unknown.into_iter().flatten().chain(committed.iter().copied()).collect();
    assert!(committed.is_subset(&there) && there.is_subset(&possible));
    assert!(!there.is_empty());
    assert_eq!(world.sessions("idle in transaction%").await, 0);
    // and it goes on
    assert_eq!(put(&world.db, -1).await, Transacted::Committed(i64::try_from(there.len()).unwrap()));
}

/// Whoever restores a database closes it first: that is no reason to give up on it.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_database_that_lets_nobody_in_is_away() {
    let world = world(|settings| settings.writers(1)).await;
    let options = world.fresh.options();
    let name = options.get_database().unwrap().to_owned();
    let mut server = options.database("postgres").connect().await.unwrap();
    for (lets_in, n) in [(false, 1), (true, 2)] {
        let sql = format!("alter database {name} allow_connections {lets_in}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut server).await.unwrap();
        let sql = "select pg_terminate_backend(pid, 1000) from pg_stat_activity where datname = $1";
        sqlx::query(sql).bind(&name).execute(&mut server).await.unwrap();
        let end = put(&world.db, n).await;
        match (&end, lets_in) {
            (Transacted::Committed(_), true) => {}
            (Transacted::RolledBack(e), false) => assert_eq!(e.class, Class::Outage, "{e}"),
            _ => panic!("{end:?}"),
        }
    }
    assert_eq!(world.numbers().await, [2]);
}
