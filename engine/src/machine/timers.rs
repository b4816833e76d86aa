//! Timers of a shard's entities: data in commits, a due heap in memory, rebuilt by folding. Knows no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    address::EntityKey,
    machine::rows::{Row, Section},
    time::Micros,
};

/// One setting of a timer of an entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimerId {
    /// Whose.
    pub entity: EntityKey,
    /// What it belongs to inside the entity.
    pub node: Arc<str>,
    /// Which setting: another one is late.
    pub serial: u64,
}

/// All timers that are set.
#[derive(Debug, Default)]
pub struct Timers {
    set: BTreeMap<TimerId, Micros>,
    heap: BTreeSet<(Micros, TimerId)>,
    dirty: BTreeMap<TimerId, u64>,
}

impl Timers {
    /// Sets a timer; setting the same one again moves it.
    pub fn set(&mut self, id: TimerId, due: Micros, pseq: u64) {
        if let Some(before) = self.set.insert(id.clone(), due) {
            self.heap.remove(&(before, id.clone()));
        }
        self.dirty.insert(id.clone(), pseq);
        self.heap.insert((due, id));
    }

    /// Clears a timer, if it is set.
    pub fn clear(&mut self, id: TimerId, pseq: u64) {
        if let Some(due) = self.set.remove(&id) {
            self.heap.remove(&(due, id.clone()));
            self.dirty.insert(id, pseq);
        }
    }

    /// When this very setting is due; nothing when it is not set.
    #[must_use]
    pub fn due_at(&self, id: &TimerId) -> Option<Micros> {
        self.set.get(id).copied()
    }

    /// When the next one is due.
    #[must_use]
    pub fn next(&self) -> Option<Micros> {
        self.heap.first().map(|(due, _)| *due)
    }

    /// Those due by now, the earliest first, at most so many.
    #[must_use]
    pub fn due(&self, now: Micros, most: usize) -> Vec<TimerId> {
        self.heap.iter().take_while(|(due, _)| *due <= now).take(most).map(|(_, id)| id.clone()).collect()
    }

    /// Rows of what changed since the last call.
    pub(crate) fn drain_rows(&mut self, rows: &mut Vec<Row>) {
        for (id, pseq) in std::mem::take(&mut self.dirty) {
            let value = self.set.get(&id).and_then(|due| serde_json::to_vec(&(&id, due)).ok());
            let key = format!("{}\n{}\n{}", id.entity, id.node, id.serial);
            rows.push(Row { section: Section::Timer, key, pseq, value });
        }
    }

    /// Takes back what a snapshot wrote.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) fn restore(&mut self, value: &[u8]) -> Result<(), String> {
        let (id, due): (TimerId, Micros) =
            serde_json::from_slice(value).map_err(|e| format!("timer: {e}"))?;
        self.heap.insert((due, id.clone()));
        self.set.insert(id, due);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(serial: u64) -> TimerId {
        TimerId { entity: EntityKey::new("trip", "1"), node: "guest".into(), serial }
    }

    #[test]
    fn a_timer_set_again_moves_and_a_cleared_one_never_fires() {
        let mut timers = Timers::default();
        timers.set(id(1), Micros(10), 1);
        timers.set(id(1), Micros(20), 2);
        timers.set(id(2), Micros(15), 3);
        assert_eq!(timers.due(Micros(10), 9), vec![]);
        assert_eq!(timers.due(Micros(20), 9), vec![id(2), id(1)]);
        timers.clear(id(2), 4);
        assert_eq!(timers.due(Micros(99), 9), vec![id(1)]);
        assert_eq!((timers.due_at(&id(1)), timers.due_at(&id(2))), (Some(Micros(20)), None));
        assert_eq!(timers.next(), Some(Micros(20)));
    }

    #[test]
    fn rows_bring_back_what_is_set() {
        let mut timers = Timers::default();
        timers.set(id(1), Micros(10), 1);
        timers.set(id(2), Micros(11), 2);
        timers.clear(id(2), 3);
        let mut rows = Vec::new();
        timers.drain_rows(&mut rows);
        let mut back = Timers::default();
        for row in rows {
            if let Some(value) = row.value {
                back.restore(&value).unwrap();
            }
        }
        assert_eq!(back.due(Micros(99), 9), vec![id(1)]);
    }
}
