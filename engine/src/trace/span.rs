//! A finished span as plain data, by the data model of OpenTelemetry. Knows neither where its ids come from nor where it
//! goes.

use std::{borrow::Cow, fmt, sync::Arc};

use uuid::Uuid;

use crate::time::Micros;

/// Sixteen bytes that all spans of one tree share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// Eight bytes that name a span inside its trace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// What others need to know of a span: enough to be its child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanContext {
    /// Its trace.
    pub trace: TraceId,
    /// Itself.
    pub span: SpanId,
    /// Whether the spans of the trace are kept.
    pub sampled: bool,
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// What was done, in words of few kinds.
    pub name: Cow<'static, str>,
    /// Its place between the services.
    pub kind: SpanKind,
    /// Which span it is.
    pub context: SpanContext,
    /// Below which span it hangs; none is the root of its trace.
    pub parent: Option<SpanContext>,
    /// Others that it has to do with.
    pub links: Vec<SpanContext>,
    /// When it began: the time of a commit.
    pub start: Micros,
    /// When it ended.
    pub end: Micros,
    /// What else is known of it.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// Whether it went wrong.
    pub status: Status,
}

/// The place of a span between the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanKind {
    /// Inside of one.
    Internal,
    /// Asks another one and waits for the answer.
    Client,
    /// Answers another one.
    Server,
    /// Sends a message and does not wait.
    Producer,
    /// Takes a message.
    Consumer,
}

/// Whether a span went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Status {
    /// Nothing is said.
    #[default]
    Unset,
    /// It went wrong, and why, for people.
    Error(Arc<str>),
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// Text.
    Text(Arc<str>),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
}

impl TraceId {
    /// Its digits, written here.
    pub(super) fn hex(self, to: &mut [u8; 32]) -> &str {
        Uuid::from_bytes(self.0).simple().encode_lower(to)
    }
}

impl SpanId {
    /// Its digits, written here.
    pub(super) fn hex(self, to: &mut [u8; 32]) -> &str {
        let digits = Uuid::from_u64_pair(u64::from_be_bytes(self.0), 0).simple().encode_lower(to);
        digits.get(..16).unwrap_or_default()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex(&mut [0; 32]))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex(&mut [0; 32]))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Arc<str>> for Attribute {
    fn from(text: Arc<str>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Attribute {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<bool> for Attribute {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}
