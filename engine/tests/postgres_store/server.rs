//! What only a server can show: several processes, damage, dropped futures, a database that was set back.

use std::task::Poll;

use futures_util::future::join_all;
use palinode::{
    checkpoint::{Class, Db, Transacted},
    log::Advice,
    snapshots::{Saved, Section, SnapshotStore},
    store::{
        conformance::{self, position, row, save},
        postgres::{PgDb, PgSettings, PgStore, fresh::FreshDatabase},
    },
};

/// Another program changes rows in the same database.
async fn tamper(fresh: &FreshDatabase, sql: &'static str) {
    let mut conn = fresh.connect().await.unwrap();
    assert!(sqlx::query(sql).execute(&mut conn).await.unwrap().rows_affected() > 0, "{sql}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_snapshot_survives_reopening() {
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    let reopen = || async {
        db.close().await;
        Box::new(PgStore::new(fresh.open().await.unwrap())) as Box<dyn SnapshotStore>
    };
    conformance::a_snapshot_survives_reopening(&PgStore::new(db.clone()), reopen).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_closed_store_refuses() {
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    let store = PgStore::new(db.clone());
    db.close().await;
    let Saved::Refused(why) = store.save("hotel", 0, None, save(1, &[])).await else {
        panic!("it was taken")
    };
    assert_eq!(why.advice, Advice::Stop);
    assert!(store.load("hotel", 0).await.is_err());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn damage_is_an_error_that_names_it() {
    for (sql, read) in [
        ("update palinode_snapshot_row set value = '\\x00' where section = 'entity'", "entity"),
        ("update palinode_snapshot_row set pseq = 7 where section = 'id'", "id"),
        ("update palinode_snapshot_row set section = 'timer' where section = 'id'", "timer"),
        ("update palinode_snapshot_row set key = '\\xff' where section = 'id'", "no text"),
        ("update palinode_snapshot set shard_state = '{}'", "head"),
        ("update palinode_snapshot set term = 9", "head"),
        ("update palinode_snapshot set digest = '\\x00'", "digest"),
    ] {
        // given a snapshot
        let fresh = FreshDatabase::new().await.unwrap();
        let store = PgStore::new(fresh.open().await.unwrap());
        let rows = [row(Section::Entity, "a", 1, "x"), row(Section::Id, "i", 1, "y")];
        assert_eq!(store.save("hotel", 3, None, save(1, &rows)).await, Saved::Saved);
        // when a byte of it changes
        tamper(&fresh, sql).await;
        // then it is not returned
        let error = if read == "entity" {
            store.entities("hotel", 3, &["a".into()]).await.unwrap_err()
        } else {
            store.load("hotel", 3).await.unwrap_err()
        };
        assert_eq!(error.advice, Advice::Stop);
        assert!(error.what.contains("hotel/3") && error.what.contains(read), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_save_whose_caller_went_away_is_whole_and_harms_nobody() {
    // given a save that was begun
    let fresh = FreshDatabase::new().await.unwrap();
    let store = PgStore::new(fresh.open().await.unwrap());
    let rows: Vec<_> = (0..2_000).map(|n| row(Section::Id, &n.to_string(), 1, "x")).collect();
    let mut begun = store.save("hotel", 0, None, save(1, &rows));
    let first = std::future::poll_fn(|cx| Poll::Ready(begun.as_mut().poll(cx))).await;
    assert!(first.is_pending());
    // when its caller goes away
    drop(begun);
    // then it comes to its end, whole
    let next = loop {
        match store.save("hotel", 0, Some(&position(1)), save(2, &[])).await {
            Saved::Lost => tokio::task::yield_now().await,
            end => break end,
        }
    };
    assert_eq!(next, Saved::Saved);
    assert_eq!(store.load("hotel", 0).await.unwrap().unwrap().1.len(), 2_000);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn saves_of_many_shards_at_once_all_arrive() {
    let fresh = FreshDatabase::new().await.unwrap();
    let store = PgStore::new(fresh.open().await.unwrap());
    let saves = (0..16).map(|shard| {
        let store = store.clone();
        async move { store.save("hotel", shard, None, save(1, &[row(Section::Id, "x", 1, "y")])).await }
    });
    let ends = join_all(saves).await;
    assert!(ends.iter().all(|end| *end == Saved::Saved), "{ends:?}");
}

/// A transaction that waits until another one, begun after it, has committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn transactions_run_side_by_side() {
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    let (told, mut hears) = tokio::sync::mpsc::channel::<()>(1);
    let first = db.transact(Box::new(move |_| Box::pin(async move { Ok(hears.recv().await.is_some()) })));
    let second = db.transact(Box::new(|_| Box::pin(async { Ok(2) })));
    assert_eq!(second.await, Transacted::Committed(2));
    told.send(()).await.unwrap();
    assert_eq!(first.await, Transacted::Committed(true));
}

/// CX21: the database is set back to an older copy under a running owner.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_database_that_was_set_back_takes_no_save_on_what_was_lost() {
    // given an owner at commit 9, and the database as it was at commit 5
    let fresh = FreshDatabase::new().await.unwrap();
    let store = PgStore::new(fresh.open().await.unwrap());
    let at = |n: u64| row(Section::Entity, "a", n, &n.to_string());
    assert_eq!(store.save("hotel", 0, None, save(5, &[at(5)])).await, Saved::Saved);
    tamper(&fresh, "create table copy_head as table palinode_snapshot").await;
    tamper(&fresh, "create table copy_row as table palinode_snapshot_row").await;
    assert_eq!(store.save("hotel", 0, Some(&position(5)), save(9, &[at(9)])).await, Saved::Saved);
    // when it is set back
    let mut other = fresh.connect().await.unwrap();
    sqlx::raw_sql(
        "begin; truncate palinode_snapshot, palinode_snapshot_row; insert into palinode_snapshot table copy_head; \
         insert into palinode_snapshot_row table copy_row; commit",
    )
    .execute(&mut other)
    .await
    .unwrap();
    // then what it answers names the older base, so that the owner knows; and a save on the lost base is lost
    let (base, found) = store.entities("hotel", 0, &["a".into()]).await.unwrap();
    assert_eq!((base, found), (Some(position(5)), vec![Some(at(5))]));
    assert_eq!(store.save("hotel", 0, Some(&position(9)), save(12, &[at(12)])).await, Saved::Lost);
    assert_eq!(store.load("hotel", 0).await.unwrap().unwrap().0.position, position(5));
    assert_eq!(store.save("hotel", 0, Some(&position(5)), save(12, &[at(12)])).await, Saved::Saved);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn nodes_that_start_together_make_the_tables_once() {
    let fresh = FreshDatabase::new().await.unwrap();
    let all =
        join_all((0..8).map(|_| tokio::spawn(PgDb::connect(fresh.settings().schema("together"))))).await;
    let all: Vec<PgDb> = all.into_iter().map(|db| db.unwrap().unwrap()).collect();
    let sql = "select count(*) from palinode_migrations";
    let files: i64 = sqlx::query_scalar(sql).fetch_one(all[0].readers()).await.unwrap();
    assert_eq!(files, i64::try_from(palinode_migrations::POSTGRES_READ.len()).unwrap());
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn schemas_are_apart_and_readers_only_read() {
    let fresh = FreshDatabase::new().await.unwrap();
    let one = PgDb::connect(fresh.settings().schema("one")).await.unwrap();
    let two = PgDb::connect(fresh.settings().schema("two").relaxed_commits()).await.unwrap();
    let rows = [row(Section::Id, "i", 1, "y")];
    assert_eq!(PgStore::new(one.clone()).save("hotel", 0, None, save(1, &rows)).await, Saved::Saved);
    assert_eq!(PgStore::new(two).load("hotel", 0).await.unwrap(), None);
    // somebody else's tables in `public` are found too
    sqlx::raw_sql("create table mine (a int)").execute(&mut fresh.connect().await.unwrap()).await.unwrap();
    let joined = "select count(*) from mine, one.palinode_snapshot";
    assert_eq!(sqlx::query_scalar::<_, i64>(joined).fetch_one(one.readers()).await.unwrap(), 0);
    let written = sqlx::query("insert into mine values (1)").execute(one.readers()).await;
    assert!(written.unwrap_err().to_string().contains("read-only"));
    let foreign = one.foreign("hotel", uuid::Uuid::nil()).await.unwrap();
    assert_eq!(foreign, Some(position(1).log_id));
    assert_eq!(one.foreign("hotel", position(1).log_id).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_changed_migration_or_a_newer_build_is_refused() {
    let fresh = FreshDatabase::new().await.unwrap();
    fresh.open().await.unwrap().close().await;
    tamper(&fresh, "insert into palinode_migrations (number, name, digest) values (9000, 'later', '')").await;
    let error = fresh.open().await.err().unwrap();
    assert!(error.what.contains("migration 9000") && error.what.contains("newer build"), "{error}");
    tamper(&fresh, "delete from palinode_migrations where number = 9000").await;
    tamper(&fresh, "update palinode_migrations set digest = 'another' where number = 2").await;
    let error = fresh.open().await.err().unwrap();
    assert!(error.what.contains("migration 2 (snapshots)"), "{error}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn what_cannot_be_reached_is_named_without_its_password() {
    let fresh = FreshDatabase::new().await.unwrap();
    let nobody = PgSettings::new("127.0.0.1", 1, "ada", "hotel").password("hunter2");
    let error = PgDb::connect(nobody).await.err().unwrap().what;
    assert!(error.contains("ada@127.0.0.1:1/hotel") && !error.contains("hunter2"), "{error}");
    // a role that must not do this
    sqlx::raw_sql(
        "drop role if exists palinode_nobody; create role palinode_nobody login password 'hunter2'",
    )
    .execute(&mut fresh.connect().await.unwrap())
    .await
    .unwrap();
    let options = fresh.options();
    let (host, port, database) = (options.get_host(), options.get_port(), options.get_database().unwrap());
    let nobody = PgSettings::new(host, port, "palinode_nobody", database).password("hunter2");
    let error = PgDb::connect(nobody.schema("mine")).await.err().unwrap().what;
    assert!(error.contains("permission denied") && !error.contains("hunter2"), "{error}");
}

/// An error that the work swallows has rolled everything back, and the server says yes to COMMIT.
#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn a_swallowed_error_is_no_commit() {
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    sqlx::raw_sql("create table mine (a int primary key deferrable initially deferred)")
        .execute(&mut fresh.connect().await.unwrap())
        .await
        .unwrap();
    let swallowed: Transacted<()> = db
        .transact(Box::new(|tx| {
            Box::pin(async move {
                sqlx::query("insert into mine values (1)").execute(&mut *tx).await?;
                let _ = sqlx::query("select 1 / 0").execute(&mut *tx).await;
                Ok(())
            })
        }))
        .await;
    assert!(matches!(&swallowed, Transacted::RolledBack(e) if e.what.contains("swallowed")), "{swallowed:?}");
    // and a constraint that waits for the end is data that cannot be taken
    let twice: Transacted<()> = db
        .transact(Box::new(|tx| {
            Box::pin(async move {
                sqlx::query("insert into mine values (1), (1)").execute(&mut *tx).await?;
                Ok(())
            })
        }))
        .await;
    let Transacted::RolledBack(e) = twice else { panic!("{twice:?}") };
    assert_eq!(e.class, Class::Poison, "{e}");
    let rows: i64 = sqlx::query_scalar("select count(*) from mine").fetch_one(db.readers()).await.unwrap();
    assert_eq!(rows, 0);
}
