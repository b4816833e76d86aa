//! A client's call as a span: its context goes with the message, the span ends with the answer. A call whose caller goes
//! away ends too, because what it has caused hangs below it.

use std::sync::Arc;

use super::Client;
use crate::{
    clock::Clock,
    commit::Outcome,
    message::ClientMessage,
    receipt::Told,
    telemetry::Telemetry,
    time::Micros,
    trace::{
        Span, SpanContext, SpanId, SpanKind, Status, TraceId,
        names::{key, role, span},
    },
};

/// A call of a trace that is kept. Dropped without an answer it was given up.
pub(super) struct Call {
    telemetry: Telemetry,
    clock: Arc<dyn Clock>,
    /// Whose span it is.
    service: Arc<str>,
    message: ClientMessage,
    context: SpanContext,
    parent: Option<SpanContext>,
    start: Micros,
    outcome: &'static str,
}

impl Client {
    /// The call begins: the message says so from now on. Inside a trace it is a part of that, otherwise a trace by itself;
    /// every call is a span of its own, also one that asks again under the same id.
    pub(super) fn call(&self, message: &mut ClientMessage) -> Option<Call> {
        let ratio = self.telemetry.ratio()?;
        let parent = SpanContext::read(message.traceparent.as_ref()).or_else(|| self.telemetry.current());
        let start = self.clock.now();
        let context = match parent {
            Some(parent) if !parent.sampled => {
                message.traceparent = Some(parent.traceparent());
                return None;
            }
            Some(parent) => parent.sibling(0, role::EXECUTE, self.ids.fresh(start)),
            None => {
                let call = self.ids.fresh(start);
                let trace = TraceId::derived(format_args!("{}\n{call}", role::EXECUTE));
                let span = SpanId::derived(trace, 0, role::EXECUTE, call);
                SpanContext { trace, span, sampled: trace.sampled(ratio) }
            }
        };
        if !context.sampled {
            return None;
        }
        message.traceparent = Some(context.traceparent());
        let service = self.name.as_ref().unwrap_or(&message.to.service);
        Some(Call {
            telemetry: self.telemetry.clone(),
            clock: Arc::clone(&self.clock),
            service: Arc::clone(service),
            message: message.clone(),
            context,
            parent,
            start,
            outcome: "abandoned",
        })
    }
}

impl Call {
    /// It was answered.
    pub(super) fn answered(mut self, told: &Told) {
        self.outcome = match told {
            Told::Recorded { outcome: Outcome::Accepted, .. } => "accepted",
            Told::Recorded { outcome: Outcome::Rejected, .. } => "rejected",
            Told::Recorded { outcome: Outcome::Conflict, .. } => "conflict",
            Told::Recorded { outcome: Outcome::Invalid, .. } | Told::Invalid(_) => "invalid",
            Told::Recorded { outcome: Outcome::Parked, .. } | Told::Parked(_) => "parked",
            Told::Expired => "expired",
            Told::Overloaded => "overloaded",
            Told::Unknown => "unknown",
        };
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let (message, outcome) = (&self.message, self.outcome);
        let wrong = !matches!(outcome, "accepted" | "rejected" | "conflict");
        let mut attributes = vec![
            (key::SERVICE, Arc::clone(&message.to.service).into()),
            (key::KIND, Arc::clone(&message.to.kind).into()),
            (key::ENTITY, Arc::clone(&message.to.id).into()),
            (key::MESSAGING_MESSAGE, message.id.to_string().as_str().into()),
            (key::OUTCOME, outcome.into()),
        ];
        if wrong {
            attributes.push((key::ERROR_TYPE, outcome.into()));
        }
        self.telemetry.span(&self.service, || Span {
            name: span::execute(&message.to.kind).into(),
            kind: SpanKind::Client,
            context: self.context,
            parent: self.parent,
            links: Vec::new(),
            start: self.start,
            end: self.clock.now().max(self.start),
            attributes,
            status: if wrong { Status::Error(outcome.into()) } else { Status::Unset },
        });
    }
}
