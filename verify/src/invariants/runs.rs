//! S9, the log's side of it: an attempt of an activity is intended once, before it ends, and ends once. Whether its
//! effect happened once is for the participant's ledger to say.

use std::collections::BTreeMap;

use super::broken;
use crate::{
    reader::Effective,
    record::{Cause, Run},
    report::{Report, Rule},
};

#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Every attempt ever intended, and whether it is still open.
    intents: BTreeMap<(String, String, Run), bool>,
}

impl Runs {
    pub(super) fn take(&mut self, at: &Effective, report: &mut Report) {
        let Some(entity) = at.entity() else { return };
        let key = |run: &Run| (entity.kind.clone(), entity.id.clone(), run.clone());
        let text =
            |run: &Run| format!("attempt {} of round {} of {} of {entity}", run.attempt, run.round, run.key);
        if let Cause::Activity(run) = &at.commit.cause {
            match self.intents.get_mut(&key(run)) {
                Some(open) if *open => *open = false,
                Some(_) => {
                    broken(report, at, Rule::Runs, format!("{} ends again", text(run)), "one end".into())
                }
                None => {
                    let found = format!("{} ends", text(run));
                    broken(report, at, Rule::Runs, found, "a commit before it with its intent".into());
                }
            }
        }
        for run in &at.commit.runs {
            if self.intents.insert(key(run), true).is_some() {
                broken(report, at, Rule::Runs, format!("{} begins again", text(run)), "one intent".into());
            }
        }
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.intents.values().filter(|open| **open).count()).unwrap_or(u64::MAX)
    }
}
