//! The records of one append and what was reported of each. The append is told once: when the last of them was delivered,
//! or when the first was not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::super::lane::Lane;
use crate::log::{Append, LogError};

/// One append.
pub(super) struct Batch {
    /// Where it goes.
    pub(super) lane: Arc<Lane>,
    state: Mutex<State>,
}

struct State {
    offsets: Vec<Option<u64>>,
    left: usize,
    over: bool,
    answer: Option<oneshot::Sender<Append>>,
}

impl Batch {
    pub(super) fn new(lane: Arc<Lane>, records: usize) -> (Arc<Self>, oneshot::Receiver<Append>) {
        let (answer, outcome) = oneshot::channel();
        let state = State { offsets: vec![None; records], left: records, over: false, answer: Some(answer) };
        (Arc::new(Self { lane, state: Mutex::new(state) }), outcome)
    }

    /// A record was delivered. An offset below zero is none: the driver has not been told it.
    pub(super) fn landed(&self, nth: usize, offset: i64) {
        let offset = u64::try_from(offset).ok();
        if let Some(offset) = offset {
            self.lane.delivers(offset.saturating_add(1));
        }
        let mut state = self.state();
        if let Some(place) = state.offsets.get_mut(nth) {
            *place = offset;
        }
        state.left = state.left.saturating_sub(1);
        if state.left == 0 {
            let offsets = std::mem::take(&mut state.offsets);
            state.tell(Append::Appended(offsets));
        }
    }

    /// A record was queued and not delivered: an earlier attempt may have landed all the same.
    pub(super) fn failed(&self, why: &str) {
        let what = format!("{}: {why}", self.lane);
        self.state().tell(Append::Unknown(LogError::retry(what)));
    }

    /// A record could not be queued: none of those behind it is.
    pub(super) fn end(&self, append: Append) {
        let mut state = self.state();
        state.over = true;
        state.tell(append);
    }

    /// Whether no more of its records may be queued.
    pub(super) fn is_over(&self) -> bool {
        self.state().over
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self, append: Append) {
        if let Some(answer) = self.answer.take() {
            // Nobody needs to wait for it.
            drop(answer.send(append));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::kafka::lane::Served;

    fn batch(records: usize) -> (Arc<Batch>, oneshot::Receiver<Append>) {
        let genesis = crate::commit::Genesis {
            log_id: uuid::Uuid::nil(),
            service: "hotel".into(),
            partitions: 1,
            format: 1,
        };
        let settings = super::super::KafkaSettings::new("localhost:9092");
        let served = Served::new(&settings, genesis);
        let lane = served.lane(crate::address::Stream::Events, 0).unwrap().unwrap();
        Batch::new(lane, records)
    }

    #[test]
    fn a_batch_is_appended_when_every_record_is() {
        let (batch, mut outcome) = batch(3);
        batch.landed(1, 8);
        batch.landed(0, 7);
        assert!(outcome.try_recv().is_err());
        batch.landed(2, 9);
        assert_eq!(outcome.try_recv(), Ok(Append::Appended(vec![Some(7), Some(8), Some(9)])));
        assert_eq!(batch.lane.reached(), 10);
    }

    #[test]
    fn an_offset_that_is_none_is_not_known() {
        let (batch, mut outcome) = batch(3);
        for (nth, offset) in [-1001, -1, 0].into_iter().enumerate() {
            batch.landed(nth, offset);
        }
        assert_eq!(outcome.try_recv(), Ok(Append::Appended(vec![None, None, Some(0)])));
    }

    #[test]
    fn one_that_failed_makes_all_of_it_unknown_once() {
        let (batch, mut outcome) = batch(2);
        batch.landed(0, 4);
        batch.failed("Message timed out");
        batch.landed(1, 5);
        let Ok(Append::Unknown(error)) = outcome.try_recv() else { panic!("it is not known") };
        assert!(error.what.contains("hotel.events/0: Message timed out"), "{error}");
    }
}
