//! What leaves a process, seen by a collector that the test is: spans with the name of their service, all of them at the
//! end, and nobody waiting for a collector that says nothing. And metrics, seen by whoever scrapes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use opentelemetry::trace::{Span as _, Tracer as _};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value,
};
use palinode_telemetry::{Setup, SetupError, Telemetry};
use prost::Message as _;

const LONG: Duration = Duration::from_secs(60);

/// A collector that takes everything.
struct Collector {
    address: String,
    taken: mpsc::Receiver<ExportTraceServiceRequest>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (heard, taken) = mpsc::channel();
        thread::spawn(move || {
            for wire in listener.incoming() {
                let heard = heard.clone();
                thread::spawn(move || {
                    while let Some(request) = answer(wire.as_ref().unwrap()) {
                        let _ = heard.send(request);
                    }
                });
            }
        });
        Self { address, taken }
    }

    /// The names of spans by the name of their service, once the process has ended.
    fn seen(&self) -> Vec<(String, String)> {
        let mut seen = Vec::new();
        while let Ok(request) = self.taken.try_recv() {
            for of in request.resource_spans {
                let attributes = of.resource.unwrap().attributes;
                let name = attributes.into_iter().find(|known| known.key == "service.name").unwrap();
                let Some(Value::StringValue(service)) = name.value.unwrap().value else { panic!("no text") };
                let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
                seen.extend(spans.map(|span| (service.clone(), span.name)));
            }
        }
        seen.sort();
        seen
    }
}

/// Takes one request and says yes; none when there is no other.
fn answer(mut wire: &TcpStream) -> Option<ExportTraceServiceRequest> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        wire.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.starts_with("post /v1/traces "), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.trim().parse().unwrap()];
    wire.read_exact(&mut body).unwrap();
    wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    Some(ExportTraceServiceRequest::decode(&*body).unwrap())
}

fn started(setup: Setup, given: &[(&str, &str)]) -> Result<Telemetry, SetupError> {
    setup.start_with(|name| {
        given.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn what_is_told_at_the_very_end_leaves_too() {
    let collector = Collector::start();
    // No request by itself within the time of a test.
    let given =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.address), ("OTEL_BSP_SCHEDULE_DELAY", "3600000")];
    let telemetry = started(Setup::new("shop").traces(), &given).unwrap();
    assert!(telemetry.sends_spans() && telemetry.metrics().is_none());
    let tracer = telemetry.tracer();
    for n in 0..3 {
        tracer.start(format!("request {n}")).end();
    }
    assert!(telemetry.drain(LONG));
    let spans = ["request 0", "request 1", "request 2"].map(|name| ("shop".to_owned(), name.to_owned()));
    assert_eq!(collector.seen(), spans);
}

#[test]
fn the_name_and_the_sampler_are_those_of_the_environment() {
    let collector = Collector::start();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.address);
    let telemetry = started(Setup::new("shop").traces(), &[endpoint, ("OTEL_SERVICE_NAME", "till")]).unwrap();
    telemetry.tracer().start("sale").end();
    assert!(telemetry.drain(LONG));
    assert_eq!(collector.seen(), [("till".to_owned(), "sale".to_owned())]);

    let off =
        started(Setup::new("shop").traces(), &[endpoint, ("OTEL_TRACES_SAMPLER", "always_off")]).unwrap();
    off.tracer().start("sale").end();
    assert!(off.drain(LONG));
    assert_eq!(collector.seen(), []);
}

#[test]
fn nobody_waits_for_a_collector_that_says_nothing() {
    // given somebody who accepts and never answers, and requests that may take for ever
    let deaf = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let endpoint = format!("http://{}", deaf.local_addr().unwrap());
    let given = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "64"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
    ];
    let telemetry = started(Setup::new("shop").traces(), &given).unwrap();
    let (done, all) = mpsc::channel();
    thread::spawn(move || {
        let tracer = telemetry.tracer();
        for n in 0..100_000 {
            tracer.start(format!("request {n}")).end();
        }
        drop(tracer);
        done.send(telemetry.drain(Duration::from_millis(100))).unwrap();
    });
    // then whoever tells goes on, and is told at the end that not everything was taken
    let (_wire, _) = deaf.accept().unwrap();
    assert_eq!(all.recv_timeout(LONG), Ok(false));
}

#[test]
fn nothing_is_sent_by_whom_nobody_told_where_to() {
    for given in
        [&[][..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_SDK_DISABLED", "true")]]
    {
        let telemetry = started(Setup::new("shop").traces(), given).unwrap();
        assert!(!telemetry.sends_spans() && telemetry.observer().is_none());
        telemetry.tracer().start("sale").end();
        assert!(telemetry.drain(LONG));
    }
}

fn scraped(telemetry: &Telemetry, path: &str) -> String {
    let mut wire = TcpStream::connect(telemetry.metrics().unwrap()).unwrap();
    write!(wire, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    wire.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn metrics_are_served_until_the_end() {
    let free = (Ipv4Addr::LOCALHOST, 0).into();
    let telemetry = started(Setup::new("shop").metrics(free), &[]).unwrap();
    let text = scraped(&telemetry, "/metrics");
    assert!(text.starts_with("HTTP/1.0 200 OK") && text.contains("text/plain; version=0.0.4"), "{text}");
    assert!(text.contains("service_name=\"shop\""), "{text}");
    assert!(scraped(&telemetry, "/").starts_with("HTTP/1.0 404"));

    let address = telemetry.metrics().unwrap();
    let taken = started(Setup::new("shop").metrics(address), &[]).unwrap_err().to_string();
    assert!(taken.contains(&address.to_string()), "{taken}");

    // somebody who keeps a connection does not keep the program
    let _kept = TcpStream::connect(address).unwrap();
    assert!(telemetry.drain(LONG));
    assert!(TcpStream::connect(address).is_err());
}
