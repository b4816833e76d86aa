//! The ids of spans: those that the engine has derived and put down right before, or random ones for whoever has none.

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use palinode::telemetry::otel::given_ids;

/// Gives the ids that the engine asks for.
#[derive(Debug, Default)]
pub(crate) struct GivenIds {
    random: RandomIdGenerator,
}

impl IdGenerator for GivenIds {
    fn new_trace_id(&self) -> TraceId {
        given_ids().map_or_else(|| self.random.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        given_ids().map_or_else(|| self.random.new_span_id(), |(_, span)| span)
    }
}
