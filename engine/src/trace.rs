//! Traces as plain data: spans, the ids that are derived for them, and the context that travels with a message. Pure: what
//! opens and closes a span is a commit, and a finished span leaves with the commit that closed it. Who is told of it is
//! [`crate::telemetry`]'s.
//!
//! Nothing is open while an entity waits, and nothing of a span is in the log but its context.

mod context;
mod ids;
pub mod names;
mod scope;
mod span;

pub use context::BadTraceparent;
pub use scope::Scope;
pub use span::{Attribute, Span, SpanContext, SpanId, SpanKind, Status, TraceId};
