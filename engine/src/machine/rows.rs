//! A snapshot as data: what the machine gives away and takes back. Where it is kept is the port's
//! (`snapshots.rs`).

use crate::position::Position;

/// A row of a snapshot: a piece of a shard's state under a section and a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which part of the state.
    pub section: Section,
    /// The key inside the section.
    pub key: String,
    /// Number of the commit that last changed it.
    pub pseq: u64,
    /// The state, as JSON (bits for [`Section::Known`]); `None` removes the row.
    pub value: Option<Vec<u8>>,
}

/// The parts of a shard's state that are kept row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// States of entities; loaded one by one when they are needed.
    Entity,
    /// Ids of clients inside the window.
    Id,
    /// Timers.
    Timer,
    /// Sends not yet known to be safe at their receiver.
    Send,
    /// Attempts of activities whose outcome is not recorded.
    Run,
    /// Which entities may have a row.
    Known,
}

impl Section {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Entity, Self::Id, Self::Timer, Self::Send, Self::Run, Self::Known];

    /// The section stored under this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.name() == name)
    }

    /// The name it is stored under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Id => "id",
            Self::Timer => "timer",
            Self::Send => "send",
            Self::Run => "run",
            Self::Known => "known",
        }
    }
}

/// What a snapshot begins with: where it stands, and the small part of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The last record that counted.
    pub position: Position,
    /// Counters of the channels, horizon, last time, as JSON.
    pub shard_state: String,
}

/// A change from one snapshot to the next.
#[derive(Debug, Clone)]
pub struct Save {
    /// The new head.
    pub head: Head,
    /// All rows that changed since the base; of two rows with one key the last one counts.
    pub rows: Vec<Row>,
}
