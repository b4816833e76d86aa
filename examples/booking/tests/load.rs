//! Load over HTTP, with the server killed under it: nothing that was accepted is lost, and everything agrees.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

#[path = "support/run.rs"]
mod run;

use run::Data;

#[test]
fn what_was_accepted_over_http_ends_whatever_is_killed() {
    let data = Data::new();
    let loaded = data.good(&["load", "--seconds", "3", "--connections", "4", "--kills", "2"]);
    assert!(loaded["accepted"].as_u64() > Some(0), "{loaded}");
    assert!(loaded["asked_again"].as_u64() > Some(0), "nobody noticed the kills: {loaded}");
    assert_eq!((&loaded["lost"], &loaded["unfinished"]), (&serde_json::json!([]), &0.into()), "{loaded}");
    assert_eq!(loaded["audit"]["clean"], true, "{loaded}");
    let ends: u64 = loaded["ends"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(Some(ends), loaded["accepted"].as_u64(), "{loaded}");
    assert_eq!(data.good(&["verify"])["clean"], true);
}

#[test]
fn a_server_that_is_not_there_is_no_success() {
    let data = Data::new();
    let error = |url: &str| {
        let output = data.output(&["load", "--url", url]);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = error("https://127.0.0.1:1");
    assert!(said.contains("http://HOST:PORT"), "{said}");
    // a port that was free a moment ago
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = error(&format!("http://{free}"));
    assert!(said.contains(&free.to_string()) && said.contains("booking serve"), "{said}");
}
