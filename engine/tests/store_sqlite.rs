//! The contracts of snapshots and checkpoints over SQLite, and what only a file can show: damage, locks, migrations, dropped futures.

#![allow(clippy::unwrap_used, reason = "tests may be blunt")]

use std::task::Poll;

use futures_util::future::BoxFuture;
use palinode::{
    checkpoint::{ApplyError, Tables},
    log::Advice,
    snapshots::{Saved, Section, SnapshotStore},
    store::{
        conformance::{self, position, row, save, versions::Rows},
        sqlite::{SqliteDb, SqliteStore},
    },
};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

async fn open(folder: &TempDir) -> SqliteDb {
    SqliteDb::open(folder.path().join("read.db")).await.unwrap()
}

/// Another program's connection to the same file changes it.
async fn tamper(folder: &TempDir, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(folder.path().join("read.db"));
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    assert!(sqlx::query(sql).execute(&mut conn).await.unwrap().rows_affected() > 0, "{sql}");
    conn.close().await.unwrap();
}

macro_rules! promises {
    ($($name:ident),+ $(,)?) => { $(
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().unwrap();
            conformance::$name(&SqliteStore::new(open(&folder).await)).await.unwrap();
        }
    )+ };
}

promises! {
    the_first_save_is_loaded,
    a_lost_race_changes_nothing,
    a_save_changes_its_rows_only,
    the_last_row_of_a_key_counts,
    many_rows_are_one_save,
    entities_come_with_their_base,
    bytes_come_back_as_they_were,
    shards_are_apart,
    a_save_never_goes_back,
}

macro_rules! checkpoint_promises {
    ($($name:ident),+ $(,)?) => { $(
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().unwrap();
            conformance::checkpoints::$name(&open(&folder).await).await.unwrap();
        }
    )+ };
}

checkpoint_promises! {
    taking_over_raises_the_epoch,
    a_checkpoint_moves_by_compare_and_set,
    checkpoints_are_apart,
    failed_work_changes_nothing,
    a_dropped_caller_splits_nothing,
}

macro_rules! parking_promises {
    ($($name:ident),+ $(,)?) => { $(
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().unwrap();
            conformance::parking::$name(&open(&folder).await).await.unwrap();
        }
    )+ };
}

parking_promises! {
    a_key_is_parked_once,
    held_events_come_back_in_order,
    a_key_that_holds_nothing_is_free,
    parked_keys_are_apart,
    failed_work_parks_nothing,
    acts_are_recorded_in_order,
}

macro_rules! version_promises {
    ($($name:ident $(with $rows:expr)?),+ $(,)?) => { $(
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().unwrap();
            conformance::versions::$name(&open(&folder).await $(, &$rows)?).await.unwrap();
        }
    )+ };
}

version_promises! {
    readers_see_the_first_version with Texts,
    a_table_belongs_to_one_version_of_one_projection with Texts,
    readers_move_by_compare_and_set with Texts,
    a_removed_version_begins_anew with Texts,
    versions_know_how_far_they_are with Texts,
    versions_are_compared with Texts,
}

/// Rows that are one text each.
#[derive(Clone)]
struct Texts;

impl Rows<SqliteDb> for Texts {
    fn make<'t>(
        &'t self,
        tx: &'t mut SqliteConnection,
        tables: &'t Tables,
        stable: &'static str,
        text: &'t str,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        Box::pin(async move {
            let table = tables.name(stable);
            let sql = format!("create table if not exists {table} (t text) strict");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
            let sql = format!("insert into {table} values (?1)");
            sqlx::query(AssertSqlSafe(sql)).bind(text).execute(tx).await?;
            Ok(())
        })
    }

    fn seen<'d>(&'d self, db: &'d SqliteDb, stable: &'static str) -> BoxFuture<'d, Vec<String>> {
        Box::pin(async move {
            let sql = AssertSqlSafe(format!("select t from {stable} order by t"));
            sqlx::query_scalar(sql).fetch_all(db.readers()).await.unwrap()
        })
    }
}

#[tokio::test]
async fn a_snapshot_survives_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    let reopen = || async {
        db.close().await;
        Box::new(SqliteStore::new(open(&folder).await)) as Box<dyn SnapshotStore>
    };
    conformance::a_snapshot_survives_reopening(&SqliteStore::new(db.clone()), reopen).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder).await;
    let store = SqliteStore::new(db.clone());
    db.close().await;
    let Saved::Refused(why) = store.save("hotel", 0, None, save(1, &[])).await else {
        panic!("it was taken")
    };
    assert_eq!(why.advice, Advice::Stop);
    assert!(store.load("hotel", 0).await.is_err());
}

#[tokio::test]
async fn damage_is_an_error_that_names_it() {
    for (sql, read) in [
        ("update palinode_snapshot_row set value = x'00' where section = 'entity'", "entity"),
        ("update palinode_snapshot_row set pseq = 7 where section = 'id'", "id"),
        ("update palinode_snapshot_row set section = 'timer' where section = 'id'", "timer"),
        ("update palinode_snapshot set shard_state = '{}'", "head"),
    ] {
        // given a snapshot
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::new(open(&folder).await);
        let rows = [row(Section::Entity, "a", 1, "x"), row(Section::Id, "i", 1, "y")];
        assert_eq!(store.save("hotel", 3, None, save(1, &rows)).await, Saved::Saved);
        // when a byte of it changes
        tamper(&folder, sql).await;
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
async fn a_save_whose_caller_went_away_is_whole_and_harms_nobody() {
    // given a save that was begun
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::new(open(&folder).await);
    let rows: Vec<_> = (0..2_000).map(|n| row(Section::Id, &n.to_string(), 1, "x")).collect();
    let mut begun = store.save("hotel", 0, None, save(1, &rows));
    let first = std::future::poll_fn(|cx| Poll::Ready(begun.as_mut().poll(cx))).await;
    assert!(first.is_pending());
    // when its caller goes away
    drop(begun);
    // then the next one waits for it and finds it whole
    assert_eq!(store.save("hotel", 0, Some(&position(1)), save(2, &[])).await, Saved::Saved);
    assert_eq!(store.load("hotel", 0).await.unwrap().unwrap().1.len(), 2_000);
}

#[tokio::test]
async fn saves_of_many_shards_at_once_all_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::new(open(&folder).await);
    let saves = (0..16).map(|shard| {
        let store = store.clone();
        async move { store.save("hotel", shard, None, save(1, &[row(Section::Id, "x", 1, "y")])).await }
    });
    let ends = futures_util::future::join_all(saves).await;
    assert!(ends.iter().all(|end| *end == Saved::Saved), "{ends:?}");
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder).await.close().await;
    tamper(&folder, "update palinode_migrations set digest = 'another' where number = 2").await;
    let error = SqliteDb::open(folder.path().join("read.db")).await.err().unwrap();
    assert!(error.what.contains("migration 2 (snapshots)"), "{error}");
}

#[tokio::test]
async fn a_file_of_a_newer_build_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder).await.close().await;
    tamper(&folder, "insert into palinode_migrations (number, name, digest) values (9000, 'later', '')")
        .await;
    let error = SqliteDb::open(folder.path().join("read.db")).await.err().unwrap();
    assert!(error.what.contains("migration 9000") && error.what.contains("newer build"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("read.db"), [7; 4096]).unwrap();
    let error = SqliteDb::open(folder.path().join("read.db")).await.err().unwrap();
    assert!(error.what.contains("read.db"), "{error}");
}
