//! Everything an observer was told, as trees: what must hold of all of them, each as text, and what a death may take away
//! from one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    sync::Arc,
};

use palinode::{
    Micros,
    testing::Recorder,
    trace::{Attribute, Span, SpanContext, SpanId, SpanKind, Status, TraceId, names::key as engine},
};

use super::rules::{blunt, must};
use crate::trace::names::key;

/// Spans with their services, in the order in which they were told.
#[derive(Debug, Clone, Default)]
pub struct Forest(Vec<(Arc<str>, Span)>);

impl Forest {
    /// Everything that it was told so far.
    pub fn told(recorder: &Recorder) -> Self {
        Self(recorder.spans())
    }

    /// The spans with their services.
    #[must_use]
    pub fn all(&self) -> &[(Arc<str>, Span)] {
        &self.0
    }

    /// The spans.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.0.iter().map(|(_, span)| span)
    }

    /// The spans of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<&Span> {
        self.spans().filter(|span| span.name == name).collect()
    }

    /// The spans of one trace.
    #[must_use]
    pub fn of(&self, trace: TraceId) -> Self {
        Self(self.0.iter().filter(|(_, span)| span.context.trace == trace).cloned().collect())
    }

    /// The spans of all traces of the saga of this id: of one, when it was never cut.
    #[must_use]
    pub fn of_saga(&self, id: &str) -> Self {
        let own = |span: &&Span| text(span, key::ID).as_deref() == Some(id);
        let traces: BTreeSet<TraceId> = self.spans().filter(own).map(|span| span.context.trace).collect();
        Self(self.0.iter().filter(|(_, span)| traces.contains(&span.context.trace)).cloned().collect())
    }

    /// What always holds: no span is told twice, none ends before it began, none begins before its parent.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn check(&self) {
        let mut told = BTreeMap::new();
        for span in self.spans() {
            must(
                span.start <= span.end && span.context.sampled,
                &format!("it ends before it began, or is of a trace that is not kept: {span:?}"),
            );
            let before = told.insert((span.context.trace, span.context.span), span);
            must(before.is_none(), &format!("told twice: {span:?}"));
        }
        for span in self.spans() {
            let parent = span.parent.and_then(|parent| told.get(&(parent.trace, parent.span)));
            let after = parent.is_none_or(|parent| parent.start <= span.start);
            must(after, &format!("{span:?} begins before {parent:?}"));
        }
    }

    /// The spans whose parent nobody told.
    #[must_use]
    pub fn orphans(&self) -> Vec<&Span> {
        let told: BTreeSet<SpanId> = self.spans().map(|span| span.context.span).collect();
        let lost = |span: &&Span| span.parent.is_some_and(|parent| !told.contains(&parent.span));
        self.spans().filter(lost).collect()
    }

    /// As text: a line a span, its children below it in the order in which they began, by name when that is
    /// the same.
    #[must_use]
    pub fn tree(&self) -> String {
        let mut lines = String::new();
        self.below(None, 0, &Known::of([self]), &mut lines);
        lines
    }

    fn below(&self, parent: Option<SpanContext>, depth: usize, known: &Known<'_>, lines: &mut String) {
        let mut children: Vec<_> = self.0.iter().filter(|(_, span)| span.parent == parent).collect();
        children.sort_by_key(|(_, span)| (span.start, span.name.clone(), span.end));
        for told in children {
            let pad = "  ".repeat(depth);
            let _ = writeln!(lines, "{pad}{}", known.line(told, true));
            self.below(Some(told.1.context), depth + 1, known, lines);
        }
    }

    /// Compares the tree with the file of this name; with `UPDATE_GOLDEN=1` in the environment one that is missing is
    /// written.
    ///
    /// # Panics
    /// When it is another one.
    #[track_caller]
    pub fn is_golden(&self, folder: &Path, name: &str) {
        let (path, tree) = (folder.join(format!("{name}.txt")), self.tree());
        if std::env::var_os("UPDATE_GOLDEN").is_some() && !path.exists() {
            std::fs::write(&path, &tree).unwrap_or_else(|e| blunt(format!("{}: {e}", path.display())));
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        must(tree == expected, &format!("{} differs:\n{tree}\ninstead of\n{expected}", path.display()));
    }

    /// This was told of a story in which a node died, that of the same story without a death: it must be the same, but for
    /// the spans of commits of these times, which nobody knew to be effective, and what hangs below them hangs in the air. An
    /// attempt that the node was making is told as lost, and made again. How many spans the death took away.
    ///
    /// # Panics
    /// When it differs in anything else.
    #[track_caller]
    pub fn survived(&self, whole: &Self, unheard: &BTreeSet<Micros>) -> usize {
        self.check();
        let fails =
            |what: &str| -> ! { blunt(format!("{what}\n{}\ninstead of\n{}", self.tree(), whole.tree())) };
        let lost = self.spans().filter(|span| is_lost(span)).count();
        must(lost <= 1, "one death, and two attempts that were lost");
        let (without, with) = (Known::of([whole]), Known::of([whole, self]));
        let (expected, told) = (without.by_path(whole), with.by_path(self));
        for (path, spans) in &told {
            if expected.get(path).map_or(0, Vec::len) < spans.len() {
                fails(&format!("nobody had to tell {path}"));
            }
        }
        let mut missing = 0;
        for (path, spans) in &expected {
            let gone = spans.len().saturating_sub(told.get(path).map_or(0, Vec::len));
            let dead = |span: &&&Span| unheard.contains(&span.start) || unheard.contains(&span.end);
            if gone > spans.iter().filter(dead).count() {
                fails(&format!("nobody told {path}"));
            }
            missing += gone;
        }
        let opened: BTreeSet<SpanId> = whole.spans().map(|span| span.context.span).collect();
        for orphan in self.orphans() {
            let parent = orphan.parent.is_some_and(|parent| opened.contains(&parent.span));
            must(parent, &format!("below nothing that there ever was: {orphan:?}"));
        }
        missing
    }
}

/// Spans by their ids, of all forests that tell of one story.
struct Known<'a>(BTreeMap<(TraceId, SpanId), &'a (Arc<str>, Span)>);

impl<'a> Known<'a> {
    fn of(forests: impl IntoIterator<Item = &'a Forest>) -> Self {
        let all = forests.into_iter().flat_map(|forest| &forest.0);
        Self(all.map(|told| ((told.1.context.trace, told.1.context.span), told)).collect())
    }

    fn get(&self, context: SpanContext) -> Option<&'a (Arc<str>, Span)> {
        self.0.get(&(context.trace, context.span)).copied()
    }

    /// What is said of a span; which attempt it is only when that is asked for.
    fn line(&self, (service, span): &(Arc<str>, Span), attempts: bool) -> String {
        let kind = match span.kind {
            SpanKind::Internal => "",
            SpanKind::Client => " [client]",
            SpanKind::Server => " [server]",
            SpanKind::Producer => " [producer]",
            SpanKind::Consumer => " [consumer]",
        };
        let mut line = format!("{service}: {}{kind}", span.name);
        let keys = [key::NODE_OUTCOME, key::OUTCOME, key::ROUND, key::ATTEMPT, engine::OUTCOME, key::SEGMENT];
        for name in keys.into_iter().filter(|name| attempts || *name != key::ATTEMPT) {
            if let Some(value) = text(span, name) {
                let _ = write!(line, " {}={value}", name.rsplit('.').next().unwrap_or(name));
            }
        }
        if let Status::Error(why) = &span.status {
            let _ = write!(line, " ERROR {why}");
        }
        for link in span.links.iter().filter(|link| Some(**link) != span.parent) {
            let name = self.get(*link).map_or("another trace", |(_, linked)| &*linked.name);
            let _ = write!(line, " -> {name}");
        }
        line
    }

    /// A span and everything above it.
    fn road(&self, told: &'a (Arc<str>, Span)) -> Vec<&'a (Arc<str>, Span)> {
        std::iter::successors(Some(told), |(_, span)| self.get(span.parent?)).collect()
    }

    /// Spans by what is said of them and of everything above them, without attempts that were lost.
    fn by_path(&self, forest: &'a Forest) -> BTreeMap<String, Vec<&'a Span>> {
        let mut all: BTreeMap<String, Vec<&Span>> = BTreeMap::new();
        for told in &forest.0 {
            let road = self.road(told);
            if !road.iter().any(|(_, span)| is_lost(span)) {
                let path: Vec<String> = road.iter().rev().map(|told| self.line(told, false)).collect();
                all.entry(path.join(" / ")).or_default().push(&told.1);
            }
        }
        all
    }
}

/// An attempt whose owner died.
fn is_lost(span: &Span) -> bool {
    text(span, engine::ERROR_TYPE).as_deref() == Some("lost")
}

/// The value of an attribute.
fn text(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|(name, _)| *name == key);
    found.map(|(_, value)| match value {
        Attribute::Text(text) => text.to_string(),
        Attribute::Int(n) => n.to_string(),
        Attribute::Bool(yes) => yes.to_string(),
    })
}
