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
    collector::trace::v1::ExportTraceServiceRequest, common::v1::any_value::Value, trace::v1::Span,
};
use palinode::{Aggregate, Answer, Context, Node, Service};
use palinode_telemetry::{Setup, SetupError, Telemetry};
use prost::Message as _;
use serde::{Deserialize, Serialize};

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

    /// The names of spans by the name of their service, once all were sent.
    fn seen(&self) -> Vec<(String, String)> {
        let mut seen: Vec<_> = self.spans().into_iter().map(|(service, span)| (service, span.name)).collect();
        seen.sort();
        seen
    }

    fn spans(&self) -> Vec<(String, Span)> {
        let mut spans = Vec::new();
        while let Ok(request) = self.taken.try_recv() {
            for of in request.resource_spans {
                let attributes = of.resource.unwrap().attributes;
                let name = attributes.into_iter().find(|known| known.key == "service.name").unwrap();
                let Some(Value::StringValue(service)) = name.value.unwrap().value else { panic!("no text") };
                let all = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
                spans.extend(all.map(|span| (service.clone(), span)));
            }
        }
        spans
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

#[derive(Default, Serialize, Deserialize)]
struct Account(u64);

impl Aggregate for Account {
    const SERVICE: &'static str = "bank";
    const KIND: &'static str = "account";
    type Command = u64;
    type Event = Paid;
    type Reply = u64;
    type Rejection = String;

    fn decide(&self, cents: &u64, _cx: &Context) -> Result<Vec<Paid>, String> {
        Ok(vec![Paid::In { cents: *cents }])
    }

    fn evolve(&mut self, event: &Paid) {
        let Paid::In { cents } = event;
        self.0 += cents;
    }

    fn reply(&self, _cents: &u64) -> u64 {
        self.0
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Paid {
    In { cents: u64 },
}

#[test]
fn each_service_speaks_under_its_own_name_and_with_the_ids_of_the_engine() {
    let collector = Collector::start();
    let given = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.address)];
    let telemetry = started(Setup::new("shop").traces(), &given).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let node = Node::embedded(folder.path()).service(Service::new("bank").aggregate::<Account>());
        let node = node.observe(telemetry.observer().unwrap()).start().await.unwrap();
        let client = node.client().of_service("shop");
        assert!(matches!(client.execute(Account::at("ada").ask(5)).await, Answer::Accepted(_)));
        node.stop(LONG).await;
    });
    drop(runtime);
    assert!(telemetry.drain(LONG));

    let spans = collector.spans();
    let named = |service: &str, name: &str| {
        let found = spans.iter().find(|(of, span)| of == service && span.name == name);
        found.unwrap_or_else(|| panic!("no {name} of {service} in {spans:?}")).1.clone()
    };
    let (asked, taken) = (named("shop", "execute account"), named("bank", "process bank.inbox"));
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert_eq!((&taken.trace_id, &taken.parent_span_id), (&asked.trace_id, &asked.span_id));
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
fn traces_are_cut_only_where_that_was_asked_for() {
    let collector = Collector::start();
    let given = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.address)];
    let cut = |setup: Setup| started(setup, &given).unwrap().observer().unwrap().segment_after();
    assert_eq!(cut(Setup::new("shop").traces()), None);
    let quarter = Duration::from_secs(900);
    assert_eq!(cut(Setup::new("shop").traces().segment_after(quarter)), Some(quarter));
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
