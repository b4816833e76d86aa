//! What a participant is spared: how much runs at once, how much begins in a while, when it is left alone, how much is
//! repeated. Decisions over the time and what was recorded; nothing waits here.

use std::time::Duration;

use palinode::Micros;

mod breaker;
pub(crate) mod participant;
mod rate;
mod retries;
mod window;

pub use self::{breaker::Breaker, rate::Rate, retries::RetryBudget};

/// The limits of one participant in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Attempts that run at a time.
    pub running: usize,
    /// Attempts that wait for their turn.
    pub waiting: usize,
    /// Attempts that begin in a while; none: as many as come.
    pub rate: Option<Rate>,
    /// When it is left alone; none: never.
    pub breaker: Option<Breaker>,
    /// How many attempts may be repetitions; none: all.
    pub retries: Option<RetryBudget>,
}

impl Default for Limits {
    /// 64 run and 16 384 wait; no rate; the defaults of the breaker and of the retry budget.
    fn default() -> Self {
        Self {
            running: 64,
            waiting: 16_384,
            rate: None,
            breaker: Some(Breaker::default()),
            retries: Some(RetryBudget::default()),
        }
    }
}

/// When a call may begin. Of several limits the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    Now,
    /// Worth asking again at this time.
    At(Micros),
    /// Worth asking again when another call has ended.
    Later,
}

/// What the end of a call says of its participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It answered, be it with a refusal.
    Answered,
    /// It did not, or not in time.
    Failed,
    /// Nobody waited for the end.
    Abandoned,
}

/// The longest that an attempt waits without looking again.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
