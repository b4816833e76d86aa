//! The circuit breaker: after too many failures of late nobody calls for a while; then one at a time tries. Time comes in
//! as an argument.
//!
//! | state | on | next |
//! |---|---|---|
//! | closed | an end, and of at least `calls` in the window `percent` failed | open |
//! | open | `pause` has passed, and a call begins: the probe | probing |
//! | probing | the probe is answered | closed, with nothing counted |
//! | probing | the probe fails | open |
//! | probing | the probe is abandoned | open, and another may probe at once |
//! | any | the end of a call that began in an earlier state | the same |

use std::time::Duration;

use palinode::Micros;

use super::{Ending, Turn, window::Window};

/// When a participant is taken to be out of order, and for how long it is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// So many of a hundred calls failed: transient or unknown. A refusal is an answer.
    pub percent: u32,
    /// Of at least so many calls.
    pub calls: u32,
    /// Within this time.
    pub window: Duration,
    /// How long nobody calls then.
    pub pause: Duration,
}

impl Default for Breaker {
    /// 50 of a hundred, of at least 20, within 10 seconds; then a pause of 10 seconds.
    fn default() -> Self {
        Self { percent: 50, calls: 20, window: Duration::from_secs(10), pause: Duration::from_secs(10) }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum State {
    Closed(Window),
    Open { since: Micros },
    Probing { since: Micros },
}

/// The state of one participant's breaker.
#[derive(Debug, Clone)]
pub(crate) struct Circuit {
    breaker: Breaker,
    state: State,
    /// Rises with each change: an end counts only in the state in which its call began.
    era: u64,
}

impl Circuit {
    pub(crate) fn new(breaker: Breaker) -> Self {
        Self { breaker, state: State::Closed(Window::new(breaker.window)), era: 0 }
    }

    pub(crate) fn turn(&self, now: Micros) -> Turn {
        match self.state {
            State::Closed(_) => Turn::Now,
            // A clock that went back does not make the pause longer.
            State::Open { since } if now < since || now >= self.reopens(since) => Turn::Now,
            State::Open { since } => Turn::At(self.reopens(since)),
            State::Probing { .. } => Turn::Later,
        }
    }

    /// A call begins; what its end is to be reported with.
    pub(crate) fn begin(&mut self) -> u64 {
        if let State::Open { since } = self.state {
            self.change(State::Probing { since });
        }
        self.era
    }

    /// A call that began in this era has ended.
    pub(crate) fn end(&mut self, era: u64, now: Micros, ending: Ending) {
        if era != self.era {
            return;
        }
        match (&mut self.state, ending) {
            (State::Closed(window), Ending::Answered | Ending::Failed) => {
                window.add(now, ending == Ending::Failed);
                let (all, failed) = window.counts(now);
                let enough = all >= u64::from(self.breaker.calls.max(1));
                if enough && failed > 0 && failed * 100 >= all * u64::from(self.breaker.percent) {
                    self.change(State::Open { since: now });
                }
            }
            (State::Probing { .. }, Ending::Answered) => {
                self.change(State::Closed(Window::new(self.breaker.window)));
            }
            (State::Probing { .. }, Ending::Failed) => self.change(State::Open { since: now }),
            (State::Probing { since }, Ending::Abandoned) => {
                let since = *since;
                self.change(State::Open { since });
            }
            (State::Closed(_), Ending::Abandoned) | (State::Open { .. }, _) => {}
        }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// When a probe may follow a pause that began then.
    pub(crate) fn reopens(&self, since: Micros) -> Micros {
        since.plus(self.breaker.pause)
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Micros {
        Micros(ms * 1_000)
    }

    /// A circuit after these ends, all at this moment.
    fn after(answered: u32, failed: u32, ms: i64) -> Circuit {
        let mut circuit = Circuit::new(Breaker::default());
        let ends = (0..answered).map(|_| Ending::Answered).chain((0..failed).map(|_| Ending::Failed));
        for ending in ends {
            let era = circuit.begin();
            circuit.end(era, at(ms), ending);
        }
        circuit
    }

    #[test]
    fn it_opens_when_half_of_at_least_twenty_failed() {
        for (answered, failed, turn) in [
            (0, 19, Turn::Now),
            (10, 9, Turn::Now),
            (11, 9, Turn::Now),
            (10, 10, Turn::At(at(10_000))),
            (0, 20, Turn::At(at(10_000))),
            (1_000, 999, Turn::Now),
            (1_000, 1_000, Turn::At(at(10_000))),
        ] {
            assert_eq!(after(answered, failed, 0).turn(at(1)), turn, "{answered} answered, {failed} failed");
        }
    }

    #[test]
    fn failures_of_long_ago_do_not_count() {
        let mut circuit = after(0, 19, 0);
        let era = circuit.begin();
        circuit.end(era, at(10_000), Ending::Failed);
        assert_eq!(circuit.turn(at(10_000)), Turn::Now);
    }

    #[test]
    fn after_the_pause_one_at_a_time_tries() {
        for (ending, turn) in [
            (Ending::Answered, Turn::Now),
            (Ending::Failed, Turn::At(at(22_000))),
            (Ending::Abandoned, Turn::Now),
        ] {
            let mut circuit = after(0, 20, 0);
            assert_eq!(circuit.turn(at(9_999)), Turn::At(at(10_000)));
            assert_eq!(circuit.turn(at(10_000)), Turn::Now);
            let probe = circuit.begin();
            assert_eq!(circuit.turn(at(11_000)), Turn::Later, "while the probe is under way");
            circuit.end(probe, at(12_000), ending);
            assert_eq!(circuit.turn(at(12_000)), turn, "after {ending:?}");
        }
    }

    #[test]
    fn an_answer_to_the_probe_forgets_what_was() {
        let mut circuit = after(0, 20, 0);
        let probe = circuit.begin();
        circuit.end(probe, at(10_000), Ending::Answered);
        let era = circuit.begin();
        circuit.end(era, at(10_001), Ending::Failed);
        assert_eq!(circuit.turn(at(10_001)), Turn::Now);
    }

    #[test]
    fn the_end_of_a_call_from_before_says_nothing_of_now() {
        let mut circuit = after(10, 9, 0);
        let (slow, slower, last) = (circuit.begin(), circuit.begin(), circuit.begin());
        circuit.end(last, at(0), Ending::Failed);
        circuit.end(slow, at(1), Ending::Answered);
        assert_eq!(circuit.turn(at(2)), Turn::At(at(10_000)), "it stays open");
        let probe = circuit.begin();
        circuit.end(slower, at(10_001), Ending::Failed);
        assert_eq!(circuit.turn(at(10_001)), Turn::Later, "the probe decides");
        circuit.end(probe, at(10_002), Ending::Answered);
        assert_eq!(circuit.turn(at(10_002)), Turn::Now);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_keep_it_open() {
        assert_eq!(after(0, 20, 5_000).turn(at(1)), Turn::Now);
    }
}
