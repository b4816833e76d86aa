//! The checker knows every entry that the page of the journal names, and no other.

use palinode_verify::{journal::Entry, record::Event};
use serde_json::json;

fn read(tag: &str) -> Result<Entry, String> {
    // Every field of every entry: what an entry does not know it ignores.
    let timer = json!({"serial": 1, "due": 2});
    let data = json!({"definition": "order", "version": 1, "fingerprint": "00000000000000aa", "data": {"a": 1},
        "deadline": timer, "exceptions": 0, "reason": "so", "by": "me", "standing": ["room/do"], "node": "room",
        "round": 1, "attempt": 1, "to": {"activity": "do"}, "request": 1, "undo": {"activity": "undo", "data": 2},
        "at": 3, "timer": timer, "reply": 4, "code": "no", "text": "no", "why": "when", "direction": "undo",
        "how": "lost", "name": "go", "id": "s1", "then": "go_on", "nodes": ["room"], "re": "room/do/1",
        "class": "leak", "pivot": true, "signal": "go", "answer": "lost", "input": {"timer": {"node": "guest", "serial": 1}},
        "verb": "skip", "left": [{"node": "guest", "micros": 5}],
        "timers": [{"node": "guest", "serial": 1, "due": 2}], "late": true, "later": "unknown"});
    let event = json!({"type": format!("saga.{tag}"), "schema": 1, "data": data});
    let event: Event = serde_json::from_str(&event.to_string()).unwrap();
    Entry::read(&event).unwrap()
}

#[test]
fn it_reads_every_entry_of_the_page() {
    let page = include_str!("../../../../docs/journal.md");
    let named: Vec<&str> =
        page.lines().filter_map(|l| l.strip_prefix("| `saga.")).filter_map(|l| l.split('`').next()).collect();
    assert!(named.len() > 25, "{named:?}");
    for tag in named {
        read(tag).unwrap();
    }
}

#[test]
fn what_the_page_does_not_name_is_unreadable_and_what_is_no_entry_is_none() {
    assert!(read("teleported").is_err());
    let event: Event = serde_json::from_str(r#"{"type":"room.held","schema":1,"data":{}}"#).unwrap();
    assert!(Entry::read(&event).is_none());
}
