//! The observer that hands everything to OpenTelemetry, through its API: which SDK records it and where it goes is the
//! program's choice. The only room of the engine that knows OpenTelemetry.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use ::opentelemetry::{metrics::Meter, trace::TracerProvider};

use super::{Fact, Levels, Observe, Span, SpanContext};

mod family;
pub mod instruments;
mod metrics;
mod others;
mod series;
mod spans;
mod standard;

pub use spans::given_ids;

use metrics::Metrics;
use series::Binding;
use spans::{Sink, Tracers};

/// Tells OpenTelemetry what happens in nodes and clients.
///
/// ```
/// use std::sync::Arc;
/// use palinode::{Node, Service, telemetry::otel::OpenTelemetry};
///
/// // The program's own provider; without one the API keeps nothing.
/// let observer = Arc::new(OpenTelemetry::new().metrics(&opentelemetry::global::meter("palinode")));
/// # let folder = std::env::temp_dir();
/// let node = Node::embedded(folder).service(Service::new("bank")).observe(observer);
/// # drop(node);
/// ```
#[derive(Default)]
pub struct OpenTelemetry {
    metrics: Option<Arc<Metrics>>,
    /// The share of new traces that is kept, and where their spans go.
    spans: Option<(f64, Box<dyn Sink>)>,
    segment_after: Option<Duration>,
}

impl OpenTelemetry {
    /// One that tells nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records spans with the provider of their service, which has its own `service.name`: one of each service, also when
    /// several live in one process. Of new traces this share is kept, by [`TraceId::sampled`](super::TraceId::sampled); the
    /// provider has to keep whatever comes, and its ids have to be those of [`given_ids`].
    ///
    /// ```
    /// use opentelemetry::trace::noop::NoopTracerProvider;
    /// use palinode::telemetry::{Observe, otel::OpenTelemetry};
    /// let observer = OpenTelemetry::new().traces(0.1, |_service| NoopTracerProvider::new());
    /// assert_eq!(observer.ratio(), Some(0.1));
    /// ```
    #[must_use]
    pub fn traces<P>(mut self, ratio: f64, of: impl Fn(&str) -> P + Send + Sync + 'static) -> Self
    where
        P: TracerProvider<Tracer: Send + Sync> + 'static,
    {
        self.spans = Some((ratio, Box::new(Tracers::new(of))));
        self
    }

    /// Cuts the trace of an entity that did nothing for longer than this: what it does then is a trace of its own, linked to
    /// the first one. Not at all when nothing is said; a quarter of an hour suits stores that expect traces to be short.
    #[must_use]
    pub fn segment_after(mut self, idle: Duration) -> Self {
        self.segment_after = Some(idle);
        self
    }

    /// Records metrics with this meter.
    #[must_use]
    pub fn metrics(self, meter: &Meter) -> Self {
        self.recording(meter, Binding::Each)
    }

    /// The same with instruments that are bound to their attributes, which halves what a value costs. Only for a meter that can
    /// bind: that of OpenTelemetry's SDK with its feature `experimental_metrics_bound_instruments`. With any other, nothing is
    /// recorded.
    #[cfg(feature = "otel-bound")]
    #[must_use]
    pub fn bound_metrics(self, meter: &Meter) -> Self {
        self.recording(meter, Binding::Once)
    }

    fn recording(mut self, meter: &Meter, binding: Binding) -> Self {
        self.metrics = Some(Arc::new(Metrics::new(meter, binding)));
        self
    }
}

impl Observe for OpenTelemetry {
    fn span(&self, service: &str, span: Span) {
        if let Some((_, spans)) = &self.spans {
            spans.span(service, span);
        }
    }

    fn ratio(&self) -> Option<f64> {
        self.spans.as_ref().map(|(ratio, _)| *ratio)
    }

    fn segment_after(&self) -> Option<Duration> {
        self.segment_after
    }

    fn current(&self) -> Option<SpanContext> {
        spans::current().filter(|_| self.spans.is_some())
    }

    fn fact(&self, service: &str, fact: &Fact<'_>) {
        if let Some(metrics) = &self.metrics {
            metrics.fact(service, fact);
        }
    }

    fn levels(&self, of: Weak<dyn Levels>) {
        if let Some(metrics) = &self.metrics {
            metrics.levels(of);
        }
    }
}
