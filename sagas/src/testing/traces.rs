//! The rules that the spans of no instance may break, checked after every commit: no span twice, each below the root of its
//! part of the trace, none before it began, and nothing open at the end; a new part exactly after a long time.

use std::collections::BTreeSet;

use palinode::{entity::Decision, trace::Span};

use super::{
    SEGMENT_AFTER, Script, is_end,
    rules::{blunt, must},
};
use crate::{event::Event, trace::names::span};

impl Script {
    #[track_caller]
    pub(super) fn check_spans(&mut self, decision: &Decision) {
        self.spans.extend(decision.spans.iter().cloned());
        self.check_segment(decision);
        if decision.spans.is_empty() {
            return;
        }
        let Some(root) = decision.trace else { blunt("spans of an instance without a trace") };
        if !self.roots.contains(&root) {
            self.roots.push(root);
        }
        for seen in &decision.spans {
            must(
                seen.start <= seen.end && seen.end <= self.now,
                "a span that ends before it began, or later than now",
            );
            let below = |root| seen.parent == Some(root) && seen.context.trace == root.trace;
            match seen.parent {
                Some(_) => must(self.roots.iter().copied().any(below), "a span that hangs below no root"),
                None => must(seen.context == root, "a root that is not that of the commit"),
            }
            must(is_root(seen) == seen.parent.is_none(), "the roots are `saga start` and `saga resume`");
        }
        let ids: BTreeSet<_> = self.spans.iter().map(|seen| seen.context.span).collect();
        must(ids.len() == self.spans.len(), "a span was told twice");
        if self.last.iter().any(is_end) {
            let run = decision.spans.iter().any(|seen| seen.name.starts_with(span::RUN));
            must(run, "an end that is not told as `saga run`");
            self.check_asked();
        }
    }

    /// The trace is cut when the instance wakes after a long time, and only then.
    #[track_caller]
    fn check_segment(&mut self, decision: &Decision) {
        let wakes = self.last.iter().any(|e| !matches!(e, Event::Kept { .. } | Event::Parked { .. }));
        if wakes && !self.roots.is_empty() {
            let long = self.woken.is_some_and(|before| self.now.since(before) > SEGMENT_AFTER);
            let cut = decision.spans.iter().any(|seen| seen.name.starts_with(span::RESUME));
            must(cut == long, "a trace that is cut at another time than after a long one");
        }
        if wakes {
            self.woken = Some(self.now);
        }
    }

    /// Every span that something was asked for has been told.
    #[track_caller]
    fn check_asked(&self) {
        for parent in &self.asked_for {
            must(
                self.spans.iter().any(|seen| seen.context == *parent),
                "an orphan: nobody told what it hangs below",
            );
        }
    }
}

fn is_root(seen: &Span) -> bool {
    [span::START, span::RESUME].iter().any(|name| seen.name.starts_with(name))
}
