//! How long requests take, by the conventions of OpenTelemetry for servers of HTTP. Every request counts, those of probes and
//! those that no route knows included; a connection that is turned away at the door is none. No path and no id is in a metric.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use palinode::{
    Clock, SystemClock,
    measure::Instrument,
    telemetry::Fact,
    trace::names::{key, value},
};

use super::app::App;
use crate::telemetry::PROGRAM;

/// The buckets that the conventions advise.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

static DURATION: Instrument =
    Instrument::histogram("http.server.request.duration", "s", "Requests, until the answer begins.", BUCKETS);

/// Answers, and tells how long that took when anybody wants to know.
pub(super) async fn duration(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(observer) = app.services().seen().observer() else { return next.run(request).await };
    let (method, begun) = (method(request.method()), SystemClock.now());
    // The pattern and not the path: paths are many.
    let route = request.extensions().get::<MatchedPath>().map(|path| Arc::from(path.as_str()));
    let response = next.run(request).await;
    let took = SystemClock.now().since(begun).as_secs_f64();
    let status: Arc<str> = response.status().as_str().into();
    let wrong = response.status().is_server_error().then(|| (key::ERROR_TYPE, Arc::clone(&status)));
    let mut of =
        vec![(key::HTTP_METHOD, method.into()), (key::URL_SCHEME, "http".into()), (key::HTTP_STATUS, status)];
    of.extend(route.map(|route| (key::HTTP_ROUTE, route)));
    of.extend(wrong);
    let measured = DURATION.of(took, of);
    observer.fact(PROGRAM, &Fact::Measured(&measured));
    response
}

/// A method as the conventions name it: anybody may make up others.
pub(super) fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "CONNECT" => "CONNECT",
        _ => value::OTHER,
    }
}
