//! The observer of nodes and clients: the engine's adapter for OpenTelemetry over what was turned on.

use std::sync::Arc;

use palinode::telemetry::Observe;

use crate::{scrape::Scrape, tracers::Tracers};

/// Nobody when nothing was turned on.
pub(crate) fn of(_tracers: Option<Arc<Tracers>>, _scrape: Option<&Scrape>) -> Option<Arc<dyn Observe>> {
    None
}
