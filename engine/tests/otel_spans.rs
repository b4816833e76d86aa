//! Spans through the API of OpenTelemetry into the SDK: exactly the ids, times, parents and links that were told, and a
//! provider for each service.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may be blunt")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use opentelemetry::{
    Context, Value,
    trace::{SpanId, SpanKind, Status, TraceContextExt, TraceId, Tracer, TracerProvider},
};
use opentelemetry_sdk::trace::{
    IdGenerator, InMemorySpanExporter, RandomIdGenerator, SdkTracerProvider, SpanData,
};
use palinode::{
    Micros,
    telemetry::{
        Observe,
        otel::{OpenTelemetry, given_ids},
    },
    trace::{self, SpanContext},
};

/// What a program's set-up does.
#[derive(Debug, Default)]
struct GivenIds(RandomIdGenerator);

impl IdGenerator for GivenIds {
    fn new_trace_id(&self) -> TraceId {
        given_ids().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        given_ids().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}

fn provider(exporter: &InMemorySpanExporter) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_id_generator(GivenIds::default())
        .with_simple_exporter(exporter.clone())
        .build()
}

type Exporters = Arc<Mutex<BTreeMap<String, (InMemorySpanExporter, SdkTracerProvider)>>>;

fn observer(exporters: &Exporters) -> OpenTelemetry {
    let exporters = Arc::clone(exporters);
    OpenTelemetry::new().traces(1.0, move |service| {
        let mut all = exporters.lock().unwrap();
        let made = all.entry(service.to_owned()).or_insert_with(|| {
            let exporter = InMemorySpanExporter::default();
            let provider = provider(&exporter);
            (exporter, provider)
        });
        made.1.clone()
    })
}

fn finished(exporters: &Exporters, service: &str) -> Vec<SpanData> {
    exporters.lock().unwrap()[service].0.get_finished_spans().unwrap()
}

fn context(n: u8, sampled: bool) -> SpanContext {
    SpanContext { trace: trace::TraceId([n; 16]), span: trace::SpanId([n; 8]), sampled }
}

fn span(parent: Option<SpanContext>) -> trace::Span {
    trace::Span {
        name: "saga step pay".into(),
        kind: trace::SpanKind::Producer,
        context: SpanContext { span: trace::SpanId([9; 8]), ..context(1, true) },
        parent,
        links: vec![context(2, true), context(3, false)],
        start: Micros(1_700_000_000_000_001),
        end: Micros(1_700_000_000_250_002),
        attributes: vec![("a", "text".into()), ("b", 7.into()), ("c", true.into())],
        status: trace::Status::Error("full".into()),
    }
}

#[test]
fn a_span_arrives_as_it_was_told() {
    let exporters = Exporters::default();
    let observer = observer(&exporters);
    observer.span("trip", span(Some(context(1, true))));
    let told = finished(&exporters, "trip").remove(0);
    assert_eq!(told.span_context.trace_id(), TraceId::from_bytes([1; 16]));
    assert_eq!(told.span_context.span_id(), SpanId::from_bytes([9; 8]));
    assert_eq!(told.parent_span_id, SpanId::from_bytes([1; 8]));
    assert!(told.parent_span_is_remote);
    assert_eq!((&*told.name, told.span_kind), ("saga step pay", SpanKind::Producer));
    assert_eq!(told.start_time, UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001));
    assert_eq!(told.end_time, UNIX_EPOCH + Duration::from_micros(1_700_000_000_250_002));
    assert_eq!(told.status, Status::error("full"));
    let links: Vec<_> = told.links.links.iter().map(|link| &link.span_context).collect();
    assert_eq!(links[0].trace_id(), TraceId::from_bytes([2; 16]));
    assert_eq!((links[0].is_sampled(), links[1].is_sampled()), (true, false));
    let values: Vec<_> = told.attributes.iter().map(|kv| (kv.key.as_str(), kv.value.clone())).collect();
    assert_eq!(values, [("a", Value::from("text")), ("b", Value::I64(7)), ("c", Value::Bool(true))]);
    assert_eq!(told.instrumentation_scope.schema_url(), Some(trace::names::SCHEMA_URL));
}

#[test]
fn a_root_has_its_own_trace_id_and_no_parent() {
    let exporters = Exporters::default();
    observer(&exporters).span("trip", span(None));
    let told = finished(&exporters, "trip").remove(0);
    assert_eq!(told.span_context.trace_id(), TraceId::from_bytes([1; 16]));
    assert_eq!(told.parent_span_id, SpanId::INVALID);
}

#[test]
fn each_service_has_a_provider_of_its_own() {
    let exporters = Exporters::default();
    let observer = observer(&exporters);
    observer.span("trip", span(None));
    observer.span("hotel", span(None));
    observer.span("trip", span(None));
    assert_eq!((finished(&exporters, "trip").len(), finished(&exporters, "hotel").len()), (2, 1));
}

#[test]
fn ids_are_given_for_that_span_only() {
    let exporters = Exporters::default();
    observer(&exporters).span("trip", span(None));
    assert_eq!(given_ids(), None);
    let provider = exporters.lock().unwrap()["trip"].1.clone();
    drop(provider.tracer("mine").start("my own"));
    let told = finished(&exporters, "trip");
    assert_ne!(told[0].span_context.trace_id(), told[1].span_context.trace_id());
}

#[test]
fn the_span_of_the_caller_is_found() {
    let exporters = Exporters::default();
    let observer = observer(&exporters);
    assert_eq!(observer.current(), None);
    let provider = provider(&InMemorySpanExporter::default());
    let span = provider.tracer("web").start("GET /trips");
    let cx = Context::current_with_span(span);
    let _here = cx.clone().attach();
    let found = observer.current().unwrap();
    assert_eq!(found.trace.0, cx.span().span_context().trace_id().to_bytes());
    assert_eq!(found.span.0, cx.span().span_context().span_id().to_bytes());
    assert!(found.sampled);
    assert_eq!(OpenTelemetry::new().current(), None, "nobody wants spans");
}
