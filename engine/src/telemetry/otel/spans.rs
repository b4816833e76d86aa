//! Finished spans, handed to a tracer of their service with exactly their ids and times. The API has no way to name an id;
//! so the id is put down on the thread right before the span is started and taken away right after, and the SDK's generator
//! of ids, which the program chooses, asks for it here ([`given_ids`]).

use std::{
    borrow::Cow,
    cell::Cell,
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ::opentelemetry::{
    Context, InstrumentationScope, KeyValue, StringValue, Value,
    trace::{
        Link, Span as _, SpanBuilder, SpanContext as Remote, SpanId, SpanKind as Kind, Status as State,
        TraceContextExt, TraceFlags, TraceId, TraceState, Tracer, TracerProvider,
    },
};

use crate::{
    time::Micros,
    trace::{Attribute, Span, SpanContext, SpanKind, Status, names::SCHEMA_URL},
};

thread_local! {
    static IDS: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// The ids of the span that is being started on this thread, if the engine starts it: what an `IdGenerator` of the SDK has
/// to give. For every other span it draws its own.
#[must_use]
pub fn given_ids() -> Option<(TraceId, SpanId)> {
    IDS.get()
}

/// Takes the ids away, whatever happens.
struct Given;

impl Given {
    fn put(context: SpanContext) -> Self {
        IDS.set(Some((TraceId::from_bytes(context.trace.0), SpanId::from_bytes(context.span.0))));
        Self
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        IDS.set(None);
    }
}

/// Where spans go, its types erased.
pub(super) trait Sink: Send + Sync {
    fn span(&self, service: &str, span: Span);
}

/// One tracer a service, made when its first span comes.
pub(super) struct Tracers<P: TracerProvider, F> {
    of: F,
    tracers: RwLock<BTreeMap<Arc<str>, Arc<P::Tracer>>>,
}

impl<P: TracerProvider, F: Fn(&str) -> P> Tracers<P, F> {
    pub(super) fn new(of: F) -> Self {
        Self { of, tracers: RwLock::default() }
    }

    fn tracer(&self, service: &str) -> Arc<P::Tracer> {
        if let Some(tracer) = self.tracers.read().unwrap_or_else(PoisonError::into_inner).get(service) {
            return Arc::clone(tracer);
        }
        let scope = InstrumentationScope::builder("palinode")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(SCHEMA_URL);
        let tracer = Arc::new((self.of)(service).tracer_with_scope(scope.build()));
        let mut tracers = self.tracers.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tracers.entry(service.into()).or_insert(tracer))
    }
}

impl<P, F> Sink for Tracers<P, F>
where
    P: TracerProvider<Tracer: Send + Sync>,
    F: Fn(&str) -> P + Send + Sync,
{
    fn span(&self, service: &str, span: Span) {
        let tracer = self.tracer(service);
        let Span { name, kind, context, parent, links, start, end, attributes, status } = span;
        let link = |linked| Link::with_context(remote(linked));
        let builder = SpanBuilder::from_name(name)
            .with_kind(of_kind(kind))
            .with_start_time(at(start))
            .with_attributes(attributes.into_iter().map(|(key, value)| KeyValue::new(key, of_value(value))))
            .with_links(links.into_iter().map(link).collect());
        let parent = parent
            .map_or_else(Context::new, |parent| Context::new().with_remote_span_context(remote(parent)));
        let mut started = {
            let _given = Given::put(context);
            tracer.build_with_context(builder, &parent)
        };
        if let Status::Error(why) = status {
            started.set_status(State::Error { description: Cow::Owned(why.to_string()) });
        }
        started.end_with_timestamp(at(end));
    }
}

/// A span of anywhere: nothing is held of it but its place.
pub(super) fn remote(context: SpanContext) -> Remote {
    let SpanContext { trace, span, sampled } = context;
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    Remote::new(TraceId::from_bytes(trace.0), SpanId::from_bytes(span.0), flags, true, TraceState::default())
}

/// The span inside which the caller runs.
pub(super) fn current() -> Option<SpanContext> {
    Context::map_current(|context| {
        let span = context.span();
        let here = span.span_context();
        here.is_valid().then(|| SpanContext {
            trace: crate::trace::TraceId(here.trace_id().to_bytes()),
            span: crate::trace::SpanId(here.span_id().to_bytes()),
            sampled: here.is_sampled(),
        })
    })
}

fn at(time: Micros) -> SystemTime {
    let since = Duration::from_micros(time.0.unsigned_abs());
    let at = if time.0 < 0 { UNIX_EPOCH.checked_sub(since) } else { UNIX_EPOCH.checked_add(since) };
    at.unwrap_or(UNIX_EPOCH)
}

fn of_kind(kind: SpanKind) -> Kind {
    match kind {
        SpanKind::Internal => Kind::Internal,
        SpanKind::Client => Kind::Client,
        SpanKind::Server => Kind::Server,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
    }
}

fn of_value(value: Attribute) -> Value {
    match value {
        Attribute::Text(text) => Value::String(StringValue::from(text)),
        Attribute::Int(n) => Value::I64(n),
        Attribute::Bool(yes) => Value::Bool(yes),
    }
}
