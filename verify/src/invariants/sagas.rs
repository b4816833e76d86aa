//! S1 to S11: what the journals of sagas must keep, read from their entries and from the sends, runs and timers of the
//! commits that carry them. What is checked:
//!
//! | rule | from the log |
//! |---|---|
//! | S1 | one end, marked as the entity's; only late answers after it. The unfinished are listed, not found |
//! | S2 | each node done once, by an answer that says so; completed: all closed; compensated: nothing open. What participants outside the log did, their ledgers say |
//! | S3 | undone is exactly what was asked with an undo and not definitely refused; `standing` of a killed one likewise |
//! | S4 | see `order.rs`: in full with the caller's graph, without one as far as a journal proves who followed whom |
//! | S5 | ask and undo are sent to the recorded target, with the recorded bytes |
//! | S6, S7 | nothing forward after `undo_began`; no way back after the pivot, nor while it is asked or in doubt |
//! | S8 | one start, one arrival and one taking of a signal |
//! | S9 | rounds and attempts rise as described, so an entity is asked once a round; each effect has its intent in the same commit; that a message is accepted once is C1 |
//! | S10 | no retry before its recorded time, or after the budget was spent |
//! | S12 | see `person.rs`: verbs are named before what follows from them, and only where they have a meaning; nothing moves during a pause |
//! | S11 | each intent has its effect, each timer is set; an outcome is followed by something; at the end of the log an answer of an entity is still to come |
//!
//! An entry that cannot be read ends the reading of its instance: what follows from it is not known.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Answer, Channels, Logs, broken, channels::Says};
use crate::{
    graph::Graph,
    hash::Digest,
    journal::{Direction, Entry, Kept, Timer, Verb},
    reader::Effective,
    record::Peer,
    report::{Finding, Report, Rule, Stage, Unfinished},
};

mod back;
mod effects;
mod end;
mod forward;
mod instance;
mod node;
mod order;
mod person;
mod settle;
mod wait;
mod wakes;

use effects::Intent;
use instance::{End, Instance};

/// The sagas of one shard. Of those that ended only that is kept.
#[derive(Debug, Default)]
pub(super) struct Sagas {
    live: BTreeMap<Digest, Instance>,
    ended: BTreeSet<Digest>,
    /// Those of them of which something leaked: it may be undone once more.
    leaky: BTreeSet<Digest>,
}

/// One commit of an instance while it is read.
struct Turn<'a> {
    at: &'a Effective,
    graph: Option<&'a Graph>,
    report: &'a mut Report,
    entity: Arc<str>,
    /// The node whose closing this commit is about, and the nodes it opened.
    closer: Option<String>,
    opened: BTreeSet<String>,
    /// What must be among the commit's sends and runs.
    intents: Vec<Intent>,
    /// What must be among its timers, by node; the deadline's has none.
    timers: Vec<(Option<String>, Timer)>,
    answer: Option<Answer>,
    /// The verb of the commit, and its node.
    verb: Option<(Verb, String)>,
    /// What was kept, when this commit takes it.
    kept: Vec<Kept>,
}

impl Turn<'_> {
    /// Whether a person does this to this node in this commit.
    fn by_person(&self, verb: Verb, path: &str) -> bool {
        self.verb.as_ref().is_some_and(|(v, node)| *v == verb && node == path)
    }

    fn find(&mut self, rule: Rule, found: impl AsRef<str>, expected: impl Into<String>) {
        let found = format!("{}: {}", self.entity, found.as_ref());
        broken(self.report, self.at, rule, found, expected.into());
    }

    /// The commit's message is taken for this answer; the first of its entries says so.
    fn takes(&mut self, path: &str, direction: Direction, round: u32, says: Says) {
        let re = format!("{path}/{}/{round}", direction.word());
        self.answer = self.answer.or(Some(Answer::new(&re, says)));
    }

    fn time(&self) -> i64 {
        self.at.commit.time
    }
}

impl Sagas {
    /// Takes the shard's next effective commit; says which answer it was taken for.
    pub(super) fn take(&mut self, at: &Effective, logs: &Logs<'_>, report: &mut Report) -> Option<Answer> {
        let entity: Arc<str> = at.entity()?.to_string().into();
        let key = Digest::of(entity.as_bytes());
        let entries: Vec<_> = at.commit.events.iter().filter_map(Entry::read).collect();
        if self.ended.contains(&key) {
            if after_the_end(&entity, &entries, self.leaky.contains(&key), at, report) {
                self.leaky.insert(key);
            }
            return None;
        }
        if entries.is_empty() && !self.live.contains_key(&key) {
            return None;
        }
        let instance = self.live.entry(key).or_insert_with(|| Instance::new(at, &entity));
        let graph = instance.version_in(&entries).and_then(|v| logs.graph(&instance.kind, v));
        let mut turn = Turn {
            at,
            graph,
            report,
            entity,
            closer: None,
            opened: BTreeSet::new(),
            intents: Vec::new(),
            timers: Vec::new(),
            answer: None,
            verb: None,
            kept: Vec::new(),
        };
        instance.take(entries, &mut turn);
        let answer = turn.answer;
        if let Some(end) = instance.ended {
            let n = &mut report.counts;
            let count = match end {
                End::Completed => &mut n.completed,
                End::Compensated => &mut n.compensated,
                End::Killed => &mut n.killed,
            };
            *count += 1;
            if instance.leaks() {
                self.leaky.insert(key);
            }
            self.live.remove(&key);
            self.ended.insert(key);
        }
        answer
    }

    /// Lists what has not ended, and finds what waits in vain.
    pub(super) fn finish(&self, channels: &Channels, logs: &Logs<'_>, report: &mut Report) {
        for instance in self.live.values().filter(|saga| saga.is_saga()) {
            if let Some((node, offset)) = instance.waits_in_vain(channels, logs) {
                let Peer { service, shard, .. } = &instance.at;
                report.find(Finding {
                    rule: Rule::Wakes,
                    service: Arc::clone(service),
                    shard: *shard,
                    offset: Some(offset),
                    found: format!("{}: {node} was asked, and nothing is under way", instance.entity),
                    expected: "the ask or its answer on a channel".into(),
                });
            }
            let stage = match instance {
                saga if saga.parked => Stage::Parked,
                saga if saga.stuck => Stage::Stuck,
                _ => Stage::Running,
            };
            report.list(Unfinished {
                at: instance.at.clone(),
                kind: instance.kind.clone(),
                id: instance.id.clone(),
                since: instance.began,
                stage,
                open: instance.open().map(str::to_owned).collect(),
            });
        }
    }
}

/// Says whether something leaked.
fn after_the_end(
    entity: &str,
    entries: &[Result<Entry, String>],
    leaky: bool,
    at: &Effective,
    report: &mut Report,
) -> bool {
    let mut leaked = false;
    for entry in entries {
        match entry {
            Ok(Entry::LateReply { class, .. }) => {
                let leak = class == "leak";
                report.counts.leaks += u64::from(leak);
                leaked |= leak;
            }
            Ok(
                Entry::Intervened { verb: Verb::UndoAgain, .. }
                | Entry::UndoAsked { .. }
                | Entry::Undone { .. }
                | Entry::UndoStuck { .. },
            ) if leaky => {}
            Ok(Entry::AttemptFailed(failed)) if leaky && failed.direction == Direction::Undo => {}
            Ok(Entry::Started(_)) => {
                let found = format!("{entity}: started again after its end");
                broken(report, at, Rule::Start, found, "one start".into());
            }
            _ => {
                let found = format!("{entity}: an entry after its end");
                broken(report, at, Rule::Ends, found, "late answers only".into());
            }
        }
    }
    if at.commit.ended {
        broken(report, at, Rule::Ends, format!("{entity}: ends again"), "one end".into());
    }
    leaked
}
