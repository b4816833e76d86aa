//! V1: what is seen in traces, held against the log. No span is told twice; what handled a message is an effective commit
//! of this number, term, outcome and time, and what it hangs below was in that message; whatever a saga tells ends with an
//! effective commit of that saga, its run with its last one; and nothing hangs in the air (`spans/parents.rs`).

use std::collections::{BTreeMap, BTreeSet};

use palinode::trace::{Attribute, Span, names::key};
use palinode_sagas::trace::names::{key as saga, span};
use palinode_verify::{Effective, record::Cause};

use super::Truth;
use crate::world::World;

mod parents;

use parents::Parents;

pub(super) fn judge(world: &World, truth: &Truth, wrong: &mut Vec<String>) {
    let told = world.spans.all();
    let mut ids = BTreeSet::new();
    let by_time = by_entity_and_time(truth);
    let parents = Parents::of(truth, &told);
    for (service, seen) in &*told {
        if !ids.insert((seen.context.trace, seen.context.span)) {
            wrong.push(format!("V1: told twice: {} {}", seen.name, seen.context));
        }
        if seen.end < seen.start {
            wrong.push(format!("V1: it ends before it began: {} {}", seen.name, seen.context));
        }
        if let Some(why) = parents.judge(seen) {
            wrong.push(format!("V1: {} {}: {why}", seen.name, seen.context));
        }
        if seen.name.starts_with("process ") && seen.parent.is_some() {
            wrong.extend(handled(truth, service, seen));
        } else if let Some(id) = text(seen, saga::ID) {
            wrong.extend(of_a_saga(&by_time, service, &id, seen));
        }
    }
}

/// The effective commits of entities, by service, entity and time.
type ByTime<'a> = BTreeMap<(&'a str, String, i64), &'a Effective>;

fn by_entity_and_time(truth: &Truth) -> ByTime<'_> {
    let all =
        truth.shards.iter().flat_map(|((service, _), all)| all.iter().map(move |e| (service.as_str(), e)));
    all.filter_map(|(service, e)| Some(((service, e.entity()?.to_string(), e.commit.time), e))).collect()
}

fn handled(truth: &Truth, service: &str, seen: &Span) -> Option<String> {
    let what = |why: &str| Some(format!("V1: {} {}: {why}", seen.name, seen.context));
    let (shard, pseq) = (number(seen, key::SHARD)?, number(seen, key::PSEQ)?);
    let commits = truth.shards.get(&(service.to_owned(), u32::try_from(shard).ok()?))?;
    let found = usize::try_from(pseq.checked_sub(1)?).ok().and_then(|n| commits.get(n));
    let Some(commit) = found.map(|effective| &effective.commit) else {
        return what("no effective commit of this number");
    };
    if number(seen, key::TERM) != Some(commit.term) || commit.time != seen.start.0 {
        return what("another commit of this number is effective");
    }
    let Cause::Channel { from, seq, .. } = &commit.cause else { return None };
    let place = (format!("{service}/{shard}"), from.to_string(), *seq);
    let said = truth.sent.get(&place).and_then(|message| message.traceparent.clone());
    if said != seen.parent.map(|parent| parent.to_string()) {
        return what("its parent is not what the message said");
    }
    None
}

fn of_a_saga(by_time: &ByTime<'_>, service: &str, id: &str, seen: &Span) -> Option<String> {
    let kind = text(seen, saga::NAME)?;
    let at = |time: i64| by_time.get(&(service, format!("{kind}/{id}"), time));
    // What began with its own commit ended when that was effective.
    let commit = at(seen.end.0).or_else(|| at(seen.start.0));
    let what = |why: &str| Some(format!("V1: {} {}: {why}", seen.name, seen.context));
    match commit {
        None => what("it ends with no effective commit of its saga"),
        Some(effective) if seen.name.starts_with(span::RUN) && !effective.commit.ended => {
            what("the saga has not ended then")
        }
        Some(_) => None,
    }
}

fn text(span: &Span, key: &str) -> Option<String> {
    span.attributes.iter().find(|(name, _)| *name == key).and_then(|(_, value)| match value {
        Attribute::Text(text) => Some(text.to_string()),
        _ => None,
    })
}

fn number(span: &Span, key: &str) -> Option<u64> {
    span.attributes.iter().find(|(name, _)| *name == key).and_then(|(_, value)| match value {
        Attribute::Int(n) => u64::try_from(*n).ok(),
        _ => None,
    })
}
