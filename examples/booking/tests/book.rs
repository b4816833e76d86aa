//! The command without a name: every outcome, one after another on the same data.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[path = "support/run.rs"]
mod run;

use run::Data;

const TRIPS: u64 = 150;

#[test]
fn two_runs_book_different_trips_and_everything_agrees() {
    // given two runs on the same data
    let data = Data::new();
    let first = data.good(&["--trips", "150", "--hold", "0.3"]);
    let second = data.good(&["--trips", "150", "--hold", "0.3"]);

    // then all trips ended, some in every way
    for run in [&first, &second] {
        let outcomes = ["completed", "compensated", "cancelled", "expired", "stuck"];
        let ended: u64 = outcomes.iter().map(|word| run[word].as_u64().unwrap()).sum();
        assert_eq!((ended, run["stuck"].as_u64()), (TRIPS, Some(0)), "{run}");
        assert!(run["completed"].as_u64() > Some(100), "{run}");
        assert!(run["cancelled"].as_u64() > Some(0) && run["expired"].as_u64() > Some(0), "{run}");
    }

    // and an independent fold of the log finds the same
    let verified = data.good(&["verify"]);
    let sum = |word: &str| first[word].as_u64().unwrap() + second[word].as_u64().unwrap();
    for word in ["completed", "compensated", "cancelled", "expired"] {
        assert_eq!(verified["trips"][word].as_u64(), Some(sum(word)), "{word}: {verified}");
    }
    assert_eq!(verified["charges"].as_u64(), Some(sum("completed")));
    assert_eq!(verified["read_models"]["trip"].as_u64(), Some(2 * TRIPS));
}

#[test]
fn a_trip_is_shown_from_its_start_to_its_end() {
    let data = Data::new();
    data.good(&["--trips", "5", "--hold", "0.3"]);
    let db = rusqlite::Connection::open(data.folder().join("read.db")).unwrap();
    let sql = "select id from trip where phase = 'completed'";
    let trip: String = db.query_row(sql, [], |row| row.get(0)).unwrap();

    let shown = data.good(&["show", &trip]);
    let journal = shown["journal"].as_array().unwrap();
    assert_eq!(journal.first().unwrap()["event"]["type"], "started");
    assert_eq!(journal.last().unwrap()["event"]["type"], "completed");

    let unknown = data.output(&["show", "0123456789abcdef"]);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no trip 0123456789abcdef"));
}

#[test]
fn a_second_process_on_the_same_data_is_told_who_has_it() {
    let data = Data::new();
    let mut first = std::process::Command::new(env!("CARGO_BIN_EXE_booking"))
        .args(["work", "--seed", "3", "--from", "0", "--until", "100000", "--data"])
        .arg(data.folder())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = std::io::BufReader::new(first.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert!(line.starts_with("accepted "), "{line:?}");

    let second = data.output(&["--trips", "1"]);
    let pid = first.id().to_string();
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(!second.status.success());
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(error.contains(&pid), "{error} does not name process {pid}");
}
