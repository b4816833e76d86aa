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
    commit::Commit,
    entity::{Entity, Kinds, Recorded, Unfit},
    machine::{
        known::Known,
        rows::{Row, Section},
    },
};

/// How many unchanged entities are kept.
pub const CACHED: usize = 10_000;

/// The entities in memory.
#[derive(Default)]
pub struct Entities {
    slots: BTreeMap<Hashed, Slot>,
    /// Those that may go, the one to be looked at next first.
    clean: VecDeque<EntityKey>,
    /// Changed since the last capture.
    dirty: Vec<EntityKey>,
    /// Captured, and not known to be stored.
    saving: Vec<EntityKey>,
    /// Which of them may have a row in the snapshot.
    pub(crate) known: Known,
}

/// A key with its hash before it: comparing two of them rarely looks at the texts. However the ids are chosen, a lookup
/// costs no more than without the hash.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Hashed(u32, EntityKey);

impl Hashed {
    fn of(key: &EntityKey) -> Self {
        Self(key.hash32(), key.clone())
    }
}

/// One entity.
pub struct Slot {
    /// Number of its events.
    pub version: u64,
    /// Number of the commit that last changed it.
    pub pseq: u64,
    /// What it is, or why it is set aside.
    pub state: State,
    /// It has come to its end: nothing much will be asked of it.
    over: bool,
    dirty: bool,
    saving: bool,
    /// It stands in the list of those that may go.
    listed: bool,
    /// It was asked for since it was last looked at there.
    used: bool,
}

impl Slot {
    fn new(version: u64, pseq: u64, state: State) -> Self {
        Self { version, pseq, state, over: false, dirty: false, saving: false, listed: false, used: false }
    }
}

/// An entity's state.
pub enum State {
    /// It can be asked.
    Live(Box<dyn Entity>),
    /// It is set aside.
    Parked(Aside),
}

/// An entity that is set aside.
pub struct Aside {
    /// Why.
    pub why: Arc<str>,
    /// It as it was before, unless its events cannot be folded.
    pub entity: Option<Box<dyn Entity>>,
    /// The inputs that were stored since, oldest first.
    pub kept: Vec<Box<RawValue>>,
}

impl Aside {
    /// One that cannot be folded.
    fn unreadable(why: impl Into<Arc<str>>) -> State {
        State::Parked(Self { why: why.into(), entity: None, kept: Vec::new() })
    }
}

#[derive(Serialize, Deserialize)]
struct SavedEntity {
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    state: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    parked: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    kept: Vec<Box<RawValue>>,
}

impl Entities {
    /// Whether it is in memory.
    #[must_use]
    pub fn has(&self, key: &EntityKey) -> bool {
        self.slots.contains_key(&Hashed::of(key))
    }

    /// Whether the snapshot may have a row of it.
    pub(crate) fn may_be_saved(&self, key: &EntityKey) -> bool {
        self.known.may_have(key.hash32())
    }

    /// The entity, if it is in memory.
    pub fn get(&mut self, key: &EntityKey) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(&Hashed::of(key))?;
        slot.used = true;
        Some(slot)
    }

    /// Takes an entity in, from its snapshot row, or blank when there is none.
    ///
    /// # Errors
    /// When the service has no such kind.
    pub fn load(&mut self, kinds: &Kinds, key: &EntityKey, row: Option<&Row>) -> Result<(), Unfit> {
        let kind = kinds.get(&key.kind).ok_or_else(|| Unfit::new(kinds.unknown(&key.kind)))?;
        let blank = || Slot::new(0, 0, State::Live(kind.blank(&key.id)));
        let mut slot = match row.and_then(|r| r.value.as_ref().map(|v| (r.pseq, v))) {
            None => blank(),
            Some((pseq, value)) => match serde_json::from_slice::<SavedEntity>(value) {
                Err(e) => Slot::new(0, pseq, Aside::unreadable(format!("its snapshot: {e}"))),
                Ok(SavedEntity { version, parked: Some(why), state, kept }) => {
                    let restored = state.map(|raw| kind.restore(&key.id, raw.get().as_bytes()));
                    let entity = restored.and_then(Result::ok);
                    Slot::new(version, pseq, State::Parked(Aside { why, entity, kept }))
                }
                Ok(SavedEntity { version, state, .. }) => {
                    let raw = state.as_deref().unwrap_or(RawValue::NULL);
                    let state = kind.restore(&key.id, raw.get().as_bytes());
                    Slot::new(version, pseq, state.map_or_else(|e| Aside::unreadable(e.0), State::Live))
                }
            },
        };
        slot.listed = true;
        self.slots.insert(Hashed::of(key), slot);
        self.clean.push_back(key.clone());
        self.evict();
        Ok(())
    }

    /// Folds recorded events into an entity; one that cannot take them is parked.
    pub fn fold(&mut self, key: &EntityKey, version: u64, commit: &Commit) {
        let Commit { events, pseq, time, traceparent, .. } = commit;
        let (after, pseq) = (version.saturating_add(events.len() as u64), *pseq);
        let Some(slot) = self.slots.get_mut(&Hashed::of(key)).filter(|_| !events.is_empty()) else { return };
        if let State::Live(state) = &mut slot.state
            && let Err(e) = (version..).zip(events).try_for_each(|(version, event)| {
                state.apply(event, &Recorded { time: *time, version, traceparent: traceparent.as_ref() })
            })
        {
            slot.state = Aside::unreadable(e.0);
        }
        if zoo!("only-own-changes-written") {
            (slot.version, slot.pseq) = (after, pseq);
            return;
        }
        self.advance(key, after, pseq);
    }

    /// Sets an entity aside: a commit stored an input of it unapplied, and nothing may be applied before that.
    pub fn park(&mut self, key: &EntityKey, why: Arc<str>, input: Option<Box<RawValue>>, pseq: u64) {
        let Some(slot) = self.changed(key, pseq) else { return };
        let aside = match std::mem::replace(&mut slot.state, Aside::unreadable("")) {
            State::Live(entity) => Aside { why, entity: Some(entity), kept: Vec::new() },
            State::Parked(aside) => aside,
        };
        let kept = aside.kept.into_iter().chain(input).collect();
        slot.state = State::Parked(Aside { kept, ..aside });
    }

    /// It took everything that was stored, and stands so now.
    pub fn set_free(&mut self, key: &EntityKey, entity: Box<dyn Entity>, pseq: u64) {
        if let Some(slot) = self.changed(key, pseq) {
            slot.state = State::Live(entity);
        }
    }

    /// A recorded commit of an entity that is not stored unapplied: it was set free by it, if it was set aside.
    pub fn was_set_free(&mut self, key: &EntityKey, pseq: u64) {
        let entity = self.slots.get_mut(&Hashed::of(key)).and_then(|slot| match &mut slot.state {
            State::Parked(aside) => aside.entity.take(),
            State::Live(_) => None,
        });
        if let Some(entity) = entity {
            self.set_free(key, entity, pseq);
        }
    }

    /// Records that a commit changed an entity, whose state has already advanced.
    pub fn advance(&mut self, key: &EntityKey, version: u64, pseq: u64) {
        if let Some(slot) = self.changed(key, pseq) {
            slot.version = version;
        }
    }

    /// It has come to its end, and leaves memory before others do.
    pub fn over(&mut self, key: &EntityKey) {
        if let Some(slot) = self.slots.get_mut(&Hashed::of(key)) {
            slot.over = true;
        }
    }

    fn changed(&mut self, key: &EntityKey, pseq: u64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(&Hashed::of(key))?;
        slot.pseq = pseq;
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push(key.clone());
        }
        Some(slot)
    }

    /// Rows of everything changed since the last capture. They count as unsaved until [`Entities::saved`].
    ///
    /// # Errors
    /// The entity whose state cannot be written.
    pub(crate) fn capture(&mut self, pseq: u64, rows: &mut Vec<Row>) -> Result<(), Unfit> {
        for key in &self.dirty {
            let Some(slot) = self.slots.get(&Hashed::of(key)) else { continue };
            let value = saved(slot).map_err(|e| Unfit::new(format!("state of {key}: {e}")))?;
            rows.push(Row {
                section: Section::Entity,
                key: key.to_string(),
                pseq: slot.pseq,
                value: Some(value),
            });
        }
        for key in self.dirty.drain(..) {
            let hashed = Hashed::of(&key);
            if !zoo!("known-entities-forgotten") {
                self.known.add(hashed.0);
            }
            if let Some(slot) = self.slots.get_mut(&hashed) {
                (slot.dirty, slot.saving) = (false, true);
            }
            self.saving.push(key);
        }
        self.known.drain_rows(pseq, rows);
        Ok(())
    }

    /// The captured rows are known to be stored: what has not changed since may be forgotten.
    pub fn saved(&mut self) {
        for key in std::mem::take(&mut self.saving) {
            let Some(slot) = self.slots.get_mut(&Hashed::of(&key)) else { continue };
            slot.saving = false;
            if slot.over && !slot.dirty {
                self.slots.remove(&Hashed::of(&key));
            } else if !slot.dirty && !slot.listed {
                slot.listed = true;
                self.clean.push_back(key);
            }
        }
        self.evict();
    }

    /// Lets go of what was not asked for since it was last looked at, until no more than [`CACHED`] may go.
    fn evict(&mut self) {
        while self.clean.len() > CACHED {
            let Some(key) = self.clean.pop_front() else { return };
            let hashed = Hashed::of(&key);
            let Some(slot) = self.slots.get_mut(&hashed) else { continue };
            if slot.dirty || slot.saving {
                slot.listed = false;
            } else if std::mem::take(&mut slot.used) {
                self.clean.push_back(key);
            } else {
                self.slots.remove(&hashed);
            }
        }
    }
}

/// The value of an entity's row.
fn saved(slot: &Slot) -> Result<Vec<u8>, String> {
    let version = slot.version;
    match &slot.state {
        State::Parked(Aside { why, entity, kept }) => {
            let text = entity.as_ref().and_then(|e| String::from_utf8(e.save().ok()?).ok());
            let state = text.and_then(|text| RawValue::from_string(text).ok());
            let saved = SavedEntity { version, state, parked: Some(Arc::clone(why)), kept: kept.clone() };
            serde_json::to_vec(&saved).map_err(|e| e.to_string())
        }
        State::Live(state) => {
            let state = state.save().map_err(|e| e.0.to_string())?;
            let mut value = format!("{{\"version\":{version},\"state\":").into_bytes();
            value.extend_from_slice(&state);
            value.push(b'}');
            Ok(value)
        }
    }
}
