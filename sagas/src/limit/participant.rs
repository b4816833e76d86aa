//! All limits of one participant together: whether a call may begin, and what its end says. Time comes in as an argument.

use palinode::{
    Micros,
    activity::{Circuit as Shown, Traffic},
};

use super::{
    Ending, Limits, Turn,
    breaker::{Circuit, State},
    rate::Pace,
    retries::Retries,
};

/// What is known of the calls of one participant.
#[derive(Debug)]
pub(crate) struct Participant {
    most: usize,
    running: usize,
    pace: Option<Pace>,
    circuit: Option<Circuit>,
    retries: Option<Retries>,
}

/// What the end of a call is reported with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    era: u64,
}

impl Participant {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            most: limits.running.max(1),
            running: 0,
            pace: limits.rate.map(Pace::new),
            circuit: limits.breaker.map(Circuit::new),
            retries: limits.retries.map(Retries::new),
        }
    }

    /// Begins a call, or says when it is worth asking again.
    pub(crate) fn begin(&mut self, now: Micros, retry: bool) -> Result<Ticket, Turn> {
        if let Some((turn, _)) = self.held_by(now, retry) {
            return Err(turn);
        }
        self.running += 1;
        if let Some(pace) = &mut self.pace {
            pace.begin(now);
        }
        if let Some(retries) = &mut self.retries {
            retries.begin(now, retry);
        }
        Ok(Ticket { era: self.circuit.as_mut().map_or(0, Circuit::begin) })
    }

    /// Until when a call has to wait, and the limit that lets it wait the longest.
    pub(crate) fn held_by(&self, now: Micros, retry: bool) -> Option<(Turn, &'static str)> {
        let turns = [
            (if self.running < self.most { Turn::Now } else { Turn::Later }, "bulkhead"),
            (self.pace.as_ref().map_or(Turn::Now, |pace| pace.turn(now)), "rate"),
            (self.circuit.as_ref().map_or(Turn::Now, |circuit| circuit.turn(now)), "breaker"),
            (self.retries.as_ref().map_or(Turn::Now, |retries| retries.turn(now, retry)), "budget"),
        ];
        turns.into_iter().max_by_key(|(turn, _)| *turn).filter(|(turn, _)| *turn != Turn::Now)
    }

    /// A call has ended.
    pub(crate) fn end(&mut self, ticket: Ticket, now: Micros, ending: Ending) {
        self.running = self.running.saturating_sub(1);
        if let Some(circuit) = &mut self.circuit {
            circuit.end(ticket.era, now, ending);
        }
    }

    /// What there is to see, with so many that wait.
    pub(crate) fn traffic(&self, waiting: usize) -> Traffic {
        let circuit = match self.circuit.as_ref().map(|circuit| (circuit, circuit.state())) {
            None => Shown::Unwatched,
            Some((_, State::Closed(_))) => Shown::Closed,
            Some((circuit, State::Open { since })) => Shown::Open { until: circuit.reopens(*since) },
            Some((_, State::Probing { .. })) => Shown::Probing,
        };
        Traffic { waiting, running: self.running, circuit }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limit::{Breaker, Rate};

    fn at(ms: i64) -> Micros {
        Micros(ms * 1_000)
    }

    #[test]
    fn a_call_begins_when_every_limit_lets_it() {
        let rate = Rate { calls: 1, per: Duration::from_secs(1) };
        let breaker = Breaker { calls: 1, ..Breaker::default() };
        let limits = Limits { running: 1, rate: Some(rate), breaker: Some(breaker), ..Limits::default() };
        let mut bank = Participant::new(&limits);

        let first = bank.begin(at(0), false).unwrap();
        assert_eq!(bank.begin(at(0), false).unwrap_err(), Turn::Later, "one runs");
        bank.end(first, at(10), Ending::Answered);
        assert_eq!(bank.begin(at(10), false).unwrap_err(), Turn::At(at(1_000)), "one a second");
        let second = bank.begin(at(1_000), false).unwrap();
        bank.end(second, at(1_100), Ending::Failed);
        assert_eq!(bank.begin(at(2_000), false).unwrap_err(), Turn::At(at(11_100)), "half of them failed");
        let shown = Traffic { waiting: 3, running: 0, circuit: Shown::Open { until: at(11_100) } };
        assert_eq!(bank.traffic(3), shown);
        let probe = bank.begin(at(11_100), false).unwrap();
        assert_eq!(bank.traffic(0), Traffic { waiting: 0, running: 1, circuit: Shown::Probing });
        bank.end(probe, at(11_200), Ending::Answered);
        assert_eq!(bank.traffic(0).circuit, Shown::Closed);
    }

    #[test]
    fn what_did_not_begin_is_not_counted() {
        let rate = Rate { calls: 1, per: Duration::from_secs(1) };
        let mut bank = Participant::new(&Limits { rate: Some(rate), ..Limits::default() });
        bank.begin(at(0), false).unwrap();
        for ms in 1..1_000 {
            assert_eq!(bank.begin(at(ms), false).unwrap_err(), Turn::At(at(1_000)));
        }
        assert!(bank.begin(at(1_000), false).is_ok());
    }
}
