//! The observer that hands everything to OpenTelemetry, through its API: which SDK records it and where it goes is the
//! program's choice. The only room of the engine that knows OpenTelemetry.

use std::sync::{Arc, Weak};

use ::opentelemetry::metrics::Meter;

use super::{Fact, Levels, Observe, Span, TraceId};

pub mod instruments;
mod metrics;

use metrics::Metrics;

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
}

impl OpenTelemetry {
    /// One that tells nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records metrics with this meter.
    #[must_use]
    pub fn metrics(mut self, meter: &Meter) -> Self {
        self.metrics = Some(Arc::new(Metrics::new(meter)));
        self
    }
}

impl Observe for OpenTelemetry {
    fn span(&self, _service: &str, _span: Span) {}

    fn sampled(&self, _trace: TraceId) -> bool {
        false
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
