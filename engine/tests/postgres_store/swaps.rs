//! Readers are moved while others read and write.

use palinode::{
    checkpoint::{Class, Db, Tables, Transacted, Versions},
    store::{
        conformance::versions::Rows,
        postgres::{PgDb, fresh::FreshDatabase},
    },
};
use sqlx::AssertSqlSafe;

use crate::Texts;

/// Two versions of one table, the first one active.
async fn two_versions(db: &PgDb) {
    for (version, text) in [(1, "one"), (2, "two")] {
        let tables = Tables::new(&["swapped_rows"], version).unwrap();
        let made = db.transact(Box::new(move |tx| {
            Box::pin(async move {
                Texts.make(tx, &tables, "swapped_rows", text).await?;
                PgDb::register(tx, "swapped", &tables).await
            })
        }));
        assert_eq!(made.await, Transacted::Committed(1));
    }
}

async fn switch(db: &PgDb, from: u32, to: u32) -> Transacted<bool> {
    db.transact(Box::new(move |tx| {
        Box::pin(async move {
            PgDb::lock(tx, "swapped").await?;
            PgDb::switch(tx, "swapped", from, to).await
        })
    }))
    .await
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_swap_keeps_what_others_may_do() {
    // given a role that may read the stable name
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    two_versions(&db).await;
    let role = format!("{}_reader", fresh.options().get_database().unwrap());
    let mut other = fresh.connect().await.unwrap();
    let sql = format!(
        "create role {role}; grant select on swapped_rows to {role}; grant update on swapped_rows to public"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut other).await.unwrap();
    // when readers are moved
    assert_eq!(switch(&db, 1, 2).await, Transacted::Committed(true));
    assert_eq!(Texts.seen(&db, "swapped_rows").await, ["two"]);
    // then it still may, and others may what they might
    let sql = "select has_table_privilege($1, 'swapped_rows', 'select'), has_table_privilege($1, 'swapped_rows', 'update'), \
               has_table_privilege($1, 'swapped_rows', 'delete')";
    let may: (bool, bool, bool) = sqlx::query_as(sql).bind(&role).fetch_one(&mut other).await.unwrap();
    assert_eq!(may, (true, true, false));
    let sql = format!("drop owned by {role}; drop role {role}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut other).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_swap_waits_for_a_reader_a_moment_only_and_for_batches_until_their_end() {
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    two_versions(&db).await;
    // given a reader that looks at the view and does not end: it is an outage, and tried again
    let mut reading = db.readers().begin().await.unwrap();
    sqlx::query("select * from swapped_rows").fetch_all(&mut *reading).await.unwrap();
    let end = switch(&db, 1, 2).await;
    assert!(matches!(&end, Transacted::RolledBack(e) if e.class == Class::Outage), "{end:?}");
    reading.rollback().await.unwrap();
    // given a batch that has asked which version is active
    let (told, hears) = tokio::sync::oneshot::channel();
    let (ends, end) = tokio::sync::oneshot::channel::<()>();
    let batch = db.transact(Box::new(|tx| {
        Box::pin(async move {
            let active = PgDb::active(tx, "swapped").await?;
            told.send(()).unwrap();
            end.await.unwrap();
            Ok((active, PgDb::active(tx, "swapped").await?))
        })
    }));
    hears.await.unwrap();
    // when readers are to be moved
    let mut moving = Box::pin(switch(&db, 1, 2));
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let mut other = fresh.connect().await.unwrap();
    loop {
        tokio::select! {
            biased;
            moved = &mut moving => panic!("it did not wait: {moved:?}"),
            count = sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut other) => if count.unwrap() > 0 { break },
        }
    }
    // then the batch ends first, with the answer that it was given
    ends.send(()).unwrap();
    assert_eq!(batch.await, Transacted::Committed((Some(1), Some(1))));
    assert_eq!(moving.await, Transacted::Committed(true));
}
