//! Attempts and the limits of their participant: they wait for their turn, and only so long as their step's budget lasts.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use palinode::{
    Address, Attempt, Failure, ManualClock, Micros, Perform,
    activity::{Circuit, Performer, Traffic},
    entity::AttemptOutcome,
};
use palinode_sagas::{Breaker, Policy, RetryBudget, activity::performer_with};
use serde_json::value::to_raw_value;

use crate::world::Pay;

/// A bank that answers what it was given, in order; then it does not answer.
#[derive(Clone, Default)]
struct Bank(Arc<Mutex<VecDeque<Result<String, Failure>>>>);

impl Perform<Pay> for Bank {
    async fn perform(&self, _: &Pay, _: &Attempt) -> Result<String, Failure> {
        let answer = self.0.lock().unwrap().pop_front();
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

/// A bank under a policy, and the clock that both go by.
struct World {
    bank: Bank,
    policy: Policy,
    performer: Performer,
    clock: ManualClock,
}

impl World {
    fn new(policy: Policy) -> Self {
        let bank = Bank::default();
        let performer = performer_with::<Pay, _>(bank.clone(), policy.clone());
        Self { bank, policy, performer, clock: ManualClock::at(Micros(0)) }
    }

    fn answers(&self, answers: impl IntoIterator<Item = Result<String, Failure>>) {
        self.bank.0.lock().unwrap().extend(answers);
    }

    /// An attempt of this number, whose step has 2 minutes.
    fn attempt(&self, attempt: u32) -> BoxFuture<'static, AttemptOutcome> {
        let attempt = Attempt {
            entity: Address::new("trip", "book-trip", "one"),
            key: "pay/do".into(),
            round: 1,
            attempt,
            time: Micros(0),
            begin_by: Micros(120_000_000),
            clock: Arc::new(self.clock.clone()),
            cancel: tokio_util::sync::CancellationToken::new(),
            traceparent: None,
            telemetry: palinode::telemetry::Telemetry::default(),
        };
        (self.performer)(to_raw_value(&Pay { trip: "one".into() }).unwrap(), attempt)
    }

    /// Lets time pass, second by second, and looks at the attempt after each.
    async fn pass(
        &self,
        seconds: u64,
        attempt: &mut BoxFuture<'static, AttemptOutcome>,
    ) -> Option<AttemptOutcome> {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            if let Some(outcome) = attempt.now_or_never() {
                return Some(outcome);
            }
        }
        None
    }

    fn traffic(&self) -> (usize, usize, Circuit) {
        let Traffic { waiting, running, circuit } = self.policy.traffic();
        (waiting, running, circuit)
    }
}

fn done() -> Result<String, Failure> {
    Ok("receipt".into())
}

fn down() -> Result<String, Failure> {
    Err(Failure::Transient("no connection".into()))
}

#[tokio::test]
async fn above_the_rate_attempts_wait_and_none_fails() {
    let world = World::new(Policy::default().rate(2, Duration::from_secs(1)));
    world.answers([done(), done(), done(), done(), done()]);
    let mut five: Vec<_> = (0..5).map(|_| world.attempt(1)).collect();

    let mut begun = Vec::new();
    for _ in 0..4 {
        five.retain_mut(|attempt| attempt.now_or_never().is_none());
        begun.push(5 - five.len());
        world.clock.advance(Duration::from_secs(1));
    }

    assert_eq!(begun, [2, 4, 5, 5]);
}

#[tokio::test]
async fn in_an_outage_a_step_waits_and_its_attempts_are_not_used_up() {
    let world = World::new(Policy::default());
    world.answers((0..20).map(|_| down()));
    for _ in 0..20 {
        assert!(matches!(world.attempt(1).await, AttemptOutcome::Transient(_)));
    }
    assert_eq!(world.traffic(), (0, 0, Circuit::Open { until: Micros(10_000_000) }));

    // While it lasts, one attempt waits, and each probe of another fails.
    let mut waits = world.attempt(2);
    assert!((&mut waits).now_or_never().is_none());
    assert_eq!(world.traffic().0, 1);
    assert!(world.pass(9, &mut waits).await.is_none());

    // When the participant is back, it is the probe, and closes the circuit.
    world.answers([done()]);
    let outcome = world.pass(2, &mut waits).await;
    assert!(matches!(outcome, Some(AttemptOutcome::Done(_))), "{outcome:?}");
    assert_eq!(world.traffic(), (0, 0, Circuit::Closed));
}

#[tokio::test]
async fn one_at_a_time_probes() {
    let world = World::new(Policy::default().breaker(Breaker { calls: 1, ..Breaker::default() }));
    world.answers([down()]);
    assert!(matches!(world.attempt(1).await, AttemptOutcome::Transient(_)));
    world.clock.advance(Duration::from_secs(10));

    let (mut probe, mut other) = (world.attempt(1), world.attempt(1));
    assert!((&mut probe).now_or_never().is_none());
    assert!((&mut other).now_or_never().is_none());
    assert_eq!(world.traffic(), (1, 1, Circuit::Probing));

    // The probe does not answer in time: open again, and the other waits on.
    assert!(matches!(world.pass(10, &mut probe).await, Some(AttemptOutcome::Unknown(_))));
    assert!((&mut other).now_or_never().is_none());
    assert_eq!(world.traffic(), (1, 0, Circuit::Open { until: Micros(30_000_000) }));

    // It is the next to try.
    world.answers([done()]);
    assert!(matches!(world.pass(11, &mut other).await, Some(AttemptOutcome::Done(_))));
    assert_eq!(world.traffic(), (0, 0, Circuit::Closed));
}

#[tokio::test]
async fn a_probe_that_is_dropped_makes_room_for_another() {
    let world = World::new(Policy::default().breaker(Breaker { calls: 1, ..Breaker::default() }));
    world.answers([down()]);
    assert!(matches!(world.attempt(1).await, AttemptOutcome::Transient(_)));
    world.clock.advance(Duration::from_secs(10));
    let (mut probe, mut other) = (world.attempt(1), world.attempt(1));
    assert!((&mut probe).now_or_never().is_none());
    assert!((&mut other).now_or_never().is_none());

    drop(probe);

    world.answers([done()]);
    assert!(matches!(other.now_or_never(), Some(AttemptOutcome::Done(_))));
}

#[tokio::test]
async fn when_the_budget_of_its_step_ends_a_waiting_attempt_certainly_did_not_happen() {
    let world = World::new(Policy::default().bulkhead(1).timeout(Duration::from_secs(3_600)));
    let (mut first, mut second) = (world.attempt(1), world.attempt(1));
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());

    assert!(world.pass(119, &mut second).await.is_none());
    let outcome = world.pass(1, &mut second).await;

    let Some(AttemptOutcome::Transient(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("budget of its step"), "{why}");
    assert_eq!(world.traffic(), (0, 1, Circuit::Closed));
}

#[tokio::test]
async fn refusals_are_answers_and_open_nothing() {
    let world = World::new(Policy::default());
    world.answers((0..100).map(|_| Err(Failure::refused("declined", "no money"))));
    for _ in 0..100 {
        assert!(matches!(world.attempt(1).await, AttemptOutcome::Refused { .. }));
    }
    assert_eq!(world.traffic().2, Circuit::Closed);
}

#[tokio::test]
async fn repetitions_wait_for_their_budget_and_first_attempts_go_by() {
    let budget = RetryBudget { percent: 20, window: Duration::from_secs(10), reserve: 1 };
    let world = World::new(Policy::default().retry_budget(budget));
    world.answers((0..4).map(|_| done()));
    assert!(matches!(world.attempt(2).await, AttemptOutcome::Done(_)));
    let mut again = world.attempt(2);
    assert!((&mut again).now_or_never().is_none());
    assert!(matches!(world.attempt(1).now_or_never(), Some(AttemptOutcome::Done(_))));
    assert_eq!(world.traffic(), (1, 0, Circuit::Closed));

    let outcome = world.pass(11, &mut again).await;

    assert!(matches!(outcome, Some(AttemptOutcome::Done(_))), "{outcome:?}");
}

#[tokio::test]
async fn the_queue_has_an_end() {
    let world = World::new(Policy::default().bulkhead(1).waiting(1));
    let (mut runs, mut waits) = (world.attempt(1), world.attempt(1));
    assert!((&mut runs).now_or_never().is_none());
    assert!((&mut waits).now_or_never().is_none());

    let outcome = world.attempt(1).now_or_never();

    let Some(AttemptOutcome::Transient(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("too many"), "{why}");
}
