//! Attempts of activities whose intent is in the log and whose outcome is not. A new owner reports them as lost.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    address::EntityKey,
    machine::rows::{Row, Section},
};

/// One attempt of an activity of an entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId {
    /// Whose.
    pub entity: EntityKey,
    /// The effect key inside the entity.
    pub key: Arc<str>,
    /// The round.
    pub round: u32,
    /// The attempt.
    pub attempt: u32,
}

/// All open attempts, with the number of the commit that is their intent.
#[derive(Debug, Default)]
pub struct Runs {
    open: BTreeMap<RunId, u64>,
    dirty: BTreeMap<RunId, u64>,
}

impl Runs {
    /// An intent.
    pub fn open(&mut self, id: RunId, pseq: u64) {
        self.dirty.insert(id.clone(), pseq);
        self.open.insert(id, pseq);
    }

    /// Its outcome.
    pub fn close(&mut self, id: RunId, pseq: u64) {
        if self.open.remove(&id).is_some() {
            self.dirty.insert(id, pseq);
        }
    }

    /// All that are open.
    pub fn iter(&self) -> impl Iterator<Item = &RunId> {
        self.open.keys()
    }

    /// Rows of what changed since the last call.
    pub(crate) fn drain_rows(&mut self, rows: &mut Vec<Row>) {
        for (id, pseq) in std::mem::take(&mut self.dirty) {
            let value = self.open.get(&id).and_then(|at| serde_json::to_vec(&(&id, at)).ok());
            let key = format!("{}\n{}\n{}\n{}", id.entity, id.key, id.round, id.attempt);
            rows.push(Row { section: Section::Run, key, pseq, value });
        }
    }

    /// Takes back what a snapshot wrote.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) fn restore(&mut self, value: &[u8]) -> Result<(), String> {
        let (id, at): (RunId, u64) = serde_json::from_slice(value).map_err(|e| format!("run: {e}"))?;
        self.open.insert(id, at);
        Ok(())
    }
}
