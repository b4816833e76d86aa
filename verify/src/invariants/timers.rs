//! T1: a timer fires when it is due, not before. T2 and T4: it fires once, and only while it is set.
//!
//! A timer of an entity is a node and a serial. It is set until it fires, is cleared, or its node is set with another
//! serial. A commit fires first, then clears, then sets.

use std::collections::{BTreeMap, BTreeSet};

use super::{broken, count};
use crate::{
    hash::Digest,
    reader::Effective,
    record::Cause,
    report::{Report, Rule},
};

type Node = (String, String, String);

#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Serial and due time of what is set.
    set: BTreeMap<Node, (u64, i64)>,
    /// Every setting that ever fired, by the digest of its name.
    fired: BTreeSet<Digest>,
}

impl Timers {
    pub(super) fn take(&mut self, at: &Effective, report: &mut Report) {
        let Some(entity) = at.entity() else { return };
        let node = |node: &str| (entity.kind.clone(), entity.id.clone(), node.to_owned());
        if let Cause::Timer { node: name, serial } = &at.commit.cause {
            self.fire(node(name), *serial, at, report);
        }
        for clear in &at.commit.timers.clear {
            let key = node(&clear.node);
            if self.set.get(&key).is_some_and(|(serial, _)| *serial == clear.serial) {
                self.set.remove(&key);
            }
        }
        for set in &at.commit.timers.set {
            self.set.insert(node(&set.node), (set.serial, set.due));
        }
    }

    fn fire(&mut self, node: Node, serial: u64, at: &Effective, report: &mut Report) {
        let name = format!("timer {} serial {serial} of {}/{}", node.2, node.0, node.1);
        let found = || format!("{name} fires");
        let time = at.commit.time;
        match self.set.get(&node) {
            Some((current, due)) if *current == serial => {
                if time < *due {
                    let found = format!("{} at {time}", found());
                    broken(report, at, Rule::Due, found, format!("not before {due}"));
                }
                self.set.remove(&node);
            }
            Some((current, _)) => {
                broken(report, at, Rule::Fired, found(), format!("serial {current}, which is set"));
            }
            None => broken(report, at, Rule::Fired, found(), "a timer that is set".into()),
        }
        if !self.fired.insert(Digest::of(name.as_bytes())) {
            let found = format!("{name} fires again");
            broken(report, at, Rule::Fired, found, "each setting to fire once".into());
        }
    }

    pub(super) fn count(&self) -> u64 {
        count(&self.set)
    }
}
