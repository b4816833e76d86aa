//! What a runner tells of itself: where it is, that it waits and for what, why it stops.

use std::sync::Arc;

use futures_util::FutureExt;

use super::{
    Projection, Source,
    footing::Footing,
    runner::{BACKOFF, POLL, Runner},
};
use crate::{
    address::Topic,
    checkpoint::{ApplyError, Checkpoint, Class, Key, ReadDb, State, Transacted},
    position::Position,
    telemetry::{Fact, Query},
    time::Micros,
    trace::{
        Span, SpanContext, SpanId, SpanKind, Status, TraceId,
        names::{key, role, span, value},
    },
};

/// Checkpoint and rows, in one transaction.
const BATCH: Query = Query::batch("palinode_checkpoint");

/// What went wrong with a transaction: a word of few.
fn wrong(end: &Transacted<()>) -> Option<&'static str> {
    match end {
        Transacted::Committed(()) => None,
        Transacted::RolledBack(e) => Some(e.class.word()),
        Transacted::Unknown(_) => Some("unknown"),
    }
}

impl<D: ReadDb, P: Projection<D>> Runner<D, P> {
    pub(super) async fn idle(&mut self) {
        self.backoff = BACKOFF.0;
        self.caught_up();
        self.tell(State::Live);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.tail.changed() => {}
            () = self.asks.wait() => {}
            () = self.source.clock.pass(POLL) => {}
        }
    }

    /// Nobody is answered by somebody who waits for an outage to end.
    pub(super) async fn back_off(&mut self, e: ApplyError) {
        let Key { projection, service, shard, .. } = &self.key;
        if e.class == Class::Superseded {
            tracing::info!(%projection, %service, shard, "another process wrote the rows of a shard: whose it is now is looked at");
        } else {
            tracing::warn!(%projection, %service, shard, error = %e, "a projection waits and tries again");
        }
        self.tell(State::Retrying { why: Arc::clone(&e.what) });
        let clock = Arc::clone(&self.source.clock);
        let mut pause = clock.pass(self.backoff);
        self.backoff = self.backoff.saturating_mul(2).min(BACKOFF.1);
        loop {
            while let Some(ask) = self.asks.next() {
                ask.refuse(&e);
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = &mut pause => return,
                () = self.asks.wait() => {}
            }
        }
    }

    /// Stops for good, and says so in the checkpoint too, if the database lets us.
    pub(super) async fn give_up(&self, e: ApplyError) {
        let Key { projection, service, shard, .. } = &self.key;
        tracing::error!(%projection, %service, shard, error = %e, "a projection stopped");
        if let Some(epoch) = self.epoch {
            let (key, state) = (self.key.clone(), format!("stopped: {e}"));
            let marked = self
                .db
                .transact(Box::new(move |tx| async move { D::mark(tx, &key, epoch, &state).await }.boxed()));
            if let Transacted::RolledBack(e) | Transacted::Unknown(e) = marked.await {
                tracing::warn!(%projection, %service, shard, error = %e, "the reason is not in the checkpoint");
            }
        }
        self.tell(State::Stopped { why: e.what });
    }

    pub(super) fn tell(&self, state: State) {
        self.status.tell(|status| {
            let news = status.state != state;
            status.state = state;
            news
        });
    }

    /// A batch of so many events was written, or not.
    pub(super) fn tell_batch(&self, end: &Transacted<()>, events: usize, begun: Micros) {
        let Source { telemetry, service, clock, .. } = &self.source;
        let result = match end {
            Transacted::Committed(()) => "written",
            Transacted::RolledBack(_) => "refused",
            Transacted::Unknown(_) => "unknown",
        };
        if !telemetry.is_on() {
            return;
        }
        let (projection, took) = (&*self.key.projection, clock.now().since(begun));
        telemetry.fact(service, || Fact::Projected { projection, result, events, took });
        let (topic, error) = (Topic::events(Arc::clone(service)), wrong(end));
        let (system, all) = (telemetry.carrier(), [took]);
        telemetry.fact(service, || Fact::Processed { system, topic: &topic, took: &all, error });
        telemetry.fact(service, || Fact::Queried { system: D::SYSTEM, query: BATCH, took, error });
    }

    /// A batch that holds commits of traces that are kept was written: a trace of its own, linked to them.
    pub(super) fn tell_span(
        &self,
        seen: Vec<SpanContext>,
        from: &Position,
        to: &Checkpoint,
        events: usize,
        begun: Micros,
    ) {
        if seen.is_empty() {
            return;
        }
        let Source { telemetry, service, clock, .. } = &self.source;
        let Key { projection, version, shard, .. } = &self.key;
        let (log_id, first, last) = (to.position.log_id, from.pseq, to.position.pseq);
        let name = format!(
            "{}\n{projection}\n{version}\n{service}\n{log_id}\n{shard}\n{first}\n{last}\n{}",
            role::PROJECT,
            to.epoch
        );
        let trace = TraceId::derived(name);
        let span = SpanId::derived(trace, last, role::PROJECT, "");
        telemetry.span(service, || Span {
            name: span::project(service).into(),
            kind: SpanKind::Consumer,
            context: SpanContext { trace, span, sampled: true },
            parent: None,
            links: seen,
            start: begun,
            end: clock.now().max(begun),
            attributes: vec![
                (key::MESSAGING_SYSTEM, telemetry.carrier().into()),
                (key::MESSAGING_OPERATION, value::PROCESS.into()),
                (key::MESSAGING_OPERATION_TYPE, value::PROCESS.into()),
                (key::MESSAGING_DESTINATION, Topic::events(Arc::clone(service)).to_string().as_str().into()),
                (key::MESSAGING_PARTITION, shard.to_string().as_str().into()),
                (key::MESSAGING_BATCH, i64::try_from(events).unwrap_or(i64::MAX).into()),
                (key::SERVICE, Arc::clone(service).into()),
                (key::SHARD, i64::from(*shard).into()),
                (key::TERM, i64::try_from(to.position.term).unwrap_or(i64::MAX).into()),
                (key::PSEQ, i64::try_from(last).unwrap_or(i64::MAX).into()),
                (key::PROJECTION, Arc::clone(projection).into()),
                (key::PROJECTION_VERSION, i64::from(*version).into()),
            ],
            status: Status::Unset,
        });
    }

    /// It has seen the end of the log.
    pub(super) fn caught_up(&self) {
        let now = self.source.clock.now();
        self.status.tell(|status| {
            status.caught_up = Some(now);
            false
        });
    }

    pub(super) fn tell_position(&self, at: &Footing) {
        let seen_the_end = (at.at_end && at.ahead.is_empty()).then(|| self.source.clock.now());
        self.status.tell(|status| {
            status.position = Some(at.checkpoint.position.clone());
            status.time = at.checkpoint.time;
            status.parked = at.parked.len();
            status.read = at.last.offset.saturating_add(1);
            status.caught_up = seen_the_end.or(status.caught_up);
            if status.state != State::Live {
                status.state = State::CatchingUp;
            }
            true
        });
    }
}
