//! So many calls in a while, and not one more. Time comes in as an argument.

use std::{collections::VecDeque, time::Duration};

use palinode::Micros;

use super::Turn;

/// At most so many calls begin in any stretch of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls, at least one.
    pub calls: u32,
    /// The stretch.
    pub per: Duration,
}

/// When the latest calls began.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    rate: Rate,
    starts: VecDeque<Micros>,
}

impl Pace {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, starts: VecDeque::new() }
    }

    pub(crate) fn turn(&self, now: Micros) -> Turn {
        let mut late = self.starts.iter().filter(|start| self.counts(**start, now));
        let oldest = late.next();
        let more = usize::try_from(self.rate.calls.max(1)).unwrap_or(usize::MAX);
        match oldest {
            Some(oldest) if late.count() + 1 >= more => Turn::At(oldest.plus(self.rate.per)),
            _ => Turn::Now,
        }
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, now: Micros) {
        let per = self.rate.per;
        self.starts.retain(|start| *start <= now && now.since(*start) < per);
        self.starts.push_back(now);
    }

    fn counts(&self, start: Micros, now: Micros) -> bool {
        start <= now && now.since(start) < self.rate.per
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Micros {
        Micros(ms * 1_000)
    }

    #[test]
    fn no_stretch_has_more_calls_than_the_rate() {
        let mut pace = Pace::new(Rate { calls: 2, per: Duration::from_secs(1) });
        for (ms, turn) in [
            (0, Turn::Now),
            (100, Turn::Now),
            (100, Turn::At(at(1_000))),
            (999, Turn::At(at(1_000))),
            (1_000, Turn::Now),
            (1_000, Turn::At(at(1_100))),
            (1_100, Turn::Now),
            (50_000, Turn::Now),
            // A clock that went back begins anew.
            (10, Turn::Now),
        ] {
            assert_eq!(pace.turn(at(ms)), turn, "at {ms} ms");
            if turn == Turn::Now {
                pace.begin(at(ms));
            }
        }
        assert!(pace.starts.len() <= 2);
    }

    #[test]
    fn a_rate_of_none_is_a_rate_of_one() {
        let mut pace = Pace::new(Rate { calls: 0, per: Duration::from_secs(1) });
        assert_eq!(pace.turn(at(0)), Turn::Now);
        pace.begin(at(0));
        assert_eq!(pace.turn(at(0)), Turn::At(at(1_000)));
    }
}
