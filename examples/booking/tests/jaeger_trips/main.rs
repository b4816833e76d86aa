//! Trips over several processes, one of which is killed, as a real Jaeger shows them: every trace is read back and compared
//! with the log.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may be blunt"
)]

mod compare;
mod journal;
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../support/run.rs"]
mod run;
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../support/server.rs"]
mod server;
#[allow(dead_code, reason = "other tests need more of it")]
#[path = "../support/servers.rs"]
mod servers;
mod spans;

use std::collections::BTreeMap;

use booking::saga::BOOK_TRIP;
use palinode::{Address, Clock, Ids, SystemClock, SystemIds, trace::TraceId};
use palinode_verify::KafkaLog;
use run::Data;
use server::Server;
use servers::Place;
use spans::Jaeger;

const TRIPS: u32 = 400;
/// How long before its death a process may have told what was not sent yet, in microseconds: its queue is sent every 100 ms.
const UNSENT: i64 = 2_000_000;
/// How often Jaeger is asked again: what it has taken is seen a moment later.
const LOOKS: u32 = 100;

#[tokio::test]
#[ignore = "needs Kafka, PostgreSQL and Jaeger: cargo xtask test starts them"]
async fn every_trip_is_one_tree_although_a_process_died() {
    // given a process for each service and two for sagas, all of which send their spans to Jaeger
    let jaeger = Jaeger::here();
    let endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT")
        .expect("OTEL_EXPORTER_OTLP_ENDPOINT is not set: `cargo xtask test` says where Jaeger takes spans");
    let place = Place::created()
        .await
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
        .with("OTEL_BSP_SCHEDULE_DELAY", "100");
    let trip = place.run("trip");
    let others = ["trip", "hotel", "flight", "car"].map(|service| place.run(service));

    // when one of those for sagas is killed while trips are booked
    let (seed, trips) = ("5", TRIPS.to_string());
    let work = ["work", "--seed", seed, "--from", "0", "--until", &trips, "--concurrency", "16"];
    let (mut guests, _) = place.start(&work, "accepted ");
    for _ in 0..TRIPS / 2 {
        assert!(guests.says().is_some());
    }
    let before = SystemClock.now().0 - UNSENT;
    trip.kill();
    let gone = before..SystemClock.now().0;
    while guests.says().is_some() {}
    guests.ended();
    for process in others {
        process.stop();
    }

    // then the tree of each is what the log says
    let (properties, prefix) = place.kafka();
    let log = KafkaLog::open(&properties, prefix, &["trip", "hotel", "flight", "car"]).unwrap();
    let stories = journal::stories(&log, BOOK_TRIP);
    assert_eq!(stories.len(), TRIPS as usize);
    let (mut outcomes, mut spans, mut broken) = (BTreeMap::new(), 0, Vec::new());
    for (id, story) in &stories {
        let address = Address::new("trip", BOOK_TRIP, id.as_str());
        let trace = TraceId::of_entity(story.log_id.parse().unwrap(), &address).to_string();
        let (mut seen, mut wrong) = (Vec::new(), Vec::new());
        for _ in 0..LOOKS {
            seen = jaeger.trace(&trace);
            wrong = compare::wrong(id, story, &seen, &gone);
            if wrong.is_empty() {
                break;
            }
        }
        if !wrong.is_empty() {
            broken.push(format!("trip {id}, trace {trace}, {}:\n{}", story.outcome, wrong.join("\n")));
        }
        *outcomes.entry(story.outcome).or_insert(0) += 1;
        spans += seen.len();
    }
    let first = broken.first().map_or("", String::as_str);
    assert!(broken.is_empty(), "{} of {} trees, the first: {first}", broken.len(), stories.len());
    assert!(outcomes["completed"] > 50 && outcomes["compensated"] > 5, "{outcomes:?}");
    assert!(spans > 10 * stories.len(), "{spans} spans are few");
    let whole = stories.values().filter(|story| !compare::touched(story, &gone)).count();
    assert!(whole > stories.len() / 2, "only {whole} trees had to be whole");

    // and those that took long are found by their operation and duration
    let slowest = stories.values().map(|story| story.ended - story.began).max().unwrap();
    let found = jaeger.search(&search(&format!("saga run {BOOK_TRIP}"), slowest));
    let slow = |span: &spans::Span| span.name.starts_with("saga run ") && span.end - span.start == slowest;
    assert!(found.iter().any(slow), "nothing that takes {slowest} us");
}

#[test]
#[ignore = "needs Kafka, PostgreSQL and Jaeger: cargo xtask test starts them"]
fn a_request_belongs_to_its_caller_and_the_trip_is_linked_to_it() {
    // given a trip that is booked by a request of somebody who is inside a span
    let (jaeger, data) = (Jaeger::here(), Data::new());
    let server = Server::start(data.folder(), &["--jaeger", "http://pages"]);
    let (caller, span) = (SystemIds.fresh(SystemClock.now()).simple().to_string(), "00f067aa0ba902b7");
    let traceparent = format!("00-{caller}-{span}-01");
    let headers = [("content-type", "application/json"), ("traceparent", &*traceparent)];
    let booked = server.ask("POST", "/trips", &headers, &server::trip("GBR").to_string());
    let trip = booked.header("palinode-trace").unwrap().strip_prefix("http://pages/trace/").unwrap();
    let id = booked.body["id"].as_str().unwrap();
    let headers = [("palinode-token", booked.token()), ("traceparent", &*traceparent)];
    assert_eq!(server.ask("GET", &format!("/trips/{id}"), &headers, "").status, 200);
    // when the server has stopped, which sends what is left
    server.terminate();
    assert!(server.wait().success());

    // then the request hangs below its caller, the call below the request, its handling below the call; and the question to
    // the database below the request that asked it
    let request = (0..LOOKS).map(|_| jaeger.trace(&caller)).find(|spans| spans.len() == 5).unwrap();
    let written =
        [("booking", "POST /trips"), ("booking", "execute book-trip"), ("trip", "process trip.inbox")];
    let read = [("booking", "GET /trips/{id}"), ("booking", "SELECT trip_outcome")];
    for road in [&written[..], &read] {
        let mut parent = span;
        for (service, name) in road {
            let found = request.iter().find(|span| span.service == *service && span.name == *name);
            let found = found.unwrap_or_else(|| panic!("no {name} in {request:?}"));
            assert_eq!(found.parent, parent, "{found:?}");
            parent = &found.id;
        }
    }
    assert_eq!(request.iter().filter(|span| span.attribute("saga.id") == id).count(), 2, "both requests");
    let asked = |span: &&spans::Span| span.attribute("db.system.name") == "sqlite";
    assert_eq!(request.iter().filter(asked).count(), 1);
    // and the trace of the trip says which request began it
    let root = jaeger.trace(trip).into_iter().find(|span| span.name.starts_with("saga start ")).unwrap();
    assert_eq!(root.links, [caller]);
}

#[test]
#[ignore = "needs Kafka, PostgreSQL and Jaeger: cargo xtask test starts them"]
fn the_trace_of_a_trip_that_rested_is_cut_and_its_parts_are_linked() {
    // given a trip that waits for its guest, where any rest is long
    let (jaeger, data) = (Jaeger::here(), Data::new());
    let server = Server::start(data.folder(), &["--jaeger", "http://pages", "--trace-segment", "0"]);
    let json = [("content-type", "application/json")];
    let booked = server.ask("POST", "/trips", &json, &server::trip("GBR").to_string());
    let trip = booked.header("palinode-trace").unwrap().strip_prefix("http://pages/trace/").unwrap();
    let id = booked.body["id"].as_str().unwrap();
    server.until("GET", "/sagas", |answer| answer.body["sagas"][0]["node"] == "guest");
    // when its guest speaks, and the server has stopped
    server.ask("POST", &format!("/trips/{id}/confirm"), &[], "");
    assert_eq!(server.ended(id)["status"], "completed");
    server.terminate();
    assert!(server.wait().success());

    // then the first part has the run of the whole, which leads to the last
    let first = (0..LOOKS).map(|_| jaeger.trace(trip)).find(|of| named(of, "saga run book-trip").is_some());
    let first = first.unwrap();
    let run = named(&first, "saga run book-trip").unwrap();
    let last = run.links.first().unwrap_or_else(|| panic!("{run:?}"));
    // and that one begins when the trip woke, and leads back
    let last = jaeger.trace(last);
    let resumed = named(&last, "saga resume book-trip").unwrap_or_else(|| panic!("{last:?}"));
    assert_eq!(resumed.parent, "");
    assert_ne!(resumed.attribute("saga.segment"), "");
    assert!(resumed.links.iter().any(|link| link == trip), "{resumed:?}");
    assert!(named(&first, "saga step issue-voucher").is_none(), "it was after the rest: {first:?}");
}

fn named<'a>(spans: &'a [spans::Span], name: &str) -> Option<&'a spans::Span> {
    spans.iter().find(|span| span.name == name)
}

/// A search among all of the sagas' service for an operation that took at least so many microseconds.
fn search(operation: &str, least: i64) -> String {
    format!(
        "query.service_name=trip&query.operation_name={}&query.num_traces=1000&query.duration_min={least}us\
         &query.start_time_min=2020-01-01T00:00:00Z&query.start_time_max=2120-01-01T00:00:00Z",
        operation.replace(' ', "%20"),
    )
}
