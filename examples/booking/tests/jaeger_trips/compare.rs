//! One trip: its spans against its journal. What was told by a process in the moments before it was killed may be missing,
//! and nothing else; nothing may be there that did not happen, or twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use crate::{
    journal::{Part, Story},
    spans::Span,
};

/// What is wrong with the tree of a trip. Commits of `gone` may not have been told of.
pub(crate) fn wrong(trip: &str, story: &Story, spans: &[Span], gone: &Range<i64>) -> Vec<String> {
    let tree = Tree::of(spans);
    let mut wrong = Vec::new();
    if tree.by_id.len() != spans.len() {
        wrong.push("a span is there twice".to_owned());
    }
    wrong.extend(parts(story, spans, gone));
    wrong.extend(spans.iter().flat_map(|span| tree.alone(trip, story, span)));
    if !touched(story, gone) {
        wrong.extend(tree.whole());
    }
    if !wrong.is_empty() {
        wrong.extend(
            spans.iter().map(|span| format!("    {} {} {}", span.service, span.name, span.end - story.began)),
        );
    }
    wrong
}

/// Whether a process that died had to do with the trip: what it did may be missing anywhere in the tree.
pub(crate) fn touched(story: &Story, gone: &Range<i64>) -> bool {
    story.began < gone.end && story.ended >= gone.start
}

/// The parts of the saga: exactly those of the journal, with their times and outcomes.
fn parts(story: &Story, spans: &[Span], gone: &Range<i64>) -> Vec<String> {
    let mut seen: Vec<(&str, i64, i64, &str)> = spans
        .iter()
        .filter(|span| span.name.starts_with("saga ") && !span.name.starts_with("saga operator "))
        .map(|span| {
            let outcome = [span.attribute("saga.node.outcome"), span.attribute("saga.outcome")].concat();
            (&*span.name, span.start, span.end, &*outcome.leak())
        })
        .collect();
    let mut wrong = Vec::new();
    for Part { name, start, end, outcome } in &story.parts {
        // What begins and ends with one commit ends when that is known to be durable, which is in no log.
        let ends = |found: i64| found == *end || (start == end && found > *end);
        let same = |found: &(&str, i64, i64, &str)| {
            (found.0, found.1, found.3) == (&**name, *start, *outcome) && ends(found.2)
        };
        match seen.iter().position(same) {
            Some(at) => {
                seen.swap_remove(at);
            }
            None if gone.contains(end) => {}
            None => wrong.push(format!("{name} ({outcome}) from {start} to {end} is missing")),
        }
    }
    wrong.extend(seen.iter().map(|extra| format!("{extra:?} is not in the journal")));
    wrong
}

struct Tree<'a> {
    by_id: BTreeMap<&'a str, &'a Span>,
    below: BTreeMap<&'a str, Vec<&'a Span>>,
}

impl<'a> Tree<'a> {
    fn of(spans: &'a [Span]) -> Self {
        let mut below: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
        for span in spans {
            below.entry(&span.parent).or_default().push(span);
        }
        Self { by_id: spans.iter().map(|span| (&*span.id, span)).collect(), below }
    }

    fn below(&self, id: &str) -> &[&'a Span] {
        self.below.get(id).map_or(&[], Vec::as_slice)
    }

    /// What holds for a span whatever else is missing.
    fn alone(&self, trip: &str, story: &Story, span: &Span) -> Vec<String> {
        let of_saga = span.name.starts_with("saga ");
        let service = match span.name.split(' ').collect::<Vec<_>>()[..] {
            ["process", inbox] => inbox.strip_suffix(".inbox").unwrap_or("nobody"),
            ["send", inbox] if inbox != "trip.inbox" => "trip",
            ["send", _] => &span.service,
            _ => "trip",
        };
        let (outcome, root) = (span.attribute("saga.node.outcome"), span.name.starts_with("saga start "));
        let red = of_saga && (["refused", "unknown"].contains(&outcome) || story.outcome == "killed");
        let rules = [
            (span.service == service, "is of another service"),
            (span.start <= span.end, "ends before it begins"),
            (span.start >= story.began, "begins before the trip"),
            (span.parent.is_empty() == root, "is a root, or the root is none"),
            (!of_saga || span.attribute("saga.id") == trip, "is of another trip"),
            (!of_saga || span.failed == red, "is red, or is not and should be"),
            (!root || !span.links.is_empty(), "is not linked to the call that started it"),
        ];
        let broken = rules.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, what)| format!("{} of {} {what}", span.name, span.service)).collect()
    }

    /// What holds for a tree of which nothing is missing.
    fn whole(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let roots = self.below("").len();
        if roots != 1 {
            wrong.push(format!("{roots} roots"));
        }
        let known: BTreeSet<&str> = self.by_id.keys().copied().chain([""]).collect();
        for (parent, orphans) in self.below.iter().filter(|(parent, _)| !known.contains(**parent)) {
            wrong.push(format!("{} hangs below {parent}, which is nowhere", orphans[0].name));
        }
        wrong.extend(self.by_id.values().flat_map(|span| self.answered(span)));
        wrong
    }

    /// An attempt that was answered asked its participant, who answered.
    fn answered(&self, span: &Span) -> Option<String> {
        let (target, outcome) = (span.attribute("saga.target"), span.attribute("saga.node.outcome"));
        if target.is_empty() || !["done", "refused"].contains(&outcome) {
            return None;
        }
        let Some((service, _)) = target.split_once('/') else {
            let ran = self.below(&span.id).iter().any(|below| below.name == format!("activity {target}"));
            return (!ran).then(|| format!("{}: nobody ran {target}", span.name));
        };
        let mut at = span;
        let road = [("send", service), ("process", service), ("send", "trip"), ("process", "trip")];
        for (word, to) in road {
            let name = format!("{word} {to}.inbox");
            let next: Vec<&&Span> = self.below(&at.id).iter().filter(|below| below.name == name).collect();
            match next[..] {
                [one] => at = one,
                _ => return Some(format!("{}: {} of {name} below {}", span.name, next.len(), at.name)),
            }
        }
        None
    }
}
