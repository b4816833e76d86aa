//! The world's time, which is the runtime's paused time, and the clocks of nodes, which may be wrong. Knows no node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use palinode::{Clock, Micros};
use tokio::{sync::Notify, time::Instant};

/// When every world begins.
pub(crate) const BEGIN: Micros = Micros(1_700_000_000_000_000);

/// The true time.
#[derive(Clone, Copy)]
pub(crate) struct Time(Instant);

impl Time {
    pub(crate) fn begin() -> Self {
        Self(Instant::now())
    }

    /// How long the world is there.
    pub(crate) fn passed(&self) -> Duration {
        self.0.elapsed()
    }

    pub(crate) fn now(&self) -> Micros {
        BEGIN.plus(self.passed())
    }

    /// Waits until the world is so old.
    pub(crate) async fn reach(&self, at: Duration) {
        tokio::time::sleep_until(self.0 + at).await;
    }
}

/// A clock that may be wrong: by so much, or standing still.
#[derive(Clone)]
pub(crate) struct NodeClock(Arc<Inner>);

struct Inner {
    time: Time,
    wrong_by: AtomicI64,
    frozen: AtomicBool,
    frozen_at: AtomicI64,
    moved: Notify,
}

impl NodeClock {
    pub(crate) fn right(time: Time) -> Self {
        Self(Arc::new(Inner {
            time,
            wrong_by: AtomicI64::new(0),
            frozen: AtomicBool::new(false),
            frozen_at: AtomicI64::new(0),
            moved: Notify::new(),
        }))
    }

    /// Sets by how many microseconds it is wrong, and lets it go.
    pub(crate) fn set_wrong_by(&self, micros: i64) {
        self.0.wrong_by.store(micros, Ordering::SeqCst);
        self.0.frozen.store(false, Ordering::SeqCst);
        self.0.moved.notify_waiters();
    }

    /// Stops it.
    pub(crate) fn freeze(&self) {
        self.0.frozen_at.store(self.now().0, Ordering::SeqCst);
        self.0.frozen.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for NodeClock {
    fn now(&self) -> Micros {
        if self.0.frozen.load(Ordering::SeqCst) {
            return Micros(self.0.frozen_at.load(Ordering::SeqCst));
        }
        Micros(self.0.time.now().0.saturating_add(self.0.wrong_by.load(Ordering::SeqCst)))
    }

    async fn wait_until(&self, until: Micros) {
        loop {
            let moved = self.0.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            let now = self.now();
            if now >= until {
                return;
            }
            // A clock that stands still wakes nobody until it is set right.
            let left = until.since(now).min(Duration::from_secs(86_400));
            tokio::select! {
                biased;
                () = &mut moved => {}
                () = tokio::time::sleep(left), if !self.0.frozen.load(Ordering::SeqCst) => {}
            }
        }
    }

    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}
