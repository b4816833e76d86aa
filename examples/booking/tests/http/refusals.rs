//! Everything that is refused, each with its problem, and nothing of it done.

use crate::{
    run::Data,
    server::{Server, trip},
};

#[test]
fn bodies_that_are_no_trip_are_refused_and_nothing_is_booked() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let good = trip("GBR").to_string();
    let with = |field: &str, value: &str| good.replacen('{', &format!("{{\"{field}\":{value},"), 1);
    let without = |field: &str| {
        let mut form = trip("GBR");
        form.as_object_mut().unwrap().remove(field);
        form.to_string()
    };
    let set = |field: &str, value: &str| {
        let mut form = trip("GBR");
        form[field] = serde_json::from_str(value).unwrap();
        form.to_string()
    };
    let bad = [
        String::new(),
        "null".into(),
        "[]".into(),
        "{".into(),
        "nonsense".into(),
        format!("{good}{good}"),
        "\u{0}".into(),
        "[".repeat(60_000),
        "{\"a\":".repeat(10_000),
        with("more", "1"),
        with("more", &"[".repeat(50_000)),
        with("nights", "2"),
        with("id", "\"00C0FFEE00C0FFEE\""),
        with("id", "\"short\""),
        with("id", "7"),
        with("car", "\"yes\""),
        without("hotel"),
        without("country"),
        set("hotel", "\"castle\""),
        set("room", "\"AB\""),
        set("room", "\"a\""),
        set("room", "\"\""),
        set("first_night", "\"2030-02-29\""),
        set("first_night", "\"1999-12-31\""),
        set("first_night", "20300112"),
        set("nights", "0"),
        set("nights", "366"),
        set("nights", "-1"),
        set("nights", "2.5"),
        set("nights", "1e300"),
        set("nights", "99999999999999999999999999"),
        set("nights", "\"2\""),
        set("nights", "null"),
        set("rate_cents", "10000001"),
        set("rate_cents", "18446744073709551616"),
        set("people", "0"),
        set("people", "21"),
        set("country", "\"Gbr\""),
        set("country", "\"GB\""),
        set("country", "[\"GBR\"]"),
    ];
    for body in bad {
        let answer = server.ask("POST", "/trips", &[("content-type", "application/json")], &body);
        answer.is(400, "invalid-body");
        assert!(answer.body["where"].as_str().unwrap().starts_with("body"), "{answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().len() < 1_300, "{answer:?}");
    }
    // and what is no text at all
    let mut wire = server.connect();
    wire.send(b"POST /trips HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n\xff\xfe\x00{");
    wire.answer().is(400, "invalid-body");

    assert_eq!(server.get("/trips").body["trips"], serde_json::json!([]), "something was booked");
    assert_eq!(server.post("good", &trip("GBR")).status, 202);
}

#[test]
fn bodies_of_another_type_or_size_are_refused() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    let good = trip("GBR").to_string();
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json", ""] {
        server.ask("POST", "/trips", &[("content-type", media)], &good).is(415, "not-json");
    }
    server.ask("POST", "/trips", &[], &good).is(415, "not-json");

    // declared too large: refused before a byte of it was sent
    let mut wire = server.connect();
    wire.send(b"POST /trips HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n");
    wire.answer().is(413, "too-large");
    assert!(wire.is_closed());

    // not declared, and too large when it comes
    let mut wire = server.connect();
    wire.send(b"POST /trips HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("{:x}\r\n{}\r\n", 66_000, " ".repeat(66_000));
    wire.send(chunk.as_bytes());
    wire.answer().is(413, "too-large");
}

#[test]
fn parameters_headers_paths_and_methods_that_are_not_described_are_refused() {
    let data = Data::new();
    let server = Server::start(data.folder(), &[]);
    for path in [
        "/trips?limit=0",
        "/trips?limit=501",
        "/trips?limit=-1",
        "/trips?limit=",
        "/trips?limit=many",
        "/trips?limit=99999999999999999999",
        "/trips?limit=1&limit=2",
        "/trips?status=lost",
        "/trips?after=zzz",
        "/trips?more=1",
        "/rooms?after=resort",
        "/rooms?more=1",
        "/seats?room=a",
        "/sagas?status=cancelled",
        "/trips/short",
        "/trips/00C0FFEE00C0FFEE",
        "/trips/%ff",
        "/trips?limit=%ff",
        "/trips?after=%ff",
        "/trips/%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00",
    ] {
        server.get(path).is(400, "invalid-parameter");
    }
    for key in ["", "two words", "\u{e4}", &"k".repeat(256)] {
        server.post(key, &trip("GBR")).is(400, "invalid-parameter");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b"), ("content-type", "application/json")];
    server.ask("POST", "/trips", &twice, &trip("GBR").to_string()).is(400, "invalid-parameter");
    let mut two_ids = trip("GBR");
    two_ids["id"] = "00c0ffee00c0ffee".into();
    server.post("key", &two_ids).is(422, "two-ids");

    let nobody = "/trips/00c0ffee00c0ffee";
    server.get(nobody).is(404, "no-such-trip");
    server.ask("POST", &format!("{nobody}/confirm"), &[], "").is(404, "no-such-trip");
    server.ask("POST", &format!("{nobody}/cancel"), &[], "").is(404, "no-such-trip");
    for path in ["/", "/trip", "/trips/", "/trips/00c0ffee00c0ffee/pay", "/../etc/passwd", "//"] {
        server.get(path).is(404, "no-such-route");
    }
    for (method, path) in
        [("DELETE", "/trips"), ("PUT", "/trips/00c0ffee00c0ffee"), ("POST", "/rooms"), ("TRACE", "/sagas")]
    {
        let answer = server.ask(method, path, &[], "");
        answer.is(405, "method-not-allowed");
        assert!(answer.header("allow").is_some_and(|allow| !allow.contains(method)), "{answer:?}");
    }
}
