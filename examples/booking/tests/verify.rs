//! The auditor finds what was planted: in the bank's book, in a read model, in the log.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[path = "support/run.rs"]
mod run;

use run::Data;
use rusqlite::Connection;

fn booked() -> Data {
    let data = Data::new();
    data.good(&["--trips", "30", "--hold", "0.3"]);
    assert_eq!(data.good(&["verify"])["clean"], true);
    data
}

/// Changes a file behind everybody's back and returns what the auditor says.
#[track_caller]
fn after(data: &Data, file: &str, sql: &str) -> String {
    let changed = Connection::open(data.folder().join(file)).unwrap().execute(sql, []).unwrap();
    assert_eq!(changed, 1, "{sql}");
    let output = data.output(&["verify"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_charge_that_is_missing_or_doubled_or_too_high_is_found() {
    let data = booked();
    let again = "insert into ledger (trip, cents) select trip, cents from ledger where id = 3";
    let said = after(&data, "payments.db", again);
    assert!(said.contains("completed, and charged 2 times"), "{said}");
    let said = after(&data, "payments.db", "update ledger set cents = cents + 1 where id = 1");
    assert!(said.contains("holds things for"), "{said}");
    let said = after(&data, "payments.db", "delete from ledger where id = 2");
    assert!(said.contains("completed, and charged 0 times"), "{said}");
}

#[test]
fn a_read_model_that_drifted_is_found() {
    let data = booked();
    let first = "(select min(id) from trip)";
    let said = after(&data, "read.db", &format!("update trip_v1 set phase = 'running' where id = {first}"));
    assert!(said.contains("read model trip"), "{said}");
    let said = after(
        &data,
        "read.db",
        "update room_night_v1 set taken = taken + 1 where (room, night) = (select min(room), night from room_night)",
    );
    assert!(said.contains("read model room_night"), "{said}");
}

#[test]
fn a_commit_that_was_changed_is_found() {
    let data = booked();
    let sql = "update palinode_record_0 set value = cast(replace(cast(value as text), 'a', 'b') as blob) \
        where id = (select max(id) from palinode_record_0)";
    let said = after(&data, "log.db", sql);
    assert!(said.contains(".events/"), "{said}");
}

#[test]
fn a_trip_that_has_not_ended_is_no_success() {
    // given trips that were killed half way
    let data = Data::new();
    let mut work = std::process::Command::new(env!("CARGO_BIN_EXE_booking"))
        .args(["work", "--seed", "5", "--from", "0", "--until", "100000", "--data"])
        .arg(data.folder())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(work.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut String::new()).unwrap();
    work.kill().unwrap();
    work.wait().unwrap();

    // then the auditor says which, and finds nothing else wrong
    let (verified, success) = data.run(&["verify"]);
    assert!(!success, "{verified}");
    assert!(verified["unfinished"].as_u64() > Some(0), "{verified}");
    assert_eq!(
        (verified["differences"].as_u64(), verified["log_findings"].as_u64()),
        (Some(0), Some(0)),
        "{verified}"
    );
}
