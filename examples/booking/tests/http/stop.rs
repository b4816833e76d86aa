//! Asked to stop, the server finishes what it is at; and it does not start where it cannot serve.

use std::net::TcpListener;

use crate::{
    run::Data,
    server::{Server, ask_at, trip},
};

#[test]
fn a_request_in_flight_is_answered_before_it_stops() {
    let data = Data::new();
    let server = Server::start(data.folder(), &["--hold", "0.2"]);

    // given a booking of which half has arrived
    let body = trip("GBR").to_string();
    let (first, rest) = body.split_at(20);
    let mut booking = server.connect();
    let head = format!(
        "POST /trips HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    booking.send(head.as_bytes());
    // The server asks for the body: so the request is in its hands.
    assert_eq!(booking.answer().status, 100);
    booking.send(first.as_bytes());

    // when it is asked to stop
    server.terminate();

    // then it says that it is not ready, takes nothing new, and lives
    server.until("GET", "/readyz", |answer| answer.status == 503).is(503, "stopping");
    server.get("/trips").is(503, "stopping");
    server.post("late", &trip("GBR")).is(503, "stopping");
    assert_eq!(server.get("/livez").status, 200);

    // and answers the booking when the rest of it comes
    booking.send(rest.as_bytes());
    let accepted = booking.answer();
    assert_eq!(accepted.status, 202, "{accepted:?}");

    // and ends in order
    let address = server.address.clone();
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(ask_at(&address, "GET", "/livez", &[], ""), None);
    assert!(!data.folder().join("log.db-wal").exists(), "the log was closed in order");
    let verified = data.run(&["verify"]).0;
    assert_eq!(
        (&verified["read_models"]["trip"], &verified["differences"]),
        (&1.into(), &0.into()),
        "{verified}"
    );
}

#[test]
fn where_it_cannot_serve_it_says_why() {
    let data = Data::new();
    let error = |args: &[&str]| {
        let output = data.output(&[&["serve"], args].concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    // a port that is taken
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = error(&["--listen", &address]);
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");

    // an address that others reach
    let said = error(&["--listen", "0.0.0.0:0"]);
    assert!(said.contains("0.0.0.0:0") && said.contains("--insecure"), "{said}");

    // data that another process has
    let server = Server::start(data.folder(), &[]);
    let said = error(&["--listen", "127.0.0.1:0"]);
    assert!(said.contains(&server.pid().to_string()), "{said} does not name process {}", server.pid());
}
