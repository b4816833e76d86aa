//! What the server says of where it is seen: the trace of a trip, and its metrics.

use std::net::{Ipv4Addr, TcpListener};

use crate::{
    run::Data,
    server::{Server, ask_at, trip},
};

#[test]
fn a_trip_says_where_its_trace_is_seen() {
    let data = Data::new();
    let server = Server::start(data.folder(), &["--jaeger", "http://jaeger:16686/"]);
    let booked = server.post("seen", &trip("GBR"));
    let id = booked.body["id"].as_str().unwrap().to_owned();
    let link = booked.header("palinode-trace").unwrap();
    let shown = server.ask("GET", &format!("/trips/{id}"), &[("palinode-token", booked.token())], "");
    assert_eq!(shown.header("palinode-trace"), Some(link));
    drop(server);

    let trace = data.good(&["show", &id])["trace"].as_str().unwrap().to_owned();
    assert_eq!((link, trace.len()), (&*format!("http://jaeger:16686/trace/{trace}"), 32));
    let silent = Server::start(data.folder(), &[]);
    assert_eq!(silent.post("seen", &trip("GBR")).header("palinode-trace"), None);
}

#[test]
fn metrics_are_served_beside_it() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let (data, address) = (Data::new(), format!("127.0.0.1:{port}"));
    let server = Server::start(data.folder(), &["--metrics", &address]);
    server.post("counted", &trip("GBR"));
    let text = text_of(&address);
    let counted =
        "palinode_command_duration_seconds_count{kind=\"book-trip\",outcome=\"accepted\",service=\"trip\"} ";
    assert!(text.lines().any(|line| line.starts_with(counted)), "{text}");
    assert_eq!(ask_at(&address, "GET", "/", &[], "").unwrap().status, 404);
    drop(server);
}

fn text_of(address: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut wire = std::net::TcpStream::connect(address).unwrap();
    wire.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    wire.read_to_string(&mut text).unwrap();
    text
}
