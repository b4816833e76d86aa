//! Every program of the tour runs, ends well, and says what its reader should see last.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be blunt")]

use std::{env::consts::EXE_SUFFIX, process::Command};

/// Runs a program of the tour; `cargo test -p tour` has built it beside this test.
fn run(name: &str) -> String {
    let test = std::env::current_exe().unwrap();
    let program =
        test.parent().unwrap().parent().unwrap().join("examples").join(format!("{name}{EXE_SUFFIX}"));
    assert!(program.exists(), "{} is not built: cargo build -p tour --examples", program.display());
    let output = Command::new(program).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} failed: {err}\n{out}");
    out
}

/// The program's last lines are these.
fn ends(name: &str, last: &[&str]) {
    let out = run(name);
    let lines: Vec<&str> = out.lines().map(str::trim).collect();
    assert!(lines.ends_with(last), "{name} ended otherwise:\n{out}");
}

#[test]
fn hello() {
    ends(
        "hello",
        &[
            r#"commit 1: Accepted  lobby.greeted {"name":"Ada"}"#,
            r#"commit 2: Accepted  lobby.greeted {"name":"Grace"}"#,
            "commit 3: Rejected",
            r#"commit 4: Accepted  lobby.greeted {"name":"Alan"}"#,
        ],
    );
}

#[test]
fn account() {
    ends(
        "account",
        &[
            "deposit 50    -> balance 150, version 3",
            "deposit 50    -> balance 150, version 3",
            "how much?     -> balance 150, version 3",
        ],
    );
}

#[test]
fn read_model() {
    let out = run("read_model");
    let held: Vec<&str> =
        out.lines().filter_map(|line| line.trim().strip_prefix("rooms are held by: ")).collect();
    let behind = "ada, grace   (alan is missing: the table is behind)";
    assert_eq!(held, ["ada, grace", behind, "ada, grace, alan"], "{out}");
}

#[test]
fn read_your_writes() {
    let out = run("read_your_writes");
    let seen: Vec<&str> = out.lines().filter_map(|line| line.trim().strip_prefix("and sees: ")).collect();
    assert_eq!(seen, ["rooms 1", "rooms 3, seats 1"], "{out}");
    ends(
        "read_your_writes",
        &[
            "A wait never just hangs: it says why it was not reached.",
            "not within 50 ms: 98 commits behind",
            "a token of another log: wrong log, it is dead and not late",
            "a read model that was stopped: stopped, it will not be reached",
        ],
    );
}

#[test]
fn rebuild() {
    let out = run("rebuild");
    let seen: Vec<&str> = out.lines().filter_map(|line| line.trim().strip_prefix("readers see: ")).collect();
    let rooms = [3, 3, 2, 4, 3].map(|n| format!("{n} rooms taken"));
    assert_eq!(seen, rooms, "{out}");
    ends(
        "rebuild",
        &[
            "swap from version 1 to 2 (ada: version 1 forgets what is given back)",
            "swap from version 2 to 1 (ada: just to show it)",
            "swap from version 1 to 2 (ada: shown)",
            "remove version 1 (ada: nobody wants it back)",
        ],
    );
}

#[test]
fn trip() {
    ends(
        "trip",
        &[
            "saga.undone        hold-room",
            "saga.compensated",
            "",
            "What happened to the rooms:",
            r#"stock.held         "ada""#,
            r#"stock.held         "grace""#,
            r#"stock.released     "grace""#,
        ],
    );
}

#[test]
fn signals() {
    ends(
        "signals",
        &[
            "ada, wish 1: Buffered",
            "ada, wish 1: Duplicate",
            "The rooms are clean. Ada has spoken; Grace never does.",
            "ada: Completed, with a view of the sea",
            "grace: Compensated, with no wish",
            "grace, too late: no, it has come to its end",
        ],
    );
}

#[test]
fn timers() {
    ends(
        "timers",
        &["set:     @deadline, sleep-on-it", "fired:   sleep-on-it", "early:   0", "cleared: @deadline"],
    );
}

#[test]
fn crash() {
    ends("crash", &["second life: 10 trips completed, 2 taken back", "The bank has made 10 charges."]);
}
