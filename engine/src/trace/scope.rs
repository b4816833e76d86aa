//! What a decision may know of traces: whether anybody wants spans, and where the message came from that is decided on.

use std::time::Duration;

use uuid::Uuid;

use super::{SpanContext, SpanId, TraceId};
use crate::address::Address;

/// What a decision knows of the traces it has to do with. Nothing, when nobody observes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scope {
    /// The `send` or the call of the message that is decided on.
    pub cause: Option<SpanContext>,
    /// Whether somebody counts: only then what is measured is worth being put together.
    pub counted: bool,
    /// How long an entity may do nothing before its trace is cut, if it ever is.
    pub segment_after: Option<Duration>,
    on: Option<(Uuid, f64)>,
}

impl Scope {
    /// Somebody observes, and wants this share of the new traces of this log.
    #[must_use]
    pub fn observed(log_id: Uuid, ratio: f64, cause: Option<SpanContext>) -> Self {
        Self { cause, on: Some((log_id, ratio)), ..Self::default() }
    }

    /// Whether anybody observes.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// The root of an entity's own trace, opened by its commit of this version in this role. Whether the trace is kept is
    /// decided here, once; whoever opens a root remembers it.
    ///
    /// ```
    /// use palinode::{Address, trace::Scope};
    /// let trip = Address::new("trip", "book-trip", "42");
    /// assert_eq!(Scope::default().root(&trip, 0, "start"), None);
    /// let root = Scope::observed(uuid::Uuid::from_u128(1), 1.0, None).root(&trip, 0, "start");
    /// assert!(root.is_some_and(|root| root.sampled));
    /// ```
    #[must_use]
    pub fn root(&self, entity: &Address, version: u64, role: &str) -> Option<SpanContext> {
        let (log_id, ratio) = self.on?;
        let trace = TraceId::of_entity(log_id, entity);
        let span = SpanId::derived(trace, version, role, "");
        Some(SpanContext { trace, span, sampled: trace.sampled(ratio) })
    }

    /// The root of a later part of an entity's trace, which began with this root: the part of this number, opened by its
    /// commit of this version in this role. It is kept if the beginning is.
    #[must_use]
    pub fn segment(
        &self,
        entity: &Address,
        of: SpanContext,
        number: u32,
        version: u64,
        role: &str,
    ) -> Option<SpanContext> {
        let (log_id, _) = self.on?;
        let trace = TraceId::of_segment(log_id, entity, number);
        Some(SpanContext { trace, span: SpanId::derived(trace, version, role, ""), sampled: of.sampled })
    }
}
