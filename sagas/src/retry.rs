//! Back-off, attempts and duration as data. Nothing waits here; the due time of a next attempt is recorded in the
//! journal. Knows no clock and no randomness: the draw comes in as an argument.

use std::time::Duration;

/// How often and for how long something is tried again.
///
/// The n-th wait is drawn evenly from zero up to `first * 2^(n-1)`, at most `longest`: "full jitter" (Brooker,
/// "Exponential Backoff And Jitter", 2015).
///
/// ```
/// use palinode_sagas::Retry;
/// use std::time::Duration;
/// let retry = Retry::step().attempts(3).within(Duration::from_secs(30));
/// assert!(retry.wait(1, u64::MAX) <= Duration::from_millis(200));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// The most attempts; none: only the duration counts.
    pub attempts: Option<u32>,
    /// How long after the first ask a new attempt may begin.
    pub within: Duration,
    /// Upper bound of the first wait.
    pub first: Duration,
    /// Upper bound of every wait.
    pub longest: Duration,
}

/// How many attempts may be lost with their owner: a step that kills its process must not loop for ever.
pub(crate) const LOST: u32 = 3;

/// How long an attempt that nobody needs any more may take to say how it ended.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// How long a pivot that may have happened is asked again before it is in doubt.
pub(crate) const DOUBT: Duration = Duration::from_secs(60 * 60);

impl Retry {
    /// Of a step that can be taken back, or a read: 5 attempts and 2 minutes, 200 ms doubled up to 30 s.
    #[must_use]
    pub const fn step() -> Self {
        Self {
            attempts: Some(5),
            within: Duration::from_secs(120),
            first: Duration::from_millis(200),
            longest: Duration::from_secs(30),
        }
    }

    /// Of a retriable: 24 hours, 200 ms doubled up to 5 minutes.
    #[must_use]
    pub const fn retriable() -> Self {
        Self { attempts: None, within: Duration::from_secs(24 * 60 * 60), ..Self::undo() }
    }

    /// Of an undo: 1 hour, 200 ms doubled up to 5 minutes.
    #[must_use]
    pub const fn undo() -> Self {
        Self {
            attempts: None,
            within: Duration::from_secs(60 * 60),
            first: Duration::from_millis(200),
            longest: Duration::from_secs(300),
        }
    }

    /// With at most this many attempts.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// With new attempts only this long after the first ask.
    #[must_use]
    pub const fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// With these bounds of the waits between attempts.
    #[must_use]
    pub const fn waits(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first;
        self.longest = longest;
        self
    }

    /// The wait after the n-th failure (1, 2, ..), with a draw from the whole of `u64`.
    #[must_use]
    pub fn wait(&self, failures: u32, draw: u64) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        let cap = u64::try_from(doubled.min(self.longest).as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(if cap == u64::MAX { draw } else { draw % (cap + 1) })
    }

    /// Whether the budget is spent after this many attempts, when the next would begin this long after the first ask.
    #[must_use]
    pub fn spent(&self, attempts: u32, next: Duration) -> bool {
        self.attempts.is_some_and(|most| attempts >= most) || next > self.within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_stay_inside_their_bound() {
        let retry = Retry::step();
        for (failures, bound) in [(1, 200), (2, 400), (3, 800), (8, 25_600), (9, 30_000), (60, 30_000)] {
            let bound = Duration::from_millis(bound);
            let cap = u64::try_from(bound.as_micros()).unwrap();
            assert_eq!(retry.wait(failures, cap), bound, "after {failures}");
            assert_eq!(retry.wait(failures, cap + 1), Duration::ZERO, "after {failures}");
        }
    }

    #[test]
    fn a_budget_ends_by_attempts_and_by_duration() {
        let retry = Retry::step();
        assert!(!retry.spent(4, Duration::from_secs(120)));
        assert!(retry.spent(5, Duration::ZERO));
        assert!(retry.spent(1, Duration::from_secs(121)));
        assert!(!Retry::undo().spent(10_000, Duration::from_secs(3_600)));
    }
}
