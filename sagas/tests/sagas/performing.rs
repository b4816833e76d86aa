//! Attempts as they are run: timeout, panic, bulkhead, cancel. The other limits are in `limits.rs`.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use palinode::{
    Address, Attempt, Failure, ManualClock, Micros, Perform, activity::Performer, entity::AttemptOutcome,
};
use palinode_sagas::activity::{Policy, performer_with};
use tokio::sync::Notify;

use crate::world::Pay;

/// A bank that answers when it is told to; for the trip "boom" it panics.
#[derive(Clone, Default)]
struct Bank {
    open: Arc<Notify>,
}

impl Perform<Pay> for Bank {
    async fn perform(&self, pay: &Pay, _: &Attempt) -> Result<String, Failure> {
        assert_ne!(&*pay.trip, "boom", "the bank is on fire");
        self.open.notified().await;
        Ok("receipt".into())
    }
}

fn attempt(clock: &ManualClock) -> Attempt {
    Attempt {
        entity: Address::new("trip", "book-trip", "one"),
        key: "pay/do".into(),
        round: 1,
        attempt: 1,
        time: Micros(1),
        begin_by: Micros(i64::MAX),
        clock: Arc::new(clock.clone()),
        cancel: tokio_util::sync::CancellationToken::new(),
        traceparent: None,
        telemetry: palinode::telemetry::Telemetry::default(),
    }
}

fn request(trip: &str) -> Box<serde_json::value::RawValue> {
    serde_json::value::to_raw_value(&Pay { trip: trip.into() }).unwrap()
}

fn bank(policy: Policy) -> (Bank, Performer) {
    let bank = Bank::default();
    (bank.clone(), performer_with::<Pay, _>(bank, policy))
}

#[tokio::test]
async fn an_attempt_without_an_outcome_in_time_is_unknown() {
    let clock = ManualClock::at(Micros(0));
    let (_, perform) = bank(Policy::default().timeout(Duration::from_secs(3)));
    let mut run = perform(request("one"), attempt(&clock));
    assert!((&mut run).now_or_never().is_none());
    clock.advance(Duration::from_secs(3));
    assert!(matches!(run.await, AttemptOutcome::Unknown(why) if why.contains("3.000 s")));
}

#[tokio::test]
async fn a_panicking_activity_is_unknown() {
    let (_, perform) = bank(Policy::default());
    let outcome = perform(request("boom"), attempt(&ManualClock::default())).await;
    assert!(matches!(outcome, AttemptOutcome::Unknown(why) if why.contains("on fire")));
}

#[tokio::test]
async fn a_request_of_another_shape_needs_a_person() {
    let (_, perform) = bank(Policy::default());
    let request = serde_json::value::to_raw_value("not a payment").unwrap();
    assert!(matches!(perform(request, attempt(&ManualClock::default())).await, AttemptOutcome::Fatal(_)));
}

#[tokio::test]
async fn waiting_for_the_bulkhead_does_not_use_up_the_timeout() {
    let clock = ManualClock::at(Micros(0));
    let (bank, perform) = bank(Policy::default().timeout(Duration::from_secs(3)).bulkhead(1));
    let mut first = perform(request("one"), attempt(&clock));
    let mut second = perform(request("two"), attempt(&clock));
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    clock.advance(Duration::from_secs(3));
    assert!(matches!(first.await, AttemptOutcome::Unknown(_)));
    bank.open.notify_one();
    assert!(matches!(second.await, AttemptOutcome::Done(_)));
}

#[tokio::test]
async fn activities_of_one_participant_share_its_bulkhead() {
    let policy = Policy::default().bulkhead(1);
    let (_, one) = bank(policy.clone());
    let (bank, other) = bank(policy.timeout(Duration::from_secs(60)));
    let mut first = one(request("one"), attempt(&ManualClock::default()));
    assert!((&mut first).now_or_never().is_none());
    bank.open.notify_one();
    let mut second = other(request("two"), attempt(&ManualClock::default()));
    assert!((&mut second).now_or_never().is_none(), "it has to wait for the first");
    drop(first);
    assert!(matches!(second.await, AttemptOutcome::Done(_)));
}

#[tokio::test]
async fn an_attempt_nobody_waits_for_does_not_begin() {
    let (_, perform) = bank(Policy::default().bulkhead(1));
    let mut first = perform(request("one"), attempt(&ManualClock::default()));
    assert!((&mut first).now_or_never().is_none());
    let late = attempt(&ManualClock::default());
    let cancel = late.cancel.clone();
    let mut second = perform(request("two"), late);
    assert!((&mut second).now_or_never().is_none());
    cancel.cancel();
    assert!(matches!(second.await, AttemptOutcome::Transient(_)), "it certainly did not happen");
}
