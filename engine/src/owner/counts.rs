//! What the owners of a node count, for people.

use std::sync::atomic::{AtomicU64, Ordering};

/// Sums over all shards of a node.
#[derive(Debug, Default)]
pub struct Counts {
    pub(super) commits: AtomicU64,
    dead: AtomicU64,
    pub(super) snapshots: AtomicU64,
}

impl Counts {
    /// Commits that became effective.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Records met that do not count.
    #[must_use]
    pub fn dead_records(&self) -> u64 {
        self.dead.load(Ordering::Relaxed)
    }

    /// Snapshots stored.
    #[must_use]
    pub fn snapshots(&self) -> u64 {
        self.snapshots.load(Ordering::Relaxed)
    }

    pub(super) fn dead(&self) {
        self.dead.fetch_add(1, Ordering::Relaxed);
    }
}
