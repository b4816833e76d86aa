//! What is written, read back: by hand, by the engine for an entity whose code breaks, by sagas for an activity that does.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use palinode::{
    Activity, Address, Aggregate, Attempt, Context as Decides, Failure, Ids, Micros, NoUndo, Node, Perform,
    Service, SystemClock, SystemIds, message::ClientMessage, receipt::Told, telemetry::Telemetry,
};
use palinode_sagas::{Policy, activity::performer_with};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::to_raw_value};
use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What is written, a value a line.
fn logged(what: impl FnOnce()) -> Vec<Value> {
    let kept = Kept::default();
    let lines = tracing_subscriber::fmt()
        .with_writer(kept.clone())
        .fmt_fields(JsonFields::new())
        .event_format(WithIds::default())
        .finish();
    tracing::subscriber::with_default(lines, what);
    let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn seven_and_nine() -> SpanContext {
    SpanContext::new(TraceId::from(7), SpanId::from(9), TraceFlags::SAMPLED, true, TraceState::default())
}

#[test]
fn a_panic_is_a_line_that_knows_its_trace() {
    // Given somebody who logs panics
    let before = panic::take_hook();
    panic::set_hook(Box::new(panicked));
    // When code breaks inside a span
    let all = logged(|| {
        let _current = Context::new().with_remote_span_context(seven_and_nine()).attach();
        let broken = panic::catch_unwind(|| panic!("nobody can \"count\" so far"));
        assert!(broken.is_err());
    });
    panic::set_hook(before);
    // Then that is said in one line
    let [line] = &all[..] else { panic!("{all:?}") };
    assert_eq!((&line["level"], &line["exception.type"]), (&"ERROR".into(), &"panic".into()));
    assert_eq!(line["exception.message"], "nobody can \"count\" so far");
    assert!(line["at"].as_str().unwrap().contains("tests.rs:"), "{line}");
    assert_eq!(
        (&line["trace_id"], &line["span_id"]),
        (&format!("{:032x}", 7).into(), &format!("{:016x}", 9).into())
    );
}

#[test]
fn a_line_is_an_object_and_knows_its_trace() {
    let span = seven_and_nine();
    let all = logged(|| {
        tracing::info!(shard = 3, "no \"trace\"\n}}");
        let _current = Context::new().with_remote_span_context(span).attach();
        tracing::warn!(shard = 4, "in a trace");
        tracing::warn!(trace_id = "own", "says it itself");
    });
    assert_eq!((&all[0]["shard"], &all[0]["message"]), (&3.into(), &"no \"trace\"\n}".into()));
    assert!(all[0].get("trace_id").is_none());
    assert_eq!(all[1]["trace_id"], format!("{:032x}", 7));
    assert_eq!(all[1]["span_id"], format!("{:016x}", 9));
    assert_eq!((&all[2]["trace_id"], all[2].get("span_id")), (&"own".into(), None));
}

/// A trace that a caller says.
const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn is_of_the_caller(line: &Value) {
    assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736", "{line}");
    assert_eq!(line["span_id"], "00f067aa0ba902b7", "{line}");
}

/// The line that says this.
fn line<'a>(all: &'a [Value], says: &str) -> &'a Value {
    let mut found = all.iter().filter(|line| line["message"] == says);
    let line = found.next().unwrap_or_else(|| panic!("nobody says {says:?}: {all:?}"));
    assert!(found.next().is_none(), "it is said twice: {all:?}");
    line
}

fn alone(what: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what);
}

#[derive(Default, Serialize, Deserialize)]
struct Till;

impl Aggregate for Till {
    const SERVICE: &'static str = "shop";
    const KIND: &'static str = "till";
    type Command = bool;
    type Event = Counted;
    type Reply = ();
    type Rejection = String;

    fn decide(&self, breaks: &bool, _cx: &Decides) -> Result<Vec<Counted>, String> {
        assert!(!breaks, "the drawer is stuck");
        Ok(vec![Counted::Once])
    }

    fn evolve(&mut self, _event: &Counted) {}

    fn reply(&self, _breaks: &bool) {}
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Counted {
    Once,
}

#[test]
fn an_entity_whose_code_breaks_is_a_line_with_its_name_and_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    // When a till is asked what it can answer, and what breaks it
    let all = logged(|| {
        alone(async {
            let shop = Node::embedded(folder.path()).partitions(1);
            let node = shop.service(Service::new("shop").aggregate::<Till>()).start().await.unwrap();
            for breaks in [false, true] {
                let message = ClientMessage {
                    id: SystemIds.fresh(palinode::Clock::now(&SystemClock)),
                    to: Address::new("shop", "till", "left"),
                    name: "till".into(),
                    data: to_raw_value(&breaks).unwrap(),
                    expect_version: None,
                    traceparent: Some(CALLER.into()),
                };
                assert!(matches!(node.client().tell(message).await, Told::Recorded { .. }));
            }
            node.stop(std::time::Duration::from_secs(60)).await;
        });
    });
    // Then the second is told, of the till and in the caller's trace
    let line = line(&all, "an input could not be taken");
    is_of_the_caller(line);
    let of = |key: &str| line[key].as_str().unwrap();
    assert_eq!((of("level"), of("service"), of("entity")), ("ERROR", "shop", "till/left"));
    assert_eq!((of("outcome"), of("why")), ("invalid", "decide panicked: the drawer is stuck"));
    assert_eq!((&line["shard"], &line["pseq"]), (&0.into(), &2.into()));
}

#[derive(Serialize, Deserialize)]
struct Pay;

impl Activity for Pay {
    const NAME: &'static str = "pay";
    type Reply = ();
    type Undo = NoUndo;
}

struct Bank;

impl Perform<Pay> for Bank {
    async fn perform(&self, _pay: &Pay, _cx: &Attempt) -> Result<(), Failure> {
        panic!("the vault is open")
    }
}

#[test]
fn an_activity_that_breaks_is_a_line_with_its_saga_and_its_trace() {
    let attempt = Attempt {
        entity: Address::new("trip", "book-trip", "t1"),
        key: "pay/do".into(),
        round: 1,
        attempt: 3,
        time: Micros(0),
        begin_by: Micros(i64::MAX),
        clock: Arc::new(SystemClock),
        cancel: tokio_util::sync::CancellationToken::new(),
        traceparent: Some(CALLER.into()),
        telemetry: Telemetry::default(),
    };
    let all = logged(|| {
        alone(async {
            let pay = performer_with::<Pay, _>(Bank, Policy::default());
            let outcome = pay(to_raw_value(&Pay).unwrap(), attempt).await;
            assert_eq!(outcome.word(), "unknown");
        });
    });
    let line = line(&all, "an activity broke");
    is_of_the_caller(line);
    let of = |key: &str| line[key].as_str().unwrap();
    assert_eq!((of("level"), of("service"), of("saga"), of("saga_id")), ("ERROR", "trip", "book-trip", "t1"));
    assert_eq!((of("key"), of("why")), ("pay/do", "the activity panicked: the vault is open"));
    assert_eq!(line["attempt"], 3);
}
