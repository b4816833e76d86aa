//! Running activities: the attempt's timeout, the limits of the participant, panics. What an outcome means to a saga
//! is the coordinator's business; here an attempt only gets one of the six outcomes, whatever the user code does.

mod turnstile;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::Either};
use palinode::{
    Activity, Address, Attempt, Perform,
    activity::{Performer, Traffic, performer},
    entity::{AttemptOutcome, panicked},
    telemetry::{Fact, SpanContext},
};
use tracing::field;

use self::turnstile::{Refused, Turnstile};
use crate::limit::{Breaker, Limits, Rate, RetryBudget};

/// How attempts of an activity are run.
///
/// Activities of one participant share its limits by cloning the policy after the limits are set.
///
/// ```
/// use palinode_sagas::Policy;
/// use std::time::Duration;
/// let payment = Policy::default().timeout(Duration::from_secs(3)).bulkhead(8).rate(50, Duration::from_secs(1));
/// let same_participant = payment.clone().timeout(Duration::from_secs(30));
/// # let _ = same_participant;
/// ```
#[derive(Debug, Clone)]
pub struct Policy {
    timeout: Duration,
    turnstile: Arc<Turnstile>,
}

impl Default for Policy {
    /// 10 seconds an attempt; the limits are those of [`Limits::default`].
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), turnstile: Turnstile::new(Limits::default()) }
    }
}

impl Policy {
    /// How long an attempt may take. After that its future is dropped, and its outcome is unknown.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many attempts may run at a time in this process. The others wait, and their timeout does not run meanwhile.
    #[must_use]
    pub fn bulkhead(self, attempts: usize) -> Self {
        self.limited(|limits| limits.running = attempts.max(1))
    }

    /// How many attempts may wait for their turn. Those beyond are not begun and count as transient.
    #[must_use]
    pub fn waiting(self, attempts: usize) -> Self {
        self.limited(|limits| limits.waiting = attempts.max(1))
    }

    /// At most so many attempts begin in any such stretch of time, in this process. The others wait.
    #[must_use]
    pub fn rate(self, calls: u32, per: Duration) -> Self {
        self.limited(|limits| limits.rate = Some(Rate { calls, per }))
    }

    /// When the participant is left alone, because too many attempts failed; `None`: never. Attempts wait meanwhile, within
    /// the budget of their step.
    #[must_use]
    pub fn breaker(self, breaker: impl Into<Option<Breaker>>) -> Self {
        self.limited(|limits| limits.breaker = breaker.into())
    }

    /// How many attempts may be repetitions; `None`: all. The others wait.
    #[must_use]
    pub fn retry_budget(self, budget: impl Into<Option<RetryBudget>>) -> Self {
        self.limited(|limits| limits.retries = budget.into())
    }

    /// What waits and runs under this policy and its clones, and how the participant's breaker stands.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.turnstile.traffic()
    }

    fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = self.turnstile.limits();
        change(&mut limits);
        self.turnstile = Turnstile::new(limits);
        self
    }
}

/// What carries out an activity under a policy, its types erased.
pub fn performer_with<A: Activity, P: Perform<A>>(provider: P, policy: Policy) -> Performer {
    let bare = performer::<A, P>(Arc::new(provider));
    Arc::new(move |request, attempt| {
        let (bare, policy) = (Arc::clone(&bare), policy.clone());
        Box::pin(async move {
            let pass = match policy.turnstile.enter(&attempt).await {
                Ok(pass) => pass,
                Err(Refused { why, limit }) => {
                    if let Some(reason) = limit {
                        let Attempt { telemetry, entity, .. } = &attempt;
                        telemetry.fact(&entity.service, || Fact::NotRun { activity: A::NAME, reason });
                    }
                    return AttemptOutcome::Transient(why.into());
                }
            };
            let outcome = within(policy.timeout, &attempt, bare(request, attempt.clone())).await;
            pass.end(&outcome);
            outcome
        })
    })
}

async fn within(
    timeout: Duration,
    attempt: &Attempt,
    run: impl Future<Output = AttemptOutcome>,
) -> AttemptOutcome {
    let run = std::pin::pin!(AssertUnwindSafe(run).catch_unwind());
    let late = attempt.clock.pass(timeout);
    match futures_util::future::select(run, late).await {
        Either::Left((Ok(outcome), _)) => outcome,
        Either::Left((Err(panic), _)) => {
            let why = panicked("the activity", &*panic);
            say_broken(attempt, &why);
            AttemptOutcome::Unknown(why.into())
        }
        Either::Right(_) => {
            AttemptOutcome::Unknown(format!("no outcome within {:.3} s", timeout.as_secs_f64()).into())
        }
    }
}

/// Logs that the code of an activity broke, with the trace that its saga is seen in.
fn say_broken(attempt: &Attempt, why: &str) {
    let Attempt { entity: Address { service, kind, id }, key, round, attempt, traceparent, .. } = attempt;
    let of = traceparent.as_ref().and_then(|said| said.parse::<SpanContext>().ok());
    tracing::error!(
        %service, saga = %kind, saga_id = %id, %key, round, attempt,
        trace_id = of.map(|of| field::display(of.trace)), span_id = of.map(|of| field::display(of.span)),
        why, "an activity broke"
    );
}
