//! A span for each request that is counted, by the conventions of OpenTelemetry for servers of HTTP. What services and
//! databases are asked meanwhile hangs below it. The trace of a trip is another one, which links back to here; its link is
//! said in a header.

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use opentelemetry::{
    Context, KeyValue,
    trace::{
        FutureExt, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
        Tracer, get_active_span,
    },
};

use palinode::{
    Clock, Ids, SystemClock, SystemIds,
    projection::ApplyError,
    telemetry::{Fact, Query},
    trace::names::key,
};

use super::{app::App, measured};
use crate::{domain::TripId, telemetry::PROGRAM};

/// The header: where a person sees the trace of the trip.
pub(super) const TRACE: HeaderName = HeaderName::from_static("palinode-trace");

/// Answers inside a span, when anybody wants spans.
pub(super) async fn span(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(tracer) = app.services().seen().tracer() else { return next.run(request).await };
    let method = measured::method(request.method());
    // The pattern and not the path: paths are many.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let name = route.as_ref().map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
    let mut attributes = vec![
        KeyValue::new(key::HTTP_METHOD, method),
        KeyValue::new("url.path", request.uri().path().to_owned()),
        KeyValue::new(key::URL_SCHEME, "http"),
    ];
    attributes.extend(route.map(|route| KeyValue::new(key::HTTP_ROUTE, route)));
    let builder = tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(attributes);
    let caller = caller(request.headers()).unwrap_or_default();
    let here = caller.with_span(builder.start_with_context(tracer, &caller));

    let response = next.run(request).with_context(here.clone()).await;
    let (span, status) = (here.span(), response.status());
    span.set_attribute(KeyValue::new(key::HTTP_STATUS, i64::from(status.as_u16())));
    if status.is_server_error() {
        span.set_attribute(KeyValue::new(key::ERROR_TYPE, status.as_u16().to_string()));
        span.set_status(Status::error(""));
    }
    span.end();
    response
}

/// The request is about this trip.
pub(super) fn about(trip: TripId) {
    get_active_span(|span| span.set_attribute(KeyValue::new("saga.id", trip.to_string())));
}

/// Asks the read models for a request, and tells how long that took; inside a trace that is kept, as a span too.
///
/// # Errors
/// What the database says.
pub(super) async fn asked<T>(
    app: &App,
    query: Query,
    asking: impl Future<Output = Result<T, ApplyError>>,
) -> Result<T, ApplyError> {
    let Some(observer) = app.services().seen().observer() else { return asking.await };
    let (system, begun) = (app.tables().system(), SystemClock.now());
    let answer = asking.await;
    let (end, error) = (SystemClock.now(), answer.as_ref().err().map(|e| e.class.word()));
    observer.fact(PROGRAM, &Fact::Queried { system, query, took: end.since(begun), error });
    if let Some(request) = observer.current().filter(|request| request.sampled) {
        observer.span(PROGRAM, query.span(system, request, SystemIds.fresh(end), (begun, end), error));
    }
    answer
}

/// Where a person sees the trace of this trip, as a header.
pub(super) fn link(app: &App, trip: TripId) -> Option<(HeaderName, HeaderValue)> {
    let services = app.services();
    let link = services.seen().link(services.trips.at(trip.to_string()).trace()?)?;
    Some((TRACE, HeaderValue::from_str(&link).ok()?))
}

/// The span in which the caller asks, if it says one that can be believed.
fn caller(headers: &HeaderMap) -> Option<Context> {
    let said: palinode::trace::SpanContext = headers.get("traceparent")?.to_str().ok()?.parse().ok()?;
    let flags = if said.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace, span) = (TraceId::from_bytes(said.trace.0), SpanId::from_bytes(said.span.0));
    let remote = SpanContext::new(trace, span, flags, true, TraceState::default());
    Some(Context::new().with_remote_span_context(remote))
}
