//! A client's call as a span: its context goes with the message, the span ends with the answer. A call whose caller goes
//! away ends too, because what it has caused hangs below it.

use std::sync::Arc;

use uuid::Uuid;

use super::Client;
use crate::{
    address::Address,
    clock::Clock,
    message::ClientMessage,
    receipt::Told,
    telemetry::{AnswerKind, Telemetry},
    time::Micros,
    trace::{
        Span, SpanContext, SpanId, SpanKind, Status, TraceId,
        names::{key, role, span},
    },
};

/// A call of a trace that is kept. Dropped without an answer it was given up.
pub(super) struct Seen {
    telemetry: Telemetry,
    clock: Arc<dyn Clock>,
    /// Whose span it is.
    service: Arc<str>,
    to: Address,
    id: Uuid,
    context: SpanContext,
    parent: Option<SpanContext>,
    start: Micros,
    answer: Option<AnswerKind>,
    /// Shard and number of the commit with the answer.
    commit: Option<(u32, u64)>,
}

impl Client {
    /// The call begins: the message says so from now on. Inside a trace it is a part of that, otherwise a trace by itself;
    /// every call is a span of its own, also one that asks again under the same id.
    pub(super) fn see(&self, message: &mut ClientMessage) -> Option<Seen> {
        let telemetry = self.telling.telemetry()?;
        let ratio = telemetry.ratio()?;
        let parent = SpanContext::read(message.traceparent.as_ref()).or_else(|| telemetry.current());
        if let Some(parent) = parent.filter(|parent| !parent.sampled) {
            message.traceparent = Some(parent.traceparent());
            return None;
        }
        let start = self.clock.now();
        let call = self.ids.fresh(start);
        let trace = parent.map_or_else(|| TraceId::of_call(call), |parent| parent.trace);
        if parent.is_none() && !trace.sampled(ratio) {
            return None;
        }
        let span = SpanId::derived(trace, 0, role::EXECUTE, call);
        let context = SpanContext { trace, span, sampled: true };
        message.traceparent = Some(context.traceparent());
        let service = self.name.as_ref().unwrap_or(&message.to.service);
        Some(Seen {
            telemetry: telemetry.clone(),
            clock: Arc::clone(&self.clock),
            service: Arc::clone(service),
            to: message.to.clone(),
            id: message.id,
            context,
            parent,
            start,
            answer: None,
            commit: None,
        })
    }
}

impl Seen {
    /// It was answered.
    pub(super) fn answered(mut self, told: &Told) {
        self.answer = Some(told.into());
        if let Told::Recorded { receipt, .. } = told {
            self.commit = Some((receipt.token.shard, receipt.token.pseq));
        }
    }

    fn span(&self) -> Span {
        let outcome = self.answer.map_or("abandoned", AnswerKind::word);
        let good = [AnswerKind::Accepted, AnswerKind::Rejected, AnswerKind::Conflict];
        let wrong = self.answer.is_none_or(|answer| !good.contains(&answer));
        let Address { service, kind, id } = &self.to;
        let mut attributes = vec![
            (key::SERVICE, Arc::clone(service).into()),
            (key::KIND, Arc::clone(kind).into()),
            (key::ENTITY, Arc::clone(id).into()),
            (key::MESSAGING_MESSAGE, self.id.to_string().as_str().into()),
            (key::OUTCOME, outcome.into()),
        ];
        if let Some((shard, pseq)) = self.commit {
            attributes.push((key::SHARD, i64::from(shard).into()));
            attributes.push((key::PSEQ, i64::try_from(pseq).unwrap_or(i64::MAX).into()));
        }
        if wrong {
            attributes.push((key::ERROR_TYPE, outcome.into()));
        }
        // What is no kind may be anything, and names of spans are few.
        let unknown = self.answer == Some(AnswerKind::Invalid);
        Span {
            name: if unknown { role::EXECUTE.into() } else { span::execute(kind).into() },
            kind: SpanKind::Client,
            context: self.context,
            parent: self.parent,
            links: Vec::new(),
            start: self.start,
            end: self.clock.now().max(self.start),
            attributes,
            status: if wrong { Status::Error(outcome.into()) } else { Status::Unset },
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.telemetry.span(&self.service, || self.span());
    }
}
