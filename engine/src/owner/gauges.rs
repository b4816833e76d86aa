//! What of an owner goes up and down, as numbers that it writes and somebody beside it reads. Zero while there is no owner.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The levels of one shard; shared with who reads them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauges(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    queue: AtomicU64,
    pipeline: AtomicU64,
    relay: AtomicU64,
    held: AtomicU64,
    snapshot: AtomicU64,
}

/// The levels of a shard at one moment, or the sums of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Readings {
    /// Inputs that wait.
    pub(crate) queue: u64,
    /// Commits in flight.
    pub(crate) pipeline: u64,
    /// Messages that their receivers have not acknowledged.
    pub(crate) relay: u64,
    /// Messages held back.
    pub(crate) held: u64,
    /// Commits since the last snapshot.
    pub(crate) snapshot: u64,
}

impl Gauges {
    /// What changes with every turn.
    pub(super) fn turn(&self, queue: usize, pipeline: usize) {
        self.0.queue.store(queue as u64, Relaxed);
        self.0.pipeline.store(pipeline as u64, Relaxed);
    }

    /// What takes longer to count.
    pub(super) fn look(&self, relay: u64, held: usize, snapshot: u64) {
        self.0.relay.store(relay, Relaxed);
        self.0.held.store(held as u64, Relaxed);
        self.0.snapshot.store(snapshot, Relaxed);
    }

    /// Begins an owner's readings; they are zero again when this is dropped.
    pub(super) fn begin(&self) -> impl Drop + use<> {
        struct Zero(Gauges);
        impl Drop for Zero {
            fn drop(&mut self) {
                self.0.turn(0, 0);
                self.0.look(0, 0, 0);
            }
        }
        Zero(self.clone())
    }

    pub(crate) fn read(&self) -> Readings {
        let Numbers { queue, pipeline, relay, held, snapshot } = &*self.0;
        Readings {
            queue: queue.load(Relaxed),
            pipeline: pipeline.load(Relaxed),
            relay: relay.load(Relaxed),
            held: held.load(Relaxed),
            snapshot: snapshot.load(Relaxed),
        }
    }
}

impl Readings {
    /// Both together: the sums, and the snapshot that is the furthest behind.
    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            queue: self.queue.saturating_add(other.queue),
            pipeline: self.pipeline.saturating_add(other.pipeline),
            relay: self.relay.saturating_add(other.relay),
            held: self.held.saturating_add(other.held),
            snapshot: self.snapshot.max(other.snapshot),
        }
    }
}
