//! The embedded log and the death of its process: the test program starts itself again as the one that is killed, that
//! meets a full file system, or that may not write.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use palinode::{
    Append, Log, Record, SystemClock, Topic,
    log::{
        conformance::{SERVICE, log_id, read_all, record},
        sqlite::SqliteLog,
    },
};

/// Says to a child that it is one, and where its log is.
const CHILD: &str = "PALINODE_TEST_CHILD";

/// The folder, in a child.
fn role() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// This program again, to run only the test of this name, as a child.
fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, dir);
    command
}

fn inbox() -> Topic {
    Topic::inbox(SERVICE)
}

fn open(dir: &Path) -> SqliteLog {
    SqliteLog::open(dir, Arc::new(SystemClock)).unwrap()
}

fn numbered(n: u64) -> Record {
    record(&format!("{n} {}", "x".repeat(200)))
}

/// Appends numbered records until one is not acknowledged; prints after each how many are.
async fn append_on_and_on(dir: &Path) -> Append {
    let log = open(dir);
    log.create(SERVICE, 1, log_id(1)).await;
    for n in 0.. {
        match log.append(&inbox(), 0, vec![numbered(n)]).await {
            Append::Appended(_) => println!("acknowledged {}", n + 1),
            other => return other,
        }
        std::io::stdout().flush().unwrap();
    }
    unreachable!()
}

fn acknowledged(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ")?.trim().parse().ok()
}

/// Everything acknowledged is there, and nothing that was not sent.
async fn check(dir: &Path, acknowledged: u64) {
    let log = open(dir);
    let stored = read_all(&log, &inbox(), 0, 0).await;
    assert!(stored.len() as u64 >= acknowledged, "{} of {acknowledged} are there", stored.len());
    for s in &stored {
        assert_eq!(s.record, numbered(s.offset), "record {}", s.offset);
    }
}

#[tokio::test]
async fn killed_it_keeps_what_it_acknowledged() {
    if let Some(dir) = role() {
        append_on_and_on(&dir).await;
        return;
    }
    for last in [1, 20, 150] {
        let dir = tempfile::tempdir().unwrap();
        let mut child =
            child("killed_it_keeps_what_it_acknowledged", dir.path()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let seen = lines.filter_map(|line| acknowledged(&line)).find(|n| *n >= last).unwrap();

        // SIGKILL, in the middle of the next append.
        child.kill().unwrap();
        child.wait().unwrap();

        check(dir.path(), seen).await;
    }
}

#[tokio::test]
async fn where_files_cannot_grow_it_refuses_or_does_not_know() {
    const TEST: &str = "where_files_cannot_grow_it_refuses_or_does_not_know";
    if let Some(dir) = role() {
        let end = append_on_and_on(&dir).await;
        assert!(!matches!(end, Append::Appended(_)));
        println!("ended {end:?}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    // 512 blocks of 512 or 1024 bytes for any file; writing past them is an error, not a signal.
    let script = format!("trap '' XFSZ; ulimit -f 512; exec '{}' {TEST} --exact --nocapture", exe.display());
    let output = Command::new("sh").args(["-c", &script]).env(CHILD, dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let seen = text.lines().filter_map(acknowledged).next_back().unwrap();

    assert!(output.status.success() && text.contains("start again"), "{text}");
    check(dir.path(), seen).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_can_be_read() {
    const TEST: &str = "a_folder_that_cannot_be_written_can_be_read";
    if let Some(dir) = role() {
        let error = SqliteLog::open(&dir, Arc::new(SystemClock)).map(drop).unwrap_err().to_string();
        assert!(
            error.contains(&dir.display().to_string()) && error.contains("make the folder writable"),
            "{error}"
        );
        let log = SqliteLog::open_read_only(&dir).unwrap();
        assert_eq!(read_all(&log, &inbox(), 0, 0).await.len(), 1);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    log.create(SERVICE, 1, log_id(1)).await;
    log.append(&inbox(), 0, vec![numbered(0)]).await;
    log.close().await.unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o444)).unwrap();
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();

    // Permissions do not bind root: then the child is nobody, in a copy of this program that nobody may run.
    let root = fs::write(dir.path().join("probe"), "").is_ok();
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let exe = place.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    let mut command = Command::new(exe);
    command.args([TEST, "--exact", "--nocapture"]).env(CHILD, dir.path()).current_dir(place.path());
    if root {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();

    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
