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

#[test]
fn requests_and_what_they_ask_of_the_database_are_measured() {
    // Given a server that tells metrics
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let (data, address) = (Data::new(), format!("127.0.0.1:{port}"));
    let server = Server::start(data.folder(), &["--metrics", &address]);
    // When it is asked what it knows, what it does not know, and in a way that nobody knows
    let booked = server.post("measured", &trip("GBR"));
    let path = format!("/trips/{}", booked.body["id"].as_str().unwrap());
    server.ask("GET", &path, &[("palinode-token", booked.token())], "");
    server.get("/trips/not-an-id");
    server.get("/nowhere");
    server.ask("BREW", "/trips", &[], "");
    // Then each counts by its pattern
    let text = text_of(&address);
    let counted = |metric: &str, attributes: &str| {
        let line = format!("{metric}_seconds_count{{{attributes}}} ");
        text.lines().find_map(|of| of.strip_prefix(&*line)).map(|count| count.parse::<u32>().unwrap())
    };
    let request = |method: &str, status: u16, route: &str| {
        let labels = format!(
            "http_request_method=\"{method}\",http_response_status_code=\"{status}\",{route}service=\"booking\",\
             url_scheme=\"http\""
        );
        counted("http_server_request_duration", &labels)
    };
    assert_eq!(request("POST", 202, "http_route=\"/trips\","), Some(1), "{text}");
    assert_eq!(request("GET", 200, "http_route=\"/trips/{id}\","), Some(1), "{text}");
    assert_eq!(request("GET", 400, "http_route=\"/trips/{id}\","), Some(1), "{text}");
    assert_eq!(request("GET", 404, ""), Some(1), "{text}");
    assert!(request("GET", 200, "http_route=\"/readyz\",").is_some(), "{text}");
    assert!(text.contains("http_request_method=\"_OTHER\""), "{text}");
    // And nothing in them was made up by a client
    assert!(["BREW", "nowhere", "not-an-id", &path].iter().all(|made_up| !text.contains(made_up)), "{text}");
    let asked = "db_collection_name=\"trip_outcome\",db_operation_name=\"SELECT\",\
                 db_query_summary=\"SELECT trip_outcome\",db_system_name=\"sqlite\",service=\"booking\"";
    assert_eq!(counted("db_client_operation_duration", asked), Some(1), "{text}");
}

fn text_of(address: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut wire = std::net::TcpStream::connect(address).unwrap();
    wire.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    wire.read_to_string(&mut text).unwrap();
    text
}
