//! What of a commit can be seen in a trace: which span handles the message, under which span a message is sent. Ids are
//! fixed here, with the commit; the spans themselves are built once it is effective.

use std::sync::Arc;

use super::Machine;
use crate::{
    address::EntityKey,
    aggregate::Origin,
    commit::{Cause, Peer},
    trace::{Scope, SpanContext, names::role},
};

/// The handling of a message that belongs to a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handled {
    /// The call or the `send` of the message.
    pub came: SpanContext,
    /// The handling.
    pub here: SpanContext,
    /// The id of the entity that asks, in the ask and in the answer.
    pub conversation: Option<Arc<str>>,
}

impl Machine {
    /// What a decision may know of traces.
    pub(super) fn scope(&self, traceparent: Option<&Arc<str>>) -> Scope {
        let mut scope = match self.observed {
            Some(ratio) => Scope::observed(self.me.log_id, ratio, SpanContext::read(traceparent)),
            None => Scope::default(),
        };
        scope.counted = self.counted;
        scope
    }

    /// The handling of this input, when it is a message of a trace that is kept.
    pub(super) fn handled(
        &self,
        cause: &Cause,
        entity: &EntityKey,
        version: u64,
        traceparent: Option<&Arc<str>>,
    ) -> Option<Handled> {
        self.observed?;
        let came = SpanContext::read(traceparent).filter(|came| came.sampled)?;
        // Numbers of messages are of their channels, and the service is another one when somebody passed a context on as it
        // was.
        let origin = Origin::of(cause.clone(), entity.clone());
        let branch = format!("{}/{}/{origin}", came.span, self.me.service);
        Some(Handled { came, here: came.sibling(version, role::PROCESS, branch), conversation: None })
    }

    /// The context of a message of this number, sent for this span. A trace that is not kept has no spans, and its messages
    /// say nothing: whether to keep it is decided already, and the bytes would cost every commit something.
    pub(super) fn sending(
        &self,
        parent: SpanContext,
        version: u64,
        to: &Peer,
        seq: u64,
    ) -> Option<SpanContext> {
        if !parent.sampled {
            return None;
        }
        let Peer { service, log_id, shard } = &self.me;
        let branch = format_args!("{service}/{log_id}/{shard}/{seq}>{}/{}", to.service, to.shard).to_string();
        Some(parent.sibling(version, role::SEND, branch))
    }
}
