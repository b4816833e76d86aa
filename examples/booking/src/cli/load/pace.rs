//! When the next trip is due. An open loop: a server that is slow is asked no more seldom, so its queues show.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use palinode::{Clock, Micros, SystemClock};

/// Numbers trips, as many a second as wanted.
pub(super) struct Pace {
    began: Micros,
    rate: Option<u32>,
    next: AtomicU64,
}

impl Pace {
    /// From now on; without a rate every number is due at once.
    pub(super) fn new(began: Micros, rate: Option<u32>) -> Self {
        Self { began, rate, next: AtomicU64::new(0) }
    }

    /// The next number, when it is due; none when that is not before `until`.
    pub(super) async fn next(&self, until: Micros) -> Option<u64> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.due(n);
        if due >= until || SystemClock.now() >= until {
            return None;
        }
        SystemClock.wait_until(due).await;
        Some(n)
    }

    fn due(&self, n: u64) -> Micros {
        let Some(rate) = self.rate else { return self.began };
        self.began.plus(Duration::from_micros(n.saturating_mul(1_000_000) / u64::from(rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trips_are_due_one_after_the_other() {
        let pace = |rate| Pace::new(Micros(7), rate);
        assert_eq!((pace(Some(4)).due(0), pace(Some(4)).due(6)), (Micros(7), Micros(1_500_007)));
        assert_eq!(pace(None).due(1_000), Micros(7));
    }
}
