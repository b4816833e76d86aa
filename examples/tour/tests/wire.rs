//! The records printed in `docs/wire.md` are records: each is decoded, and says the same when it is encoded again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be blunt")]

use palinode::{
    Micros, Record,
    codec::{Entry, decode, encode_commit},
    remote::{AnswerRecord, CallRecord, WatchRecord, word},
};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/wire.md");

fn examples() -> Vec<&'static str> {
    PAGE.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn without_nulls(text: &[u8]) -> Value {
    let mut value: Value = serde_json::from_slice(text).unwrap();
    value.as_object_mut().unwrap().retain(|_, v| !v.is_null());
    value
}

#[test]
fn every_record_on_the_page_is_one() {
    let again = |text: &str| match word(text.as_bytes()).as_deref() {
        Some("call") => Some(serde_json::from_str::<CallRecord>(text).unwrap().encode().unwrap()),
        Some("watch") => Some(serde_json::from_str::<WatchRecord>(text).unwrap().encode().unwrap()),
        Some("answer") => Some(AnswerRecord::decode(text.as_bytes()).unwrap().encode().unwrap()),
        _ => None,
    };
    let (roads, log): (Vec<&str>, Vec<&str>) = examples().into_iter().partition(|text| again(text).is_some());
    for text in &roads {
        assert_eq!(text.trim(), String::from_utf8(again(text).unwrap()).unwrap());
    }
    assert_eq!(roads.len(), 3);
    let kinds: Vec<&str> = log
        .into_iter()
        .map(|text| match decode(&Record::ours("".into(), text, Micros(0))).unwrap().unwrap() {
            Entry::Genesis(_) => "genesis",
            Entry::Claim(_) => "claim",
            Entry::Commit(commit) => {
                assert_eq!(without_nulls(text.as_bytes()), without_nulls(&encode_commit(&commit).unwrap()));
                "commit"
            }
        })
        .collect();
    assert_eq!(kinds, ["genesis", "claim", "commit", "commit"]);
}
