//! The observer of nodes and clients: the engine's adapter for OpenTelemetry over what was turned on.

use std::{sync::Arc, time::Duration};

use opentelemetry::metrics::MeterProvider as _;
use palinode::telemetry::{Observe, otel::OpenTelemetry};

use crate::{SCOPE, scrape::Scrape, tracers::Tracers};

/// Nobody when nothing was turned on.
pub(crate) fn of(
    tracers: Option<&Arc<Tracers>>,
    scrape: Option<&Scrape>,
    segment_after: Option<Duration>,
) -> Option<Arc<dyn Observe>> {
    if tracers.is_none() && scrape.is_none() {
        return None;
    }
    let mut observer = OpenTelemetry::new();
    if let Some(tracers) = tracers {
        let (ratio, of) = (tracers.ratio(), Arc::clone(tracers));
        observer = observer.traces(ratio, move |service| of.of_service(service));
    }
    if let Some(idle) = segment_after {
        observer = observer.segment_after(idle);
    }
    if let Some(scrape) = scrape {
        observer = observer.bound_metrics(&scrape.provider().meter(SCOPE));
    }
    Some(Arc::new(observer))
}
