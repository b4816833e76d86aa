//! The runtime's time as a time of day: under a paused runtime whatever waits for the clock waits no real time.

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{clock::Clock, time::Micros};

/// Shows a day in November 2023 when it is made, and from then on what the runtime's time adds to it.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeClock(Instant);

impl RuntimeClock {
    /// Begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl Clock for RuntimeClock {
    fn now(&self) -> Micros {
        Micros(1_700_000_000_000_000).plus(self.0.elapsed())
    }

    async fn wait_until(&self, until: Micros) {
        tokio::time::sleep(until.since(self.now())).await;
    }
}
