//! Clients that mean harm, or are only slow: each is refused, and the others are served.

use crate::{
    run::Data,
    server::{Server, trip},
};

#[test]
fn what_is_no_http_is_refused() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    for (bytes, status) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), Some(400)),
        (b"nonsense\r\n\r\n".to_vec(), Some(400)),
        (b"GET /trips HTTP/9.9\r\n\r\n".to_vec(), Some(400)),
        (b"GET /trips HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_vec(), Some(400)),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000)).into_bytes(), Some(431)),
        (format!("GET /trips HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(70_000)).into_bytes(), Some(431)),
        (format!("GET /trips HTTP/1.1\r\n{}\r\n", "x: a\r\n".repeat(65)).into_bytes(), Some(431)),
        (b"GET /trips/\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), Some(400)),
        (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), Some(404)),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), Some(404)),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), None),
    ] {
        let mut wire = server.connect();
        wire.send(&bytes);
        let answer = wire.try_answer();
        let said = || format!("{answer:?} to {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
        assert!(
            answer.as_ref().map_or(status.is_none(), |a| status.is_none_or(|s| s == a.status)),
            "{}",
            said()
        );
    }
    assert_eq!(server.post("a", &trip("GBR")).status, 202);
}

#[test]
fn a_client_that_is_too_slow_loses_its_connection() {
    let data = Data::new();
    let server = Server::start(data.folder(), &["--patience", "0.3"]);

    // with half a head
    let mut head = server.connect();
    head.send(b"GET /trips HTTP/1.1\r\nhost:");
    // with half a body
    let mut body = server.connect();
    body.send(b"POST /trips HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"hotel\":");
    // between two requests
    let mut idle = server.connect();
    idle.send(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(idle.answer().status, 200);

    body.answer().is(408, "too-slow");
    assert!(body.is_closed());
    assert!(head.is_closed());
    assert!(idle.is_closed());
    assert_eq!(server.get("/trips").body["trips"], serde_json::json!([]));
}

#[test]
fn one_connection_too_many_is_told_to_come_back() {
    let data = Data::new();
    let server = Server::start(data.folder(), &["--connections", "2", "--patience", "60"]);
    let mut places: Vec<_> = (0..2)
        .map(|_| {
            // Until the server has noticed that the test's own last connection is closed.
            loop {
                let mut wire = server.connect();
                wire.send(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n");
                if wire.try_answer().is_some_and(|answer| answer.status == 200) {
                    break wire;
                }
            }
        })
        .collect();
    let refused = server.get("/livez");
    refused.is(503, "overloaded");
    assert_eq!(refused.header("connection"), Some("close"));

    // those that have a place keep it, and one that leaves makes room
    places[1].send(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(places[1].answer().status, 200);
    drop(places.pop());
    server.until("GET", "/livez", |answer| answer.status == 200);
}

#[test]
fn a_client_that_does_not_read_its_answers_loses_its_connection() {
    let data = Data::new();
    let server = Server::start(data.folder(), &["--connections", "1", "--patience", "0.3"]);

    // given the only place taken by a client that asks and asks, for more than any buffer holds, and reads nothing
    let question = b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n";
    let size = server.until("GET", "/openapi.json", |answer| answer.status == 200);
    let size: usize = size.header("content-length").unwrap().parse().unwrap();
    let questions = 64 * 1024 * 1024 / size;
    let mut deaf = server.connect();
    let asked = (0..questions).take_while(|_| deaf.try_send(question).is_ok()).count();

    // then its place is free again, and the answers end before the questions
    server.until("GET", "/livez", |answer| answer.status == 200);
    let mut answered = 0;
    while deaf.try_answer().is_some() {
        answered += 1;
    }
    assert!(answered < questions, "all {answered} answers came to {asked} questions");
}
