//! What the embedded log promises about its folder: locked, whole, readable by others, and refused when it is not what
//! it was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use palinode::{
    Append, Log, ManualClock, Micros, Topic,
    log::{
        Advice, Confirmed, Created,
        conformance::{PARTITIONS, SERVICE, appended, log_id, read_all, record, texts},
        sqlite::{OpenError, SqliteLog},
    },
};
use rusqlite::Connection;
use tempfile::TempDir;

/// The time of every log here: equal scripts make equal files.
const NOW: Micros = Micros(2_000_000);

fn open(dir: &Path) -> Result<SqliteLog, OpenError> {
    SqliteLog::open(dir, Arc::new(ManualClock::at(NOW)))
}

fn refused(dir: &Path) -> OpenError {
    open(dir).map(drop).unwrap_err()
}

fn inbox() -> Topic {
    Topic::inbox(SERVICE)
}

/// A folder with a log, these records in the first partition of its inbox, dropped without being closed.
async fn crashed(values: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), values).await);
    dir
}

/// The same, closed in order.
async fn closed(values: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), values).await.close().await.unwrap();
    dir
}

async fn filled(dir: &Path, values: &[&str]) -> SqliteLog {
    let log = open(dir).unwrap();
    let created = log.create(SERVICE, PARTITIONS, log_id(1)).await;
    assert!(matches!(created, Created::Ready { .. }), "{created:?}");
    appended(&log, &inbox(), 0, values).await;
    log
}

/// Somebody else's hand on the file.
fn tampered(dir: &TempDir, sql: &str) {
    let db = Connection::open(dir.path().join("log.db")).unwrap();
    db.execute_batch(sql).unwrap();
}

/// The table of the inbox's first partition.
fn table(dir: &TempDir) -> String {
    let db = Connection::open(dir.path().join("log.db")).unwrap();
    let sql =
        "select 'palinode_record_' || lane from palinode_lane where topic = 'hotel.inbox' and partition = 0";
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

async fn inbox_of(dir: &Path) -> Vec<String> {
    texts(&read_all(&open(dir).unwrap(), &inbox(), 0, 0).await)
}

#[tokio::test]
async fn a_second_opener_is_told_who_holds_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();

    let error = refused(dir.path());

    let pid = std::process::id().to_string();
    assert_eq!(error, OpenError::Locked { dir: dir.path().display().to_string(), pid: pid.clone() });
    assert!(error.to_string().contains(&format!("locked by pid {pid}")), "{error}");
    first.close().await.unwrap();
    open(dir.path()).unwrap();
}

#[tokio::test]
async fn closed_in_order_log_db_is_all_of_it() {
    let dir = closed(&["a", "b"]).await;
    assert!(!dir.path().join("log.db-wal").exists());

    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(dir.path().join("log.db"), elsewhere.path().join("log.db")).unwrap();

    assert_eq!(inbox_of(elsewhere.path()).await, ["a", "b"]);
}

#[tokio::test]
async fn after_close_everything_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path(), &["a"]).await;
    let mut member = log.join(SERVICE).await.unwrap();
    let confirm = member.confirmer();

    log.close().await.unwrap();

    let Append::Refused(error) = log.append(&inbox(), 0, vec![record("b")]).await else { panic!("appended") };
    assert_eq!(error.advice, Advice::Stop);
    assert!(log.read(&inbox(), 0, 0, 1).await.is_err() && log.end(&inbox(), 0).await.is_err());
    assert!(matches!(log.create("flight", 1, log_id(2)).await, Created::Refused(_)));
    assert!(log.join(SERVICE).await.is_err() && log.close().await.is_err());
    assert!(member.next().await.is_none());
    assert_eq!(confirm.confirm(0).await, Confirmed::Refused);
}

#[tokio::test]
async fn cx40_a_crash_without_its_wal_file_is_refused() {
    let dir = crashed(&["a", "b"]).await;
    fs::remove_file(dir.path().join("log.db-wal")).unwrap();

    let error = refused(dir.path());

    assert!(matches!(error, OpenError::Shorter { .. }), "{error}");
    assert!(error.to_string().contains("log.db-wal is missing"), "{error}");
}

#[tokio::test]
async fn cx40_a_crash_with_an_emptied_wal_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(NOW);
    let log = SqliteLog::open(dir.path(), Arc::new(clock.clone())).unwrap();
    log.create(SERVICE, PARTITIONS, log_id(1)).await;
    appended(&log, &inbox(), 0, &["a"]).await;
    // After a second the next append asks for a witness.
    clock.advance(Duration::from_secs(1));
    appended(&log, &inbox(), 0, &["b"]).await;
    drop(log);
    fs::write(dir.path().join("log.db-wal"), b"").unwrap();

    let error = refused(dir.path());

    assert!(matches!(error, OpenError::Shorter { .. }), "{error}");
}

#[tokio::test]
async fn cx40_an_older_copy_is_refused_until_its_witness_is_removed() {
    let dir = closed(&["a"]).await;
    let backup = dir.path().join("backup.db");
    fs::copy(dir.path().join("log.db"), &backup).unwrap();
    let log = open(dir.path()).unwrap();
    appended(&log, &inbox(), 0, &["b"]).await;
    log.close().await.unwrap();
    fs::copy(&backup, dir.path().join("log.db")).unwrap();

    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Shorter { .. }), "{error}");
    fs::remove_file(dir.path().join("log.witness")).unwrap();

    assert_eq!(inbox_of(dir.path()).await, ["a"]);
}

#[tokio::test]
async fn another_history_of_the_same_length_is_refused() {
    let (dir, other) = (closed(&["a", "b"]).await, closed(&["a", "x"]).await);
    fs::copy(other.path().join("log.db"), dir.path().join("log.db")).unwrap();

    let error = refused(dir.path());

    assert!(
        error.to_string().contains("hotel.inbox/0, record 1: it is not the one that was there"),
        "{error}"
    );
}

#[tokio::test]
async fn a_witness_without_its_log_is_refused() {
    let dir = closed(&["a"]).await;
    fs::remove_file(dir.path().join("log.db")).unwrap();
    assert!(matches!(refused(dir.path()), OpenError::Shorter { .. }));
}

#[tokio::test]
async fn files_that_are_no_log_are_refused() {
    let text = tempfile::tempdir().unwrap();
    fs::write(text.path().join("log.db"), "Dear diary, ".repeat(1_000)).unwrap();
    assert!(matches!(refused(text.path()), OpenError::Foreign { .. }), "{}", refused(text.path()));

    let other = tempfile::tempdir().unwrap();
    Connection::open(other.path().join("log.db"))
        .unwrap()
        .execute_batch("create table diary (day text)")
        .unwrap();
    assert!(matches!(refused(other.path()), OpenError::Foreign { .. }), "{}", refused(other.path()));

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = refused(&folder.path().join("file"));
    assert!(error.to_string().contains(&folder.path().join("file").display().to_string()), "{error}");
}

#[tokio::test]
async fn a_newer_format_asks_for_a_newer_build() {
    let dir = closed(&["a"]).await;
    tampered(&dir, "insert into palinode_migrations values (9000, 'later', '00', 0)");

    let error = refused(dir.path());

    assert!(matches!(error, OpenError::Newer { found: 9000, .. }), "{error}");
    assert!(error.to_string().contains("run a newer build"), "{error}");
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let dir = closed(&["a"]).await;
    tampered(&dir, "update palinode_migrations set checksum = '0000000000000000'");
    assert!(matches!(refused(dir.path()), OpenError::Changed { number: 1, .. }));
}

#[tokio::test]
async fn rows_that_are_not_as_written_are_named_and_not_returned() {
    let key = "(select lane << 40 | 1 from palinode_lane where topic = 'hotel.inbox' and partition = 0)";
    for (change, says) in [
        ("update {table} set value = x'00' where id = ", "its value is damaged"),
        ("update {table} set key = 'room/2' where id = ", "its row is damaged"),
        ("update {table} set time_us = time_us + 1 where id = ", "its row is damaged"),
        ("update {table} set crc = crc + 1 where id = ", "its row is damaged"),
        ("update {table} set mark = 0 where id = ", "it does not bear our mark"),
        ("delete from {table} where id = ", "it is missing"),
    ] {
        let dir = closed(&["a", "b", "c"]).await;
        tampered(&dir, &format!("{change}{key}").replace("{table}", &table(&dir)));
        let log = open(dir.path()).unwrap();

        assert_eq!(texts(&log.read(&inbox(), 0, 0, 10).await.unwrap()), ["a"], "{change}");
        let error = log.read(&inbox(), 0, 1, 10).await.unwrap_err();

        assert!(error.to_string().contains(&format!("hotel.inbox/0, record 1: {says}")), "{change}: {error}");
        assert_eq!(error.advice, Advice::Stop);
    }
}

#[tokio::test]
async fn cx34_a_log_ahead_of_the_clock_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(Micros(0).plus(Duration::from_secs(1_000)));
    let log = SqliteLog::open(dir.path(), Arc::new(clock.clone())).unwrap();
    log.create(SERVICE, 1, log_id(1)).await;
    log.close().await.unwrap();

    clock.set(Micros(0).plus(Duration::from_secs(939)));
    let error = SqliteLog::open(dir.path(), Arc::new(clock.clone())).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Ahead { seconds: 61, .. }), "{error}");

    clock.advance(Duration::from_secs(1));
    SqliteLog::open(dir.path(), Arc::new(clock)).unwrap();
}

#[tokio::test]
async fn reading_works_beside_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path(), &["a"]).await;
    let reader = SqliteLog::open_read_only(dir.path()).unwrap();
    assert_eq!(texts(&read_all(&reader, &inbox(), 0, 0).await), ["a"]);

    appended(&log, &inbox(), 0, &["b"]).await;

    assert_eq!(reader.end(&inbox(), 0).await.unwrap(), 2);
    assert_eq!(texts(&read_all(&reader, &inbox(), 0, 0).await), ["a", "b"]);
    log.close().await.unwrap();
    assert_eq!(texts(&read_all(&reader, &inbox(), 0, 1).await), ["b"]);
}

#[tokio::test]
async fn opened_for_reading_nothing_can_be_written() {
    let dir = closed(&["a"]).await;
    let log = SqliteLog::open_read_only(dir.path()).unwrap();

    assert!(matches!(log.append(&inbox(), 0, vec![record("b")]).await, Append::Refused(_)));
    assert!(matches!(log.create("flight", 1, log_id(2)).await, Created::Refused(_)));
    assert!(log.join(SERVICE).await.is_err());
    log.close().await.unwrap();
    assert!(log.read(&inbox(), 0, 0, 1).await.is_err());

    let nothing = tempfile::tempdir().unwrap();
    let missing = SqliteLog::open_read_only(nothing.path()).map(drop).unwrap_err();
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
    assert_eq!(fs::read_dir(nothing.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_crashed_log_can_be_read_before_it_is_opened_again() {
    let dir = crashed(&["a", "b"]).await;

    let log = SqliteLog::open_read_only(dir.path()).unwrap();

    assert_eq!(texts(&read_all(&log, &inbox(), 0, 0).await), ["a", "b"]);
    drop(log);
    assert_eq!(inbox_of(dir.path()).await, ["a", "b"]);
}

#[tokio::test]
async fn a_failed_insert_refuses_and_closes() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path(), &["a"]).await;
    tampered(
        &dir,
        &format!(
            "create trigger boom before insert on {} when new.key = 'boom'
             begin select raise(abort, 'no such luck'); end",
            table(&dir)
        ),
    );
    let boom = palinode::Record::ours("boom".into(), b"boom".to_vec(), Micros(0));

    let outcome = log.append(&inbox(), 0, vec![record("b"), boom]).await;

    let Append::Refused(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("no such luck") && error.advice == Advice::Stop, "{error}");
    assert!(matches!(log.append(&inbox(), 0, vec![record("c")]).await, Append::Refused(_)));
    drop(log);
    assert_eq!(inbox_of(dir.path()).await, ["a"]);
}

#[tokio::test]
async fn a_failed_commit_is_unknown_and_closes() {
    let dir = tempfile::tempdir().unwrap();
    let log = filled(dir.path(), &["a"]).await;
    let mut member = log.join(SERVICE).await.unwrap();
    tampered(
        &dir,
        &format!(
            "create table parent (x integer primary key);
             create table child (x integer references parent deferrable initially deferred);
             create trigger boom after insert on {} when new.key = 'boom'
             begin insert into child values (1); end",
            table(&dir)
        ),
    );
    let boom = palinode::Record::ours("boom".into(), b"boom".to_vec(), Micros(0));

    let outcome = log.append(&inbox(), 0, vec![boom]).await;

    let Append::Unknown(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.to_string().contains("start again") && error.advice == Advice::Stop, "{error}");
    assert!(matches!(log.append(&inbox(), 0, vec![record("b")]).await, Append::Refused(_)));
    assert!(log.read(&inbox(), 0, 0, 1).await.is_err());
    while member.next().await.is_some() {}
    drop(log);
    assert_eq!(inbox_of(dir.path()).await, ["a"]);
}
