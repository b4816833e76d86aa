//! The entities of a shard that are in memory. Those changed since the snapshot must stay; the others may go and are
//! loaded again from the snapshot when they are needed.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    address::EntityKey,
    commit::EventRecord,
    entity::{Entity, Kinds, Unfit},
    machine::rows::{Row, Section},
};

/// How many unchanged entities are kept.
pub const CACHED: usize = 10_000;

/// The entities in memory.
#[derive(Default)]
pub struct Entities {
    slots: BTreeMap<EntityKey, Slot>,
    clean: VecDeque<EntityKey>,
    dirty: BTreeMap<EntityKey, ()>,
    saving: BTreeMap<EntityKey, ()>,
}

/// One entity.
pub struct Slot {
    /// Number of its events.
    pub version: u64,
    /// Number of the commit that last changed it.
    pub pseq: u64,
    /// What it is, or why it is set aside.
    pub state: State,
}

/// An entity's state.
pub enum State {
    /// It can be asked.
    Live(Box<dyn Entity>),
    /// Its events cannot be folded: set aside.
    Parked(Arc<str>),
}

#[derive(Serialize, Deserialize)]
struct SavedEntity {
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    state: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    parked: Option<Arc<str>>,
}

impl Entities {
    /// Whether it is in memory.
    #[must_use]
    pub fn has(&self, key: &EntityKey) -> bool {
        self.slots.contains_key(key)
    }

    /// The entity, if it is in memory.
    pub fn get(&mut self, key: &EntityKey) -> Option<&mut Slot> {
        self.slots.get_mut(key)
    }

    /// Takes an entity in, from its snapshot row, or blank when there is none.
    ///
    /// # Errors
    /// When the service has no such kind.
    pub fn load(&mut self, kinds: &Kinds, key: &EntityKey, row: Option<&Row>) -> Result<(), Unfit> {
        let kind = kinds.get(&key.kind).ok_or_else(|| Unfit::new(format!("no kind {:?}", key.kind)))?;
        let blank = || Slot { version: 0, pseq: 0, state: State::Live(kind.blank(&key.id)) };
        let slot = match row.and_then(|r| r.value.as_ref().map(|v| (r.pseq, v))) {
            None => blank(),
            Some((pseq, value)) => match serde_json::from_slice::<SavedEntity>(value) {
                Err(e) => {
                    Slot { version: 0, pseq, state: State::Parked(format!("its snapshot: {e}").into()) }
                }
                Ok(SavedEntity { version, parked: Some(why), .. }) => {
                    Slot { version, pseq, state: State::Parked(why) }
                }
                Ok(SavedEntity { version, state, .. }) => {
                    let raw = state.as_deref().unwrap_or(RawValue::NULL);
                    let state = kind.restore(&key.id, raw.get().as_bytes());
                    Slot { version, pseq, state: state.map_or_else(|e| State::Parked(e.0), State::Live) }
                }
            },
        };
        self.slots.insert(key.clone(), slot);
        self.clean.push_back(key.clone());
        self.evict();
        Ok(())
    }

    /// Folds recorded events into an entity; one that cannot take them is parked.
    pub fn fold(&mut self, key: &EntityKey, version: u64, events: &[EventRecord], pseq: u64) {
        let Some(slot) = self.slots.get_mut(key).filter(|_| !events.is_empty()) else { return };
        if let State::Live(state) = &mut slot.state
            && let Err(e) = events.iter().try_for_each(|event| state.apply(event))
        {
            slot.state = State::Parked(e.0);
        }
        self.advance(key, version, pseq);
    }

    /// Sets an entity aside: a commit stored an input of it unapplied, and nothing may be applied before that.
    pub fn park(&mut self, key: &EntityKey, why: Arc<str>, pseq: u64) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.state = State::Parked(why);
            slot.pseq = pseq;
            self.dirty.insert(key.clone(), ());
        }
    }

    /// Records that a commit changed an entity, whose state has already advanced.
    pub fn advance(&mut self, key: &EntityKey, version: u64, pseq: u64) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        slot.version = version;
        slot.pseq = pseq;
        self.dirty.insert(key.clone(), ());
    }

    /// Rows of everything changed since the last capture. They count as unsaved until [`Entities::saved`].
    ///
    /// # Errors
    /// The entity whose state cannot be written.
    pub(crate) fn capture(&mut self, rows: &mut Vec<Row>) -> Result<(), Unfit> {
        for key in self.dirty.keys() {
            let Some(slot) = self.slots.get(key) else { continue };
            let saved = match &slot.state {
                State::Parked(why) => {
                    SavedEntity { version: slot.version, state: None, parked: Some(Arc::clone(why)) }
                }
                State::Live(state) => {
                    let bad = |e: String| Unfit::new(format!("state of {key}: {e}"));
                    let text = String::from_utf8(state.save()?).map_err(|e| bad(e.to_string()))?;
                    let raw = RawValue::from_string(text).map_err(|e| bad(e.to_string()))?;
                    SavedEntity { version: slot.version, state: Some(raw), parked: None }
                }
            };
            let value = serde_json::to_vec(&saved).map_err(|e| Unfit::new(e.to_string()))?;
            rows.push(Row {
                section: Section::Entity,
                key: key.to_string(),
                pseq: slot.pseq,
                value: Some(value),
            });
        }
        self.saving.append(&mut self.dirty);
        Ok(())
    }

    /// The captured rows are known to be stored: what has not changed since may be forgotten.
    pub fn saved(&mut self) {
        for (key, ()) in std::mem::take(&mut self.saving) {
            if !self.dirty.contains_key(&key) {
                self.clean.push_back(key);
            }
        }
        self.evict();
    }

    fn evict(&mut self) {
        while self.clean.len() > CACHED {
            let Some(key) = self.clean.pop_front() else { return };
            if !self.dirty.contains_key(&key) && !self.saving.contains_key(&key) {
                self.slots.remove(&key);
            }
        }
    }
}
