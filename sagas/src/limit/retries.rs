//! The retry budget: of the calls of late only a part may be repetitions, so that a participant in trouble is not buried
//! under them. Time comes in as an argument.

use std::time::Duration;

use palinode::Micros;

use super::{Turn, window::Window};

/// How many of the calls may be repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// So many of a hundred calls.
    pub percent: u32,
    /// Within this time.
    pub window: Duration,
    /// So many more in each window, so that few calls can be repeated too.
    pub reserve: u32,
}

impl Default for RetryBudget {
    /// 20 of a hundred within 10 seconds, and 10 a second more: the numbers of Finagle's `RetryBudget`. With few new calls
    /// the reserve is all there is: what an outage has left over is repeated at that rate.
    fn default() -> Self {
        Self { percent: 20, window: Duration::from_secs(10), reserve: 100 }
    }
}

/// The calls of late, and how many of them were repetitions.
#[derive(Debug, Clone)]
pub(crate) struct Retries {
    budget: RetryBudget,
    calls: Window,
}

impl Retries {
    pub(crate) fn new(budget: RetryBudget) -> Self {
        Self { budget, calls: Window::new(budget.window) }
    }

    pub(crate) fn turn(&self, now: Micros, retry: bool) -> Turn {
        let (all, retries) = self.calls.counts(now);
        // As if it had begun.
        let allowed = u64::from(self.budget.reserve) + (all + 1) * u64::from(self.budget.percent) / 100;
        if !retry || retries < allowed {
            return Turn::Now;
        }
        // A budget of nothing lets one go when nothing else did.
        self.calls.leaves(now).map_or(Turn::Now, Turn::At)
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, now: Micros, retry: bool) {
        self.calls.add(now, retry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Micros {
        Micros(ms * 1_000)
    }

    fn after(first: u32, again: u32, budget: RetryBudget) -> Retries {
        let mut retries = Retries::new(budget);
        (0..first).for_each(|_| retries.begin(at(0), false));
        (0..again).for_each(|_| retries.begin(at(0), true));
        retries
    }

    #[test]
    fn repetitions_are_a_part_of_the_calls_and_a_reserve() {
        let (budget, none) = (RetryBudget::default(), RetryBudget { reserve: 0, ..RetryBudget::default() });
        let full = Turn::At(at(10_000));
        for (first, again, budget, turn) in [
            (0, 99, budget, Turn::Now),
            (0, 126, budget, full),
            (80, 144, budget, Turn::Now),
            (80, 145, budget, full),
            (0, 0, none, Turn::Now),
            (80, 19, none, Turn::Now),
            (80, 20, none, full),
        ] {
            let retries = after(first, again, budget);
            assert_eq!(retries.turn(at(1), true), turn, "{first} calls, {again} again, {budget:?}");
            assert_eq!(retries.turn(at(1), false), Turn::Now, "a first call never waits");
        }
    }

    #[test]
    fn the_budget_comes_back_when_the_window_has_passed() {
        let retries = after(0, 126, RetryBudget::default());
        assert_eq!(retries.turn(at(9_999), true), Turn::At(at(10_000)));
        assert_eq!(retries.turn(at(10_000), true), Turn::Now);
    }
}
