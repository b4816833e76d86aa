//! Sessions that are terminated under running read models, as by a restart of the server.

use std::sync::Arc;

use sqlx::PgConnection;

use crate::{db::connect, world::*};

/// Ends all other sessions of the database.
async fn terminate(conn: &mut PgConnection) -> i64 {
    let sql = "select count(pg_terminate_backend(pid, 1000)) from pg_stat_activity \
               where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn rows_equal_the_fold_whatever_sessions_are_terminated() {
    // given a running read model
    let world = world().await;
    let model = world.start(Arc::default()).await;
    let (mut other, mut deposits, mut ended) = (connect(&world.home).await, Vec::new(), 0);
    // when events come, and all sessions are terminated again and again
    for n in 0_u32.. {
        let (shard, account) = (n % 2, format!("{}-{}", n % 2, n % 5));
        let pseq = world.journal.deposit(shard, &account, &[i64::from(n), 1]).pseq;
        deposits.extend([(shard, pseq, 0, account.clone(), i64::from(n)), (shard, pseq, 1, account, 1)]);
        if n % 7 == 0 {
            ended += in_time(&world, terminate(&mut other)).await;
        }
        if ended >= 60 {
            break;
        }
    }
    for shard in 0..2 {
        reached_in_time(&world, &model, &world.journal.token(shard)).await;
    }
    // then every event is in the tables once, and an outage has parked nothing
    assert_eq!(world.table().await, naive(&deposits));
    assert_eq!(model.parked().await.unwrap(), []);
}
