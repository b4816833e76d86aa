//! Asked to stop in the middle of its work, it finishes what it began, closes everything, and loses nothing.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may be blunt")]

#[path = "support/run.rs"]
mod run;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use run::Data;

#[test]
fn sigterm_drains() {
    // given a process that books, and has accepted some trips
    let data = Data::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_booking"))
        .args(["work", "--seed", "3", "--from", "0", "--until", "1000000", "--hold", "0.3", "--data"])
        .arg(data.folder())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut accepted = BufReader::new(child.stdout.take().unwrap()).lines();
    accepted.by_ref().take(50).for_each(drop);

    // when it is asked to stop
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let rest = accepted.map_while(Result::ok).count();

    // then it ends by itself, in order, long before all is done
    assert!(child.wait().unwrap().success());
    assert!(rest < 900_000);
    assert!(!data.folder().join("log.db-wal").exists(), "the log was closed in order");

    // and every trip it accepted has ended
    let verified = data.good(&["verify"]);
    assert_eq!(verified["unfinished"].as_u64(), Some(0), "{verified}");
}
