//! The shard's state as snapshot rows, and back.

use serde::{Deserialize, Serialize};

use super::{Machine, channels::Counters};
use crate::{
    entity::Unfit,
    machine::rows::{Head, Row, Save, Section},
    position::Position,
    time::Micros,
};

#[derive(Serialize, Deserialize)]
struct ShardState {
    time: Micros,
    horizon: Micros,
    low: u64,
    channels: Counters,
    /// How many filters of known entities there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known: Option<usize>,
}

impl Machine {
    /// Everything that changed since the last capture, as the next snapshot. The whole state must be effective.
    ///
    /// # Errors
    /// When an entity's state cannot be written: no snapshot is taken.
    pub fn capture(&mut self, position: Position) -> Result<Save, Unfit> {
        let mut rows = Vec::new();
        self.entities.capture(self.head.pseq, &mut rows)?;
        let state = ShardState {
            time: self.head.time,
            horizon: self.ids.horizon(),
            low: self.low.recorded,
            channels: self.channels.counters(),
            known: self.entities.known.count(),
        };
        let shard_state = serde_json::to_string(&state).map_err(|e| Unfit::new(e.to_string()))?;
        self.ids.drain_rows(self.head.pseq, &mut rows);
        if !zoo!("timers-not-in-the-snapshot") {
            self.timers.drain_rows(&mut rows);
        }
        self.runs.drain_rows(&mut rows);
        self.channels.drain_rows(self.head.pseq, &mut rows);
        Ok(Save { head: Head { position, shard_state }, rows })
    }

    /// The captured snapshot is known to be stored.
    pub fn captured(&mut self) {
        self.entities.saved();
    }

    /// Takes a snapshot into a machine to which nothing has happened.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn restore(&mut self, head: &Head, rows: &[Row]) -> Result<(), String> {
        let state: ShardState =
            serde_json::from_str(&head.shard_state).map_err(|e| format!("state of the shard: {e}"))?;
        self.head.pseq = head.position.pseq;
        self.head.digest = head.position.digest;
        self.head.term = head.position.term;
        self.head.claim_id = head.position.claim_id;
        self.head.time = state.time;
        self.low.recorded = state.low;
        self.low.next = state.low;
        self.channels.restore(state.channels);
        self.ids.restore_horizon(state.horizon);
        for row in rows {
            let Some(value) = &row.value else { continue };
            match row.section {
                Section::Entity => {}
                Section::Id if zoo!("ids-forgotten") => {}
                Section::Id => self.ids.restore(&row.key, value)?,
                Section::Timer => self.timers.restore(value)?,
                Section::Send if zoo!("open-sends-forgotten") => {}
                Section::Run if zoo!("attempts-forgotten") => {}
                Section::Send => self.channels.restore_open(row.pseq, value)?,
                Section::Run => self.runs.restore(value)?,
                Section::Known => self.entities.known.restore(&row.key, value)?,
            }
        }
        self.entities.known.restored(state.known);
        Ok(())
    }
}
