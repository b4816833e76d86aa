//! What is noted of a world while it runs: what must not happen, shards that stopped, what went wrong how often.

use std::{collections::BTreeMap, sync::PoisonError};

use super::World;

impl World {
    /// Something that must not happen.
    pub(crate) fn complain(&self, what: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on a shard that stops for good is not wrong by itself.
    pub(crate) fn halts_are_judged(&self) {
        *self.halts.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// The shards that stopped since.
    pub(crate) fn halts(&self) -> Vec<String> {
        self.halts.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    pub(super) fn halted(&self, node: usize, why: &str) {
        let what = format!("{} halted: {why}", Self::name(node));
        match &mut *self.halts.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(halts) => halts.push(what),
            None => self.complain(what),
        }
    }

    pub(crate) fn count(&self, what: impl Into<String>) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(what.into()).or_default() += 1;
    }

    /// What went wrong, by kind.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let more = [self.store.counts(), self.db.counts(), self.participants.counts()];
        for (what, n) in more.into_iter().flatten() {
            *counts.entry(what.to_owned()).or_default() += n;
        }
        counts
    }
}
