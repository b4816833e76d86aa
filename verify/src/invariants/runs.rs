//! S9, the log's side of it: an attempt of an activity is intended once, before it ends, and ends once. Whether its
//! effect happened once is for the participant's ledger to say.

use std::collections::BTreeMap;

use super::broken;
use crate::{
    hash::Digest,
    reader::Effective,
    record::{Cause, Entity, Run},
    report::{Report, Rule},
};

#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Every attempt ever intended, by the digest of its name, and whether it is still open.
    intents: BTreeMap<Digest, bool>,
}

fn name(entity: &Entity, run: &Run) -> String {
    format!("attempt {} of round {} of {} of {entity}", run.attempt, run.round, run.key)
}

impl Runs {
    pub(super) fn take(&mut self, at: &Effective, report: &mut Report) {
        let Some(entity) = at.entity() else { return };
        if let Cause::Activity(run) = &at.commit.cause {
            let name = name(entity, run);
            match self.intents.get_mut(&Digest::of(name.as_bytes())) {
                Some(open) if *open => *open = false,
                Some(_) => {
                    broken(report, at, Rule::Effects, format!("{name} ends again"), "one end".into());
                }
                None => {
                    let expected = "a commit before it with its intent".into();
                    broken(report, at, Rule::Effects, format!("{name} ends"), expected);
                }
            }
        }
        for run in &at.commit.runs {
            let name = name(entity, run);
            if self.intents.insert(Digest::of(name.as_bytes()), true).is_some() {
                broken(report, at, Rule::Effects, format!("{name} begins again"), "one intent".into());
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.intents.values().filter(|open| **open).count()).unwrap_or(u64::MAX)
    }
}
