//! A log that cannot be written for a while: another program holds the lock of its file. What is told meanwhile is true,
//! nothing is lost, and the same key finds out what became of it.

use std::{collections::BTreeMap, sync::mpsc, thread};

use rusqlite::Connection;

use crate::{
    run::Data,
    server::{Answer, Server, trip},
};

/// Keeps everybody from writing to the log until it is dropped.
fn hold(data: &Data) -> Connection {
    let log = Connection::open(data.folder().join("log.db")).unwrap();
    log.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    log.execute_batch("begin immediate").unwrap();
    log
}

/// Posts until it is accepted; what is told until then says that it may be sent again.
fn accepted(server: &Server, key: &str) -> Answer {
    loop {
        let answer = server.post(key, &trip("GBR"));
        match answer.status {
            202 => return answer,
            _ => answer.is(503, if answer.body["status"] == 503 { problem(&answer) } else { "" }),
        }
    }
}

/// The name of a problem that may be met here.
fn problem(answer: &Answer) -> &'static str {
    let told = answer.body["type"].as_str().unwrap_or_default();
    let names = ["overloaded", "unknown"];
    names.into_iter().find(|name| told.ends_with(name)).unwrap_or_else(|| panic!("{answer:?}"))
}

/// Waits until every trip has ended, stops, and has everything computed again.
fn sound(server: Server, data: &Data, trips: u64) {
    server.rests();
    server.terminate();
    assert_eq!(server.wait().code(), Some(0));
    let verified = data.good(&["verify"]);
    assert_eq!(
        (&verified["read_models"]["trip"], &verified["differences"]),
        (&trips.into(), &0.into()),
        "{verified}"
    );
}

#[test]
fn one_command_too_many_is_told_to_come_back_and_nothing_is_lost() {
    // given a server where one command may wait for a shard, and a log that cannot be written
    let data = Data::new();
    let server = Server::start(data.folder(), &["--queue", "1", "--hold", "0.2"]);
    let log = hold(&data);
    let keys: Vec<String> = (0..40).map(|n| format!("key-{n}")).collect();
    let mut first: BTreeMap<&str, Answer> = BTreeMap::new();
    thread::scope(|scope| {
        let (told, answers) = mpsc::channel();
        for key in &keys {
            let (told, server) = (told.clone(), &server);
            scope.spawn(move || told.send((key.as_str(), server.post(key, &trip("GBR")))));
        }
        drop(told);
        // when one is refused for that, the log can be written again
        let mut log = Some(log);
        for (key, answer) in answers {
            if answer.status == 503 && problem(&answer) == "overloaded" {
                log.take();
            }
            first.insert(key, answer);
        }
        assert!(log.is_none(), "nobody was told to come back: {first:?}");
    });
    // then each was accepted, or told what to do, and the same key ends in one trip
    for key in &keys {
        let again = accepted(&server, key);
        let answer = &first[key.as_str()];
        if answer.status == 202 {
            assert_eq!(answer.body, again.body);
        } else {
            answer.is(503, problem(answer));
            assert_eq!(answer.body["trip"], again.body["id"], "{answer:?}");
        }
    }
    sound(server, &data, 40);
}

#[test]
fn what_is_unknown_is_found_out_with_the_same_key_and_readyz_says_what_stands_still() {
    // given a server that is ready, and a log that cannot be written any more
    let data = Data::new();
    let server = Server::start(data.folder(), &["--hold", "0.2"]);
    let log = hold(&data);
    // when a trip is booked
    let unknown = server.post("a", &trip("GBR"));
    // then nobody can tell what became of it, and the server says that it is not ready, and which shard is not
    unknown.is(503, "unknown");
    let id = unknown.body["trip"].as_str().unwrap();
    let not_ready = server.until("GET", "/readyz", |answer| answer.status == 503);
    not_ready.is(503, "not-ready");
    let why = not_ready.body["detail"].as_str().unwrap();
    assert!(why.starts_with("shard trip/") && why.contains(" is recovering"), "{why}");
    // and lives, and shows what it has
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(server.get("/trips").body["trips"], serde_json::json!([]));

    // when the log can be written again
    drop(log);
    server.until("GET", "/readyz", |answer| answer.status == 200);
    // then the same key finds out: it is that trip, once
    let found = accepted(&server, "a");
    assert_eq!(found.body["id"], id);
    assert_eq!(accepted(&server, "a").body, found.body);
    sound(server, &data, 1);
}
