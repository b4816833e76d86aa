//! `booking saga` over a real folder: sagas that wait for their guests are found, paused, taken back and killed, each
//! by a process of its own, and an independent fold of the log finds nothing wrong with it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[path = "support/run.rs"]
mod run;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use run::Data;
use serde_json::Value;

/// Begins trips that wait a long time for guests who do not come, and says so; ends with this process.
fn working(data: &Data) -> Child {
    let mut work = Command::new(env!("CARGO_BIN_EXE_booking"))
        .args(["work", "--seed", "3", "--from", "0", "--until", "60", "--hold", "3600", "--data"])
        .arg(data.folder())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(work.stdout.take().unwrap());
    assert_eq!(
        said.lines().map_while(Result::ok).filter(|line| line.starts_with("accepted ")).take(60).count(),
        60
    );
    work
}

fn killed(mut work: Child) {
    work.kill().unwrap();
    work.wait().unwrap();
}

fn listed(data: &Data, status: &str) -> Vec<Value> {
    let mut said = data.good(&["saga", "list", "--status", status, "--limit", "200"]);
    said["sagas"].as_array_mut().unwrap().drain(..).collect()
}

fn ids(sagas: &[Value]) -> Vec<&str> {
    sagas.iter().map(|saga| saga["id"].as_str().unwrap()).collect()
}

#[test]
fn an_operator_finds_sagas_and_every_verb_says_what_came_of_it() {
    // given trips that were under way when their process was killed
    let data = Data::new();
    killed(working(&data));
    let waiting: Vec<Value> =
        listed(&data, "live").into_iter().filter(|saga| saga["waiting_for"] == "signal confirmed").collect();
    assert!(waiting.len() >= 2, "{waiting:?}");
    let (one, two) = (waiting[0]["id"].as_str().unwrap(), waiting[1]["id"].as_str().unwrap());

    // when one is paused, then it is listed as such and nothing but a resume or a kill moves it
    let why = ["--by", "ada", "--why", "the bank is down"];
    let order = |words: &[&str]| data.run(&[&["saga"], words, &why[..], &["--wait", "0.2"]].concat());
    let (told, success) = order(&["pause", one]);
    assert!(success && told["situation"]["paused"] == true, "{told}");
    assert_eq!(ids(&listed(&data, "paused")), [one]);
    let (told, success) = order(&["pause", one]);
    assert!(!success && told["refused"]["code"] == "paused", "{told}");
    let (told, success) = order(&["retry", one, "guest"]);
    assert!(!success && told["refused"]["code"] == "paused", "{told}");

    // and over a restart it is still paused, and goes on when it is resumed
    let (told, success) = order(&["resume", one]);
    assert!(success && told["situation"]["phase"] == "forward", "{told}");
    assert_eq!(ids(&listed(&data, "paused")), Vec::<&str>::new());

    // and what has no meaning is refused, with what has one
    let refused = |words: &[&str], code: &str| {
        let (told, success) = order(words);
        assert!(!success && told["refused"]["code"] == code, "{words:?}: {told}");
        told["refused"]["text"].as_str().unwrap().to_owned()
    };
    assert!(refused(&["retry", one, "guest"], "not_now").contains("guest is waiting"));
    assert!(refused(&["skip", one, "gest"], "no_such_node").contains("capture-payment"));
    refused(&["mark-done", one, "capture-payment", "--reply", "{}"], "not_now");
    refused(&["mark-not-done", one, "capture-payment"], "not_now");
    refused(&["undo-again", one, "hold-room"], "not_now");
    refused(&["resume", one], "not_paused");
    refused(&["unpark", one], "not_parked");
    refused(&["cancel", "0123456789abcdef"], "not_started");

    // when one is cancelled and the other killed, both come to their ends
    let (told, success) = data.run(&["saga", "cancel", one, "--by", "ada", "--why", "ill", "--wait", "30"]);
    assert!(success && told["end"] == "cancelled", "{told}");
    let (told, success) = order(&["kill", two]);
    assert!(success && told["situation"]["phase"] == "killed", "{told}");
    refused(&["kill", two], "ended");
    assert!(ids(&listed(&data, "killed")).contains(&two));

    // then each shows who did what to it, when and why
    let shown = data.good(&["saga", "show", one]);
    let audit: Vec<(&str, &str, &str)> = shown["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|act| (act["verb"].as_str().unwrap(), act["by"].as_str().unwrap(), act["why"].as_str().unwrap()))
        .collect();
    let expected = [
        ("pause", "ada", "the bank is down"),
        ("resume", "ada", "the bank is down"),
        ("cancel", "ada", "ill"),
    ];
    assert_eq!(audit, expected);
    let (verified, _) = data.run(&["verify"]);
    assert_eq!(verified["log_findings"], 0, "{verified}");
    assert!(shown["audit"][0]["time_us"].as_i64().unwrap() > 1_700_000_000_000_000);
}

#[test]
fn a_verb_while_another_process_has_the_folder_says_which_one_and_what_other_road_there_is() {
    let data = Data::new();
    let work = working(&data);
    let id = "0123456789abcdef";
    let second = data.output(&["saga", "pause", id, "--by", "ada", "--why", "so"]);
    let pid = work.id().to_string();
    // looking needs no lock
    let shown = data.output(&["saga", "show", id]);
    killed(work);
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && error.contains(&pid) && error.contains("HTTP"), "{error}");
    let unknown = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(unknown.contains("no trip 0123456789abcdef"), "{unknown}");
}
