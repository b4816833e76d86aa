//! Running activities: the attempt's timeout, the bulkhead of the participant, panics. What an outcome means to a saga
//! is the coordinator's business; here an attempt only gets one of the six outcomes, whatever the user code does.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::Either};
use palinode::{
    Activity, Attempt, Perform,
    activity::{Performer, performer},
    entity::{AttemptOutcome, panicked},
};
use tokio::sync::Semaphore;

/// How attempts of an activity are run.
///
/// Activities of one participant share its bulkhead by cloning the policy.
///
/// ```
/// use palinode_sagas::Policy;
/// use std::time::Duration;
/// let payment = Policy::default().timeout(Duration::from_secs(3)).bulkhead(8);
/// let same_participant = payment.clone().timeout(Duration::from_secs(30));
/// # let _ = same_participant;
/// ```
#[derive(Debug, Clone)]
pub struct Policy {
    timeout: Duration,
    bulkhead: Arc<Semaphore>,
}

impl Default for Policy {
    /// 10 seconds an attempt, 64 attempts at a time.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), bulkhead: Arc::new(Semaphore::new(64)) }
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
    pub fn bulkhead(mut self, attempts: usize) -> Self {
        self.bulkhead = Arc::new(Semaphore::new(attempts.clamp(1, Semaphore::MAX_PERMITS)));
        self
    }
}

/// What carries out an activity under a policy, its types erased.
pub fn performer_with<A: Activity, P: Perform<A>>(provider: P, policy: Policy) -> Performer {
    let bare = performer::<A, P>(Arc::new(provider));
    Arc::new(move |request, attempt| {
        let (bare, policy) = (Arc::clone(&bare), policy.clone());
        Box::pin(async move {
            let cancelled = std::pin::pin!(attempt.cancel.cancelled());
            let entered = std::pin::pin!(policy.bulkhead.acquire());
            let permit = match futures_util::future::select(entered, cancelled).await {
                Either::Left((Ok(permit), _)) => permit,
                Either::Left((Err(_), _)) => {
                    return AttemptOutcome::Transient("the bulkhead is closed".into());
                }
                Either::Right(_) => return AttemptOutcome::Transient("nobody waits for it any more".into()),
            };
            let outcome = within(policy.timeout, &attempt, bare(request, attempt.clone())).await;
            drop(permit);
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
        Either::Left((Err(panic), _)) => AttemptOutcome::Unknown(panicked("the activity", &*panic).into()),
        Either::Right(_) => {
            AttemptOutcome::Unknown(format!("no outcome within {:.3} s", timeout.as_secs_f64()).into())
        }
    }
}
