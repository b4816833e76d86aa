//! The port of telemetry: spans that have ended, facts that metrics are counted from, and levels that can be asked for.
//! All of it is plain data; what becomes of it is the observer's business. With no observer nothing is built.
//!
//! An observer must not block, must not fail and must not call back: it is called between the steps of a shard.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

mod fact;
mod level;
#[cfg(feature = "otel")]
pub mod otel;
mod query;

pub use crate::measure::{Instrument, InstrumentKind, Measured, Series};
use crate::trace::names::value;
pub use crate::trace::{Attribute, BadTraceparent, Span, SpanContext, SpanId, SpanKind, Status, TraceId};
pub use fact::{AnswerKind, Appending, Committed, Fact, Phase};
pub use level::{Level, Levels};
pub use query::Query;

/// Who is told what happens in a node or a client.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use palinode::telemetry::{Fact, Observe, Span};
///
/// #[derive(Default)]
/// struct DeadRecords(AtomicU64);
///
/// impl Observe for DeadRecords {
///     fn span(&self, _service: &str, _span: Span) {}
///     fn ratio(&self) -> Option<f64> {
///         None
///     }
///     fn fact(&self, _service: &str, fact: &Fact<'_>) {
///         if matches!(fact, Fact::Dead(_)) {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observe: Send + Sync + 'static {
    /// A span of this service has ended.
    fn span(&self, service: &str, span: Span);

    /// The share of new traces whose spans are wanted, from 0 to 1: all of them when not said. Which ones is decided by
    /// [`TraceId::sampled`], so that every process decides the same. None: no spans at all, not even of traces that
    /// somebody else has decided to keep.
    fn ratio(&self) -> Option<f64> {
        Some(1.0)
    }

    /// How long an entity with a trace of its own may do nothing before what it does then becomes a trace of its own again, a
    /// *segment*: none, for ever. For those whose traces are stored or judged as if they were short.
    fn segment_after(&self) -> Option<Duration> {
        None
    }

    /// The span inside which the caller runs, if the observer knows.
    fn current(&self) -> Option<SpanContext> {
        None
    }

    /// Something happened in this service that metrics are counted from.
    fn fact(&self, service: &str, fact: &Fact<'_>);

    /// As long as it lives, this one can be asked for its levels.
    fn levels(&self, _of: Weak<dyn Levels>) {}
}

/// An observer, or none: what everything that tells something holds. Cheap to clone.
#[derive(Clone, Default)]
pub struct Telemetry(Option<Told>);

#[derive(Clone)]
struct Told {
    observer: Arc<dyn Observe>,
    carrier: &'static str,
}

impl Telemetry {
    /// Tells this observer.
    #[must_use]
    pub fn to(observer: Arc<dyn Observe>) -> Self {
        Self(Some(Told { observer, carrier: value::PALINODE }))
    }

    /// The log is carried by this system: the `messaging.system` of whatever goes through it.
    #[must_use]
    pub fn carried_by(mut self, carrier: &'static str) -> Self {
        if let Some(told) = &mut self.0 {
            told.carrier = carrier;
        }
        self
    }

    /// What carries the log.
    #[must_use]
    pub fn carrier(&self) -> &'static str {
        self.0.as_ref().map_or(value::PALINODE, |told| told.carrier)
    }

    fn observer(&self) -> Option<&dyn Observe> {
        Some(&*self.0.as_ref()?.observer)
    }

    /// Whether anybody is told anything.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Tells of a span; it is built only for somebody.
    pub fn span(&self, service: &str, span: impl FnOnce() -> Span) {
        if let Some(observer) = self.observer() {
            observer.span(service, span());
        }
    }

    /// The share of new traces that is wanted; none when nobody wants spans.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        self.observer()?.ratio()
    }

    /// How long an entity may do nothing before its trace is cut; none when it never is.
    #[must_use]
    pub fn segment_after(&self) -> Option<Duration> {
        self.observer()?.segment_after()
    }

    /// The span inside which the caller runs, if the observer knows.
    #[must_use]
    pub fn current(&self) -> Option<SpanContext> {
        self.observer()?.current()
    }

    /// Tells a fact; it is put together only for somebody.
    pub fn fact<'f>(&self, service: &str, fact: impl FnOnce() -> Fact<'f>) {
        if let Some(observer) = self.observer() {
            observer.fact(service, &fact());
        }
    }

    /// Offers something that has levels.
    pub fn levels(&self, of: Weak<dyn Levels>) {
        if let Some(observer) = self.observer() {
            observer.levels(of);
        }
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_on() { "Telemetry(on)" } else { "Telemetry(off)" })
    }
}
