//! The embedded log as a file: read without its owner's lock, beside a writer, to the end it had when it was opened.

use std::path::Path;

use palinode_verify::{Finding, Log, Report, Rule, Source, check};
use rusqlite::{Connection, params};
use serde_json::json;

use crate::history::*;

/// The file of a folder, in the layout of the log, as its owner opens it.
fn create(dir: &Path) -> Connection {
    let db = Connection::open(dir.join("log.db")).unwrap();
    db.pragma_update(None, "journal_mode", "wal").unwrap();
    db.execute_batch(include_str!("../../../migrations/sqlite/0001_log.sql")).unwrap();
    // A lane of another topic, which holds no truth.
    make(&db, 1, "trip.inbox", 0);
    db.execute("insert into palinode_record_1 values (1 << 40, 1, 0, 0, 0, '', null, x'00')", []).unwrap();
    db
}

/// A lane with its table.
fn make(db: &Connection, lane: i64, topic: &str, partition: u32) {
    db.execute("insert into palinode_lane values (?1, ?2, ?3)", params![lane, topic, partition]).unwrap();
    let table = include_str!("../../../migrations/sqlite/record.sql").replace("{lane}", &lane.to_string());
    db.execute_batch(&table).unwrap();
}

const KEY: &str = "book-trip/t1";

/// CRC-32C of id, mark, crc and time, eight bytes each with the little end first, and then of the key.
fn sum(numbers: [i64; 4], key: &str) -> u32 {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).chain(key.bytes()).collect();
    crc32c::crc32c(&bytes)
}

fn write(db: &Connection, history: &History, from: u64) {
    for (lane, ((service, shard), records)) in (2_i64..).zip(&history.0) {
        if from == 0 {
            make(db, lane, &format!("{service}.events"), *shard);
        }
        for r in records.iter().filter(|r| r.offset >= from) {
            let id = (lane << 40) + i64::try_from(r.offset).unwrap();
            let time = 1_760_000_000_000_000 + id % 1_000;
            let sum = sum([id, r.mark.unwrap().into(), r.crc.unwrap().into(), time], KEY);
            db.execute(
                &format!("insert into palinode_record_{lane} values (?1, ?2, ?3, ?4, ?5, ?6, null, ?7)"),
                params![id, r.mark, r.crc, sum, time, KEY, r.value],
            )
            .unwrap();
        }
    }
}

#[test]
fn the_file_says_what_the_memory_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::of(story());
    history.rewrite("trip", 0, 3, |commit| commit["time"] = json!(1));
    write(&create(dir.path()), &history, 0);
    assert_eq!(check(&Log::open(dir.path()).unwrap()).unwrap(), history.report());
}

#[test]
fn a_log_longer_than_a_page_is_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = History::begin();
    for n in 0..1_200_i64 {
        history.push("trip", 0, "claim", json!({"term": n + 2, "claim": TRIP_LOG, "owner": "a", "time": n}));
    }
    write(&create(dir.path()), &history, 0);
    let report = check(&Log::open(dir.path()).unwrap()).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.counts.claims, 1_203);
}

#[test]
fn it_is_read_beside_a_writer_and_ends_where_it_ended_when_it_was_opened() {
    let dir = tempfile::tempdir().unwrap();
    let history = History::of(story());
    let mut writer = create(dir.path());
    // Given a log whose writer is still there, its pages in the write-ahead log, and a transaction under way.
    write(&writer, &History::begin(), 0);
    let under_way = writer.transaction().unwrap();
    write(&under_way, &history, 2);
    // When it is opened, and the transaction ends afterwards.
    let log = Log::open(dir.path()).unwrap();
    under_way.commit().unwrap();
    // Then the new records are not read; opened again, they are.
    assert_eq!(check(&log).unwrap().counts.commits, 0);
    assert_eq!(log.partitions().iter().map(|p| p.end).collect::<Vec<_>>(), [2, 2, 2]);
    assert_eq!(check(&Log::open(dir.path()).unwrap()).unwrap().counts.commits, 7);
}

#[test]
fn a_row_that_is_gone_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let db = create(dir.path());
    write(&db, &History::of(story()), 0);
    db.execute("delete from palinode_record_4 where id & ((1 << 40) - 1) = 3", []).unwrap();
    let report = check(&Log::open(dir.path()).unwrap()).unwrap();
    assert!(report.findings.iter().any(|f| f.rule == Rule::Readable && f.offset == Some(3)), "{report}");
}

/// What the checker finds after one statement about record 3 of the trips.
fn damaged(statement: &str) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let db = create(dir.path());
    write(&db, &History::of(story()), 0);
    assert_eq!(db.execute(&format!("{statement} where id = (4 << 40) + 3"), []).unwrap(), 1);
    check(&Log::open(dir.path()).unwrap()).unwrap()
}

#[test]
fn a_row_changed_beside_its_value_is_found_where_it_stands() {
    for change in ["time_us = time_us + 1", "key = 'book-trip/t2'", "mark = 2", "sum = sum + 1", "crc = 7"] {
        let report = damaged(&format!("update palinode_record_4 set {change}"));
        let here = |f: &&Finding| f.rule == Rule::Readable && f.offset == Some(3) && &*f.service == "trip";
        assert_eq!(report.findings.iter().filter(here).count(), 1, "{change}: {report}");
    }
}

#[test]
fn a_row_whose_bytes_moved_to_another_place_is_found() {
    // Given two rows of one lane that changed places, each with its own checksums.
    let dir = tempfile::tempdir().unwrap();
    let db = create(dir.path());
    write(&db, &History::of(story()), 0);
    let at = |offset: i64| (4_i64 << 40) + offset;
    for (from, to) in [(at(2), -1), (at(3), at(2)), (-1, at(3))] {
        db.execute("update palinode_record_4 set id = ?2 where id = ?1", [from, to]).unwrap();
    }
    // Then the first of them is where reading stops.
    let report = check(&Log::open(dir.path()).unwrap()).unwrap();
    let found: Vec<_> = report.findings.iter().filter(|f| f.rule == Rule::Readable).collect();
    assert!(matches!(found[..], [f] if f.offset == Some(2) && f.found.contains("checksum")), "{report}");
}

#[test]
fn a_folder_without_a_log_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let why = Log::open(dir.path()).map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("log.db"), "{why}");
    Connection::open(dir.path().join("log.db")).unwrap().execute_batch("create table t (a)").unwrap();
    assert!(Log::open(dir.path()).is_err());
}
