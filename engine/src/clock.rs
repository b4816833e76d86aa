//! The only way to the time of day and to waiting, and the only way to fresh ids.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::time::Micros;

/// Tells the time and waits.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Micros;

    /// Returns when the time of day is `until` or later.
    async fn wait_until(&self, until: Micros);

    /// Lets a span pass. Setting the time of day neither lengthens nor shortens it, where the clock can tell.
    async fn pass(&self, span: Duration) {
        self.wait_until(self.now().plus(span)).await;
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Micros {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Micros(0).plus(since.unwrap_or(Duration::ZERO))
    }

    async fn wait_until(&self, until: Micros) {
        loop {
            let left = until.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.max(Duration::from_millis(1))).await;
        }
    }

    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// A clock that stands still until it is moved: for tests.
#[derive(Debug, Clone, Default)]
pub struct ManualClock(Arc<Manual>);

#[derive(Debug, Default)]
struct Manual {
    now: AtomicI64,
    moved: Notify,
}

impl ManualClock {
    /// A clock that shows this time.
    #[must_use]
    pub fn at(now: Micros) -> Self {
        let clock = Self::default();
        clock.set(now);
        clock
    }

    /// Moves it forward and wakes whoever waits.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Sets it, forward or back, and wakes whoever waits.
    pub fn set(&self, now: Micros) {
        self.0.now.store(now.0, Ordering::SeqCst);
        self.0.moved.notify_waiters();
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Micros {
        Micros(self.0.now.load(Ordering::SeqCst))
    }

    async fn wait_until(&self, until: Micros) {
        loop {
            let moved = self.0.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if self.now() >= until {
                return;
            }
            moved.await;
        }
    }
}

/// Fresh ids at the edge. Inside the pure rooms ids are derived.
pub trait Ids: Send + Sync + 'static {
    /// An id that no other call ever returned, born at this time (UUIDv7, RFC 9562).
    fn fresh(&self, now: Micros) -> Uuid;
}

/// Ids from a generator for secrets that is seeded by the operating system again and again: asking the system for each
/// is a call into the kernel for each command. A process must not fork without starting another program.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl Ids for SystemIds {
    fn fresh(&self, now: Micros) -> Uuid {
        let nanos = u32::try_from(now.0.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
        let seconds = u64::try_from(now.0.div_euclid(1_000_000)).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
    }
}

/// Ids from a counter, the same in every run: for tests and simulation.
#[derive(Debug, Default)]
pub struct CountedIds(AtomicU64);

impl CountedIds {
    /// Begins at a number, so that several counters never meet.
    #[must_use]
    pub fn starting_at(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }
}

impl Ids for CountedIds {
    fn fresh(&self, now: Micros) -> Uuid {
        let n = self.0.fetch_add(1, Ordering::SeqCst);
        let millis = u64::try_from(now.0.div_euclid(1_000)).unwrap_or(0);
        let mut random = [0; 10];
        random.iter_mut().skip(2).zip(n.to_be_bytes()).for_each(|(to, from)| *to = from);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}
