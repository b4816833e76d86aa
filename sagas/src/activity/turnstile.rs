//! Where attempts wait for their turn: in the order in which they came, repetitions apart from first attempts. It asks the
//! pure limits, and waits through the attempt's clock only.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::{Either, select};
use palinode::{Attempt, Clock, activity::Traffic, entity::AttemptOutcome};
use tokio::sync::Notify;

use crate::limit::{
    Ending, LOOK, Limits, Turn,
    participant::{Participant, Ticket},
};

/// The way to one participant.
#[derive(Debug)]
pub(super) struct Turnstile {
    limits: Limits,
    participant: Mutex<Participant>,
    /// A call has ended.
    changed: Notify,
    /// Only the first of each lane asks: first attempts, and repetitions, which have a budget of their own.
    lanes: [tokio::sync::Mutex<()>; 2],
    waiting: AtomicUsize,
}

/// A call under way. Dropped without an end it was abandoned.
pub(super) struct Pass {
    turnstile: Arc<Turnstile>,
    clock: Arc<dyn Clock>,
    ticket: Ticket,
    ending: Ending,
}

/// Why an attempt did not begin.
pub(super) struct Refused {
    /// For people.
    pub(super) why: &'static str,
    /// The limit that was reached, if it was one: for metrics.
    pub(super) limit: Option<&'static str>,
}

/// Counts one that waits.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Turnstile {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            participant: Mutex::new(Participant::new(&limits)),
            changed: Notify::new(),
            lanes: [tokio::sync::Mutex::new(()), tokio::sync::Mutex::new(())],
            waiting: AtomicUsize::new(0),
        })
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.lock().traffic(self.waiting.load(Ordering::Acquire))
    }

    /// Waits for its turn, as long as somebody waits for the attempt and its budget lasts. `Err` says why it did not
    /// begin: then it certainly did not happen.
    pub(super) async fn enter(self: &Arc<Self>, attempt: &Attempt) -> Result<Pass, Refused> {
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waits = Waits(&self.waiting);
        if before >= self.limits.waiting {
            let why = "too many attempts wait for this participant already";
            return Err(Refused { why, limit: Some(self.limit(attempt)) });
        }
        let turn = std::pin::pin!(self.turn(attempt));
        let cancelled = std::pin::pin!(attempt.cancel.cancelled());
        let late = attempt.clock.wait_until(attempt.begin_by);
        match select(turn, select(cancelled, late)).await {
            Either::Left((pass, _)) => Ok(pass),
            Either::Right((Either::Left(_), _)) => {
                Err(Refused { why: "nobody waits for it any more", limit: None })
            }
            Either::Right((Either::Right(_), _)) => Err(Refused {
                why: "its turn did not come within the budget of its step: the participant is busy or out of order",
                limit: Some(self.limit(attempt)),
            }),
        }
    }

    /// The limit that is in an attempt's way; that of those who wait before it, when it is none of its own.
    fn limit(&self, attempt: &Attempt) -> &'static str {
        let held = self.lock().held_by(attempt.clock.now(), is_retry(attempt));
        held.map_or("bulkhead", |(_, limit)| limit)
    }

    async fn turn(self: &Arc<Self>, attempt: &Attempt) -> Pass {
        let retry = is_retry(attempt);
        let [first, again] = &self.lanes;
        let _in_front = if retry { again } else { first }.lock().await;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let now = attempt.clock.now();
            let turn = match self.lock().begin(now, retry) {
                Ok(ticket) => return self.pass(attempt, ticket),
                Err(turn) => turn,
            };
            // A clock that is set back must not make the wait longer.
            let until = match turn {
                Turn::At(until) => until.min(now.plus(LOOK)),
                Turn::Now | Turn::Later => now.plus(LOOK),
            };
            select(changed, attempt.clock.wait_until(until)).await;
        }
    }

    fn pass(self: &Arc<Self>, attempt: &Attempt, ticket: Ticket) -> Pass {
        let clock = Arc::clone(&attempt.clock);
        Pass { turnstile: Arc::clone(self), clock, ticket, ending: Ending::Abandoned }
    }

    fn lock(&self) -> MutexGuard<'_, Participant> {
        self.participant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_retry(attempt: &Attempt) -> bool {
    attempt.attempt > 1 || attempt.round > 1
}

impl Pass {
    /// The call has ended like this.
    pub(super) fn end(mut self, outcome: &AttemptOutcome) {
        self.ending = match outcome {
            AttemptOutcome::Done(_) | AttemptOutcome::Refused { .. } | AttemptOutcome::Fatal(_) => {
                Ending::Answered
            }
            AttemptOutcome::Transient(_) | AttemptOutcome::Unknown(_) => Ending::Failed,
            AttemptOutcome::Lost => Ending::Abandoned,
        };
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.turnstile.lock().end(self.ticket, self.clock.now(), self.ending);
        self.turnstile.changed.notify_waiters();
    }
}
