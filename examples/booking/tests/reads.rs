//! Read models in the hands of an operator: what is parked, taken again, left out; built again, swapped, taken away.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[path = "support/run.rs"]
mod run;

use run::Data;
use rusqlite::Connection;
use serde_json::Value;

/// The room type whose rows cannot be written while the trigger is there.
const KEY: &str = "room-type/resort/D";

fn tables(data: &Data) -> Connection {
    let db = Connection::open(data.folder().join("read.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    db
}

/// Makes rows that cannot be written, and books trips. What is shown afterwards, with their key parked.
fn break_and_book(data: &Data) -> Value {
    let broken = "create trigger broken before insert on room_night_v1 when new.room = 'resort/D'
        begin select raise(abort, 'no such room'); end";
    tables(data).execute_batch(broken).unwrap();
    book(data);
    let shown = show(data);
    assert_eq!(shown["parked"].as_array().unwrap().len(), 1, "{shown}");
    shown
}

fn mend(data: &Data) {
    tables(data).execute_batch("drop trigger broken").unwrap();
}

fn book(data: &Data) {
    data.good(&["--trips", "60", "--hold", "0.2"]);
}

fn show(data: &Data) -> Value {
    data.good(&["reads", "show", "room-nights"])
}

fn verb(data: &Data, words: &[&str]) -> (Value, bool) {
    data.run(&[&["reads"], words, &["--by", "ada", "--why", "a test"]].concat())
}

#[track_caller]
fn good(data: &Data, words: &[&str]) -> Value {
    let (told, success) = verb(data, words);
    assert!(success, "{words:?} said {told}");
    told
}

/// Whether rows and log agree.
fn is_clean(data: &Data) -> bool {
    data.run(&["verify"]).0["clean"] == true
}

/// The versions, and which of them readers see.
fn versions(shown: &Value) -> Vec<(u64, bool)> {
    let all = shown["versions"].as_array().unwrap().iter();
    all.map(|version| (version["version"].as_u64().unwrap(), version["active"].as_bool().unwrap())).collect()
}

#[test]
fn a_parked_key_is_shown_tried_again_and_free_when_its_cause_is_mended() {
    // given a read model that cannot take the events of one room type
    let data = Data::new();
    book(&data);
    let shown = break_and_book(&data);
    assert_eq!(shown["parked"][0]["key"], KEY);
    assert!(shown["parked"][0]["error"].as_str().unwrap().contains("no such room"), "{shown}");
    let listed = data.good(&["reads", "list"]);
    let parked = |name: &str| {
        let all = listed["read_models"].as_array().unwrap().iter();
        all.filter(|model| model["name"] == name)
            .map(|model| model["keys_parked"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(listed["read_models"].as_array().unwrap().len(), 5);
    assert_eq!((parked("room-nights"), parked("trips"), parked("palinode-sagas")), (1, 0, 0));
    assert!(!is_clean(&data));

    // when it is tried again with the cause still there, then it stays, and the command fails
    let (told, success) = verb(&data, &["retry", "room-nights", KEY]);
    assert_eq!((success, &told["free"]), (false, &0.into()), "{told}");
    assert_eq!(told["parked"][0]["key"], KEY);

    // and when the cause is mended, it is free
    mend(&data);
    let cause = told["parked"][0]["cause"].as_str().unwrap();
    let told = good(&data, &["retry", "room-nights", "--cause", cause]);
    assert_eq!((&told["asked"], &told["free"]), (&1.into(), &1.into()), "{told}");
    let shown = show(&data);
    assert_eq!(shown["parked"], serde_json::json!([]));
    let verbs: Vec<&str> =
        shown["audit"].as_array().unwrap().iter().map(|a| a["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["retry", "retry-cause"]);
    assert_eq!((&shown["audit"][0]["by"], &shown["audit"][0]["why"]), (&"ada".into(), &"a test".into()));
    assert!(is_clean(&data));

    // and there is nothing to retry any more
    let output = data.output(&["reads", "retry", "room-nights", KEY, "--by", "ada", "--why", "again"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing like that is parked"));
}

#[test]
fn what_was_left_out_comes_back_with_a_version_that_is_built_again() {
    // given a read model of which a person has left something out
    let data = Data::new();
    book(&data);
    break_and_book(&data);
    mend(&data);
    let told = good(&data, &["skip", "room-nights", KEY]);
    assert_eq!(told["free"], 1, "{told}");
    assert!(!is_clean(&data));

    // when it is built again
    let told = good(&data, &["rebuild", "room-nights"]);
    // then the two differ, and readers still see the old one
    let new = told["version"].as_u64().unwrap();
    assert_eq!(told["differences"][0]["table"], "room_night", "{told}");
    assert_eq!(versions(&show(&data)), [(1, true), (new, false)]);
    assert!(!is_clean(&data));

    // when readers are moved
    let new = new.to_string();
    let shown = good(&data, &["swap", "room-nights", &new]);
    assert!(versions(&shown)[1].1);
    assert!(is_clean(&data));

    // then it goes on by itself, also when the old one is taken away
    let refused =
        data.output(&["reads", "remove", "room-nights", &new, "--by", "ada", "--why", "by mistake"]);
    assert_eq!(refused.status.code(), Some(2), "readers see it");
    good(&data, &["remove", "room-nights", "1"]);
    book(&data);
    let shown = show(&data);
    assert_eq!(versions(&shown).len(), 1, "{shown}");
    assert!(is_clean(&data));

    // and once more: it is the code's own number again, and the same
    let told = good(&data, &["rebuild", "room-nights"]);
    assert_eq!((&told["version"], &told["differences"]), (&1.into(), &serde_json::json!([])), "{told}");
    good(&data, &["swap", "room-nights", "1"]);
    assert!(is_clean(&data));
}
