//! Attempts of activities under way. Each was asked for by a commit that had just been proven when it began; all of them
//! end with their owner, and the next one reports them as lost.

use futures_util::{FutureExt, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use super::{
    spans::{Run, running},
    *,
};
use crate::{
    activity::Attempt,
    address::Address,
    commit::RunRef,
    entity::{ActivityResult, AttemptOutcome, RunRequest, panicked},
    machine::{input::run_id, runs::RunId},
};

/// The attempts of one owner.
#[derive(Default)]
pub(super) struct Running {
    tasks: FuturesUnordered<BoxFuture<'static, (EntityKey, ActivityResult)>>,
    cancels: BTreeMap<RunId, CancellationToken>,
}

/// Ends the task when its owner ends.
struct Abort(tokio::task::AbortHandle);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    /// Begins an attempt.
    pub(super) fn start(
        &mut self,
        place: &Place,
        ports: &Ports,
        entity: EntityKey,
        run: RunRequest,
        (time, version): (Micros, u64),
    ) {
        let RunRequest { key, round, attempt, activity, request, begin_by, parent } = run;
        let cancel = CancellationToken::new();
        let id = run_id(&entity, &RunRef { key: Arc::clone(&key), round, attempt });
        self.cancels.insert(id, cancel.clone());
        let effect = Arc::clone(&key);
        let result = move |outcome| ActivityResult { key: effect, round, attempt, outcome };
        let Some(performer) = place.performers.get(&activity) else {
            let why = format!("nothing in service {:?} performs {activity:?}", place.me.service);
            let fatal = result(AttemptOutcome::Fatal(why.into()));
            self.tasks.push(Box::pin(async move { (entity, fatal) }));
            return;
        };
        let address =
            Address::new(Arc::clone(&place.me.service), Arc::clone(&entity.kind), Arc::clone(&entity.id));
        let own = parent.map(|parent| running(parent, version, &key, round, attempt));
        let cx = Attempt {
            entity: address,
            key: Arc::clone(&key),
            round,
            attempt,
            time,
            begin_by,
            clock: Arc::clone(&ports.clock),
            cancel,
            traceparent: own.map(|own| own.traceparent()),
            telemetry: ports.telemetry.clone(),
        };
        let seen = parent.zip(own).map(|(parent, context)| Run {
            service: Arc::clone(&place.me.service),
            shard: place.me.shard,
            activity: Arc::clone(&activity),
            entity: entity.clone(),
            context,
            parent,
            start: ports.clock.now().max(time),
        });
        let work = std::panic::AssertUnwindSafe(performer(request, cx)).catch_unwind();
        let task = tokio::spawn(work);
        let (service, ports, begun) = (Arc::clone(&place.me.service), ports.clone(), ports.clock.now());
        let shard = place.me.shard;
        let abort = Abort(task.abort_handle());
        self.tasks.push(Box::pin(async move {
            let _abort = abort;
            let (outcome, panics) = match task.await {
                Ok(Ok(outcome)) => (outcome, false),
                Ok(Err(panic)) => {
                    (AttemptOutcome::Unknown(panicked("the activity", &*panic).into()), true)
                }
                Err(_) => (AttemptOutcome::Unknown("the attempt was ended".into()), false),
            };
            if let AttemptOutcome::Unknown(why) | AttemptOutcome::Fatal(why) = &outcome
                && (panics || matches!(outcome, AttemptOutcome::Fatal(_)))
            {
                tracing::error!(
                    %service, shard, %entity, %activity, round, attempt,
                    trace_id = own.map(|own| field::display(own.trace)),
                    span_id = own.map(|own| field::display(own.span)), %why, "an attempt broke, or needs a person"
                );
            }
            ports.telemetry.fact(&service, || Fact::Ran {
                activity: &activity,
                outcome: outcome.word(),
                took: ports.clock.now().since(begun),
            });
            let result = result(outcome);
            if let Some(run) = seen {
                run.ended(&ports.telemetry, ports.clock.now(), &result);
            }
            (entity, result)
        }));
    }

    /// Tells an attempt that nobody waits for it.
    pub(super) fn stop(&mut self, entity: &EntityKey, run: &RunRef) {
        if let Some(cancel) = self.cancels.get(&run_id(entity, run)) {
            cancel.cancel();
        }
    }

    /// The next one that ends; never, while none is under way.
    pub(super) async fn next(&mut self) -> (EntityKey, ActivityResult) {
        match self.tasks.next().await {
            Some((entity, result)) => {
                let run =
                    RunRef { key: Arc::clone(&result.key), round: result.round, attempt: result.attempt };
                self.cancels.remove(&run_id(&entity, &run));
                (entity, result)
            }
            None => std::future::pending().await,
        }
    }
}

impl Owner<'_> {
    /// What an earlier owner began and never recorded the outcome of.
    pub(super) async fn lost_runs(&mut self) -> Result<(), Exit> {
        let lost: Vec<Taking> = self
            .machine
            .runs()
            .iter()
            .filter(|_| !zoo!("lost-attempts-not-reported"))
            .map(|id| {
                let result = ActivityResult {
                    key: Arc::clone(&id.key),
                    round: id.round,
                    attempt: id.attempt,
                    outcome: AttemptOutcome::Lost,
                };
                (Input::Activity { entity: id.entity.clone(), result }, None)
            })
            .collect();
        for chunk in lost.chunks(self.limits.pipeline.max(1)) {
            let inputs = chunk.iter().map(|(input, _)| (input.clone(), None)).collect();
            self.take(inputs).await?;
            self.drain().await?;
        }
        Ok(())
    }
}
