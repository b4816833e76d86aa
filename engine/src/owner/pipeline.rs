//! Commits in flight, in the order of their numbers, and which of them are proven. A commit is proven when its offset is
//! exactly one more than that of the last proven record, or when it was read and counts; reports are taken in order only,
//! and matched by the numbers of their commits.

use std::{collections::VecDeque, ops::RangeInclusive, time::Duration};

use crate::{
    digest::Digest,
    log::Append,
    machine::{Stepped, fold::Fold},
    owner::waiter::Waiter,
    receipt::Told,
    time::Micros,
};

/// A commit in flight and who waits for it.
pub(crate) struct Flight {
    /// When it went in flight.
    pub(crate) sent: Micros,
    /// How late the timer was that it is the firing of, when somebody wants to know.
    pub(crate) late: Option<Duration>,
    pub(crate) stepped: Box<Stepped>,
    pub(crate) digest: Digest,
    /// Where its input lies in the inbox, when it came that way.
    pub(crate) offset: Option<u64>,
    pub(crate) waiters: Vec<Waiter>,
    /// Answers of other inputs that are true only if this commit is effective.
    pub(crate) behind: Vec<(Waiter, Told)>,
}

/// What a report proves.
pub(crate) enum Report {
    /// These, at these offsets, in order.
    Proven(Vec<(Flight, u64)>),
    /// These; and the next ones, up to this number, landed where adjacency cannot tell: read.
    Read {
        /// What was proven before the gap.
        proven: Vec<(Flight, u64)>,
        /// The last number the report covers.
        upto: u64,
        /// Where the first of them landed, when the report says so.
        landed: Option<u64>,
    },
    /// It may or may not have landed: everything in flight is dropped and the shard is claimed anew.
    Lost(crate::log::LogError),
}

/// The pipeline of one owner under one claim.
pub(crate) struct Pipeline {
    fold: Fold,
    flights: VecDeque<Flight>,
}

impl Pipeline {
    /// Empty, after the owner's own claim, which was read.
    pub(crate) fn new(fold: Fold) -> Self {
        Self { fold, flights: VecDeque::new() }
    }

    /// The fold after the last proven record.
    pub(crate) fn fold(&mut self) -> &mut Fold {
        &mut self.fold
    }

    /// How many are in flight.
    pub(crate) fn len(&self) -> usize {
        self.flights.len()
    }

    /// Whether nothing is in flight.
    pub(crate) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// One more.
    pub(crate) fn push(&mut self, flight: Flight) {
        self.flights.push_back(flight);
    }

    /// The commit of this number, if it is in flight.
    pub(crate) fn find(&mut self, pseq: u64) -> Option<&mut Flight> {
        let first = self.flights.front()?.stepped.commit.pseq;
        let index = usize::try_from(pseq.checked_sub(first)?).ok()?;
        self.flights.get_mut(index)
    }

    /// Tells everybody who waits that nothing was done: never true of what is not known.
    #[cfg(feature = "zoo")]
    pub(crate) fn refuse_all(&mut self) {
        let text: std::sync::Arc<str> = "it failed".into();
        for waiter in self.flights.iter_mut().flat_map(|flight| flight.waiters.drain(..)) {
            waiter.tell(Told::Invalid(crate::receipt::Invalid::Bug { text: std::sync::Arc::clone(&text) }));
        }
    }

    #[cfg(not(feature = "zoo"))]
    pub(crate) fn refuse_all(&mut self) {}

    /// The records of everything in flight.
    #[cfg(feature = "zoo")]
    pub(crate) fn again(&self, wall: Micros) -> Vec<crate::Record> {
        let record = |f: &Flight| {
            crate::Record::ours(std::sync::Arc::clone(&f.stepped.key), f.stepped.value.clone(), wall)
        };
        self.flights.iter().map(record).collect()
    }

    /// The last one that went in flight.
    pub(crate) fn last(&mut self) -> Option<&mut Flight> {
        self.flights.back_mut()
    }

    /// The next one to be proven.
    pub(crate) fn front(&self) -> Option<&Flight> {
        self.flights.front()
    }

    /// The front one was read at this offset and counts.
    pub(crate) fn pop(&mut self) -> Option<Flight> {
        self.flights.pop_front()
    }

    /// Takes the report on the commits of these numbers. Some of them may have been proven by reading already.
    pub(crate) fn report(&mut self, batch: RangeInclusive<u64>, report: Append) -> Report {
        let offsets = match report {
            Append::Appended(offsets) => offsets,
            Append::Refused(error) | Append::Unknown(error) => return Report::Lost(error),
        };
        let upto = *batch.end();
        let mut proven = Vec::with_capacity(offsets.len());
        for (nth, pseq) in batch.enumerate() {
            let Some(flight) = self.flights.front() else { break };
            if flight.stepped.commit.pseq != pseq {
                continue;
            }
            let digest = flight.digest;
            let landed = offsets.get(nth).copied().flatten();
            match landed {
                Some(offset) if self.fold.adjacent(offset, pseq, digest) => {
                    proven.extend(self.flights.pop_front().map(|flight| (flight, offset)));
                }
                _ => return Report::Read { proven, upto, landed },
            }
        }
        Report::Proven(proven)
    }
}
