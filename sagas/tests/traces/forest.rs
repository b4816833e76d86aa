//! Everything an observer was told, as trees: what must hold of all of them, and each as text.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{Arc, Mutex},
};

use palinode::{
    telemetry::{Fact, Observe},
    trace::{Attribute, Span, SpanContext, SpanId, SpanKind, Status, TraceId},
};

/// Keeps what it is told.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    told: Arc<Mutex<Vec<(String, Span)>>>,
    ratio: Option<f64>,
    current: Option<SpanContext>,
}

impl Observe for Recorder {
    fn span(&self, service: &str, span: Span) {
        self.told.lock().unwrap().push((service.to_owned(), span));
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.ratio.unwrap_or(1.0))
    }

    fn current(&self) -> Option<SpanContext> {
        self.current
    }

    fn fact(&self, _service: &str, _fact: &Fact<'_>) {}
}

impl Recorder {
    pub(crate) fn with_ratio(ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..Self::default() }
    }

    /// Callers run inside this span.
    pub(crate) fn inside(current: SpanContext) -> Self {
        Self { current: Some(current), ..Self::default() }
    }

    pub(crate) fn forest(&self) -> Forest {
        Forest(self.told.lock().unwrap().clone())
    }
}

/// All spans that were told, in the order in which they were.
#[derive(Clone)]
pub(crate) struct Forest(pub(crate) Vec<(String, Span)>);

impl Forest {
    /// The trace of the saga of this id.
    pub(crate) fn trace_of(&self, id: &str) -> TraceId {
        let of = |span: &Span| text(span, "saga.id").as_deref() == Some(id);
        self.0.iter().find(|(_, span)| of(span)).map(|(_, span)| span.context.trace).unwrap()
    }

    /// The spans of this name.
    pub(crate) fn named(&self, name: &str) -> Vec<&Span> {
        self.0.iter().map(|(_, span)| span).filter(|span| span.name == name).collect()
    }

    /// The spans of one trace.
    pub(crate) fn of(&self, trace: TraceId) -> Forest {
        Forest(self.0.iter().filter(|(_, span)| span.context.trace == trace).cloned().collect())
    }

    /// What always holds: no span is told twice, none ends before it began, and none begins before its parent.
    pub(crate) fn check(&self) {
        let mut seen = BTreeMap::new();
        for (service, span) in &self.0 {
            assert!(span.start <= span.end, "{span:?}");
            assert!(span.context.sampled);
            let before = seen.insert((span.context.trace, span.context.span), service);
            assert_eq!(before, None, "told twice: {span:?}");
        }
        for (_, span) in &self.0 {
            let parent = self.0.iter().find(|(_, other)| Some(other.context) == span.parent);
            assert!(parent.is_none_or(|(_, parent)| parent.start <= span.start), "{span:?} in {parent:?}");
        }
    }

    /// The spans whose parent nobody told.
    pub(crate) fn orphans(&self) -> Vec<&Span> {
        let told: BTreeSet<SpanId> = self.0.iter().map(|(_, span)| span.context.span).collect();
        let lost = |span: &&Span| span.parent.is_some_and(|parent| !told.contains(&parent.span));
        self.0.iter().map(|(_, span)| span).filter(lost).collect()
    }

    /// As text: a line a span, its children below it in the order in which they began.
    pub(crate) fn tree(&self) -> String {
        let mut lines = String::new();
        self.below(None, 0, &mut lines);
        lines
    }

    fn below(&self, parent: Option<SpanContext>, depth: usize, lines: &mut String) {
        let mut children: Vec<_> = self.0.iter().filter(|(_, span)| span.parent == parent).collect();
        children.sort_by_key(|(_, span)| (span.start, span.end, span.name.clone()));
        for (service, span) in children {
            let pad = "  ".repeat(depth);
            writeln!(lines, "{pad}{service}: {}{}", span.name, self.told_of(span)).unwrap();
            self.below(Some(span.context), depth + 1, lines);
        }
    }

    fn told_of(&self, span: &Span) -> String {
        let kind = match span.kind {
            SpanKind::Internal => "",
            SpanKind::Client => " [client]",
            SpanKind::Server => " [server]",
            SpanKind::Producer => " [producer]",
            SpanKind::Consumer => " [consumer]",
        };
        let mut line = kind.to_owned();
        for key in ["saga.node.outcome", "saga.outcome", "saga.round", "saga.attempt", "palinode.outcome"] {
            if let Some(value) = text(span, key) {
                write!(line, " {}={value}", key.rsplit('.').next().unwrap()).unwrap();
            }
        }
        if let Status::Error(why) = &span.status {
            write!(line, " ERROR {why}").unwrap();
        }
        for link in span.links.iter().filter(|link| Some(**link) != span.parent) {
            let linked = self.0.iter().find(|(_, other)| other.context == *link);
            let name = linked.map_or("another trace", |(_, span)| &*span.name);
            write!(line, " -> {name}").unwrap();
        }
        line
    }

    /// What every span is: to compare by its id when some are missing.
    pub(crate) fn paths(&self) -> BTreeMap<SpanId, String> {
        self.0
            .iter()
            .map(|(service, span)| (span.context.span, format!("{service}: {}", span.name)))
            .collect()
    }
}

/// The value of an attribute.
pub(crate) fn text(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|(name, _)| *name == key);
    found.map(|(_, value)| match value {
        Attribute::Text(text) => text.to_string(),
        Attribute::Int(n) => n.to_string(),
        Attribute::Bool(yes) => yes.to_string(),
    })
}
