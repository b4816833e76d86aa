//! The rules that the spans of no instance may break, checked after every commit: no span twice, each below the root, none
//! before it began, and nothing open at the end.

use std::collections::BTreeSet;

use palinode::entity::Decision;

use super::{
    Script, is_end,
    rules::{blunt, must},
};
use crate::trace::names::span;

impl Script {
    #[track_caller]
    pub(super) fn check_spans(&mut self, decision: &Decision) {
        self.spans.extend(decision.spans.iter().cloned());
        if decision.spans.is_empty() {
            return;
        }
        let Some(root) = decision.trace else { blunt("spans of an instance without a trace") };
        for seen in &decision.spans {
            must(seen.context.trace == root.trace, "a span of another trace");
            must(
                seen.start <= seen.end && seen.end <= self.now,
                "a span that ends before it began, or later than now",
            );
            let is_root = seen.name.starts_with(span::START);
            must(is_root || seen.parent == Some(root), "a span that does not hang below the root");
            must(is_root == (seen.context == root), "the root is `saga start`, and nothing else is");
        }
        let ids: BTreeSet<_> = self.spans.iter().map(|seen| seen.context.span).collect();
        must(ids.len() == self.spans.len(), "a span was told twice");
        if self.last.iter().any(is_end) {
            let run = decision.spans.iter().any(|seen| seen.name.starts_with(span::RUN));
            must(run, "an end that is not told as `saga run`");
            self.check_asked();
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
