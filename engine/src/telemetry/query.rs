//! What a database is asked, in words of few kinds: never a statement's text, never a value. And the span of it, for whoever
//! asks as a part of a trace. Knows no database.

use std::fmt::Display;

use crate::{
    time::Micros,
    trace::{
        Span, SpanContext, SpanKind, Status,
        names::{key, role, value},
    },
};

/// A question to a database.
///
/// ```
/// use palinode::telemetry::Query;
/// assert_eq!(Query::of("SELECT", "room_night").summary(), "SELECT room_night");
/// assert_eq!(Query::batch("ledger").summary(), "BATCH ledger");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    operation: &'static str,
    table: &'static str,
    batch: bool,
}

impl Query {
    /// A statement about this table.
    #[must_use]
    pub const fn of(operation: &'static str, table: &'static str) -> Self {
        Self { operation, table, batch: false }
    }

    /// A transaction of several statements, first of all about this table.
    #[must_use]
    pub const fn batch(table: &'static str) -> Self {
        Self { operation: "BATCH", table, batch: true }
    }

    /// What is done.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The table, if it is about one only.
    #[must_use]
    pub fn table(&self) -> Option<&'static str> {
        (!self.batch).then_some(self.table)
    }

    /// The table that it is about first of all.
    #[cfg(feature = "otel")]
    pub(super) fn first_table(&self) -> &'static str {
        self.table
    }

    /// Operation and table.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{} {}", self.operation, self.table)
    }

    /// Its span, below this one; `nth` tells it from others of the same parent.
    #[must_use]
    pub fn span(
        &self,
        system: &'static str,
        parent: SpanContext,
        nth: impl Display,
        (start, end): (Micros, Micros),
        error: Option<&'static str>,
    ) -> Span {
        let summary = self.summary();
        let mut attributes = vec![
            (key::DB_SYSTEM, system.into()),
            (key::DB_OPERATION, self.operation.into()),
            (key::DB_SUMMARY, summary.as_str().into()),
        ];
        attributes.extend(self.table().map(|table| (key::DB_COLLECTION, table.into())));
        attributes.extend(error.map(|error| (key::ERROR_TYPE, error.into())));
        Span {
            context: parent.sibling(0, role::QUERY, format_args!("{}/{nth}", parent.span)),
            name: summary.into(),
            // A file is asked inside this process.
            kind: if system == value::SQLITE { SpanKind::Internal } else { SpanKind::Client },
            parent: Some(parent),
            links: Vec::new(),
            start,
            end: end.max(start),
            attributes,
            status: error.map_or(Status::Unset, |error| Status::Error(error.into())),
        }
    }
}
