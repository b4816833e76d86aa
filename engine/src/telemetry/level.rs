//! What goes up and down and is asked for: levels, told by whoever has them at the time they are asked for.

use std::time::Duration;

use crate::measure::{Instrument, Measured};

/// A level of a service, over all its shards here when nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Level<'a> {
    /// Shards that there are, whoever owns them.
    Shards(u64),
    /// Shards owned here.
    Owned(u64),
    /// Inputs that wait.
    Queue(u64),
    /// Commits in flight.
    Pipeline(u64),
    /// Messages that their receivers have not acknowledged.
    Relay(u64),
    /// Messages held back because something is missing before them.
    Held(u64),
    /// Commits that the snapshot is behind, of the shard where it is the most.
    Snapshot(u64),
    /// How far a projection is behind in a shard.
    Behind {
        /// Its name.
        projection: &'a str,
        /// The shard.
        shard: u32,
        /// So many records.
        events: u64,
        /// So much time.
        time: Duration,
    },
    /// Keys that a projection has parked.
    Parked {
        /// Its name.
        projection: &'a str,
        /// So many.
        keys: u64,
    },
    /// How far a projection has been built, from 0 to 1.
    Rebuilt {
        /// Its name.
        projection: &'a str,
        /// This part of the log.
        done: f64,
    },
    /// What something above the engine measures.
    Measured(&'a Measured),
}

/// Who has levels. Asked now and then, from any thread; must not block.
pub trait Levels: Send + Sync {
    /// The gauges that it tells [`Level::Measured`] of.
    fn instruments(&self) -> &'static [&'static Instrument] {
        &[]
    }

    /// Tells each of its levels with its service.
    fn levels(&self, tell: &mut dyn FnMut(&str, &Level<'_>));
}
