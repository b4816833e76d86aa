//! A trace that is cut. When an instance has done nothing for longer than its observer wants, what it does then belongs to a
//! trace of its own, a *segment*, with a root of its own, `saga resume`. The log says so: the commit that wakes the instance is
//! recorded with that root. What began in one part of the trace ends in it, because its id was passed on.

use std::sync::Arc;

use palinode::{
    Context,
    trace::{SpanContext, SpanId},
};
use serde::{Deserialize, Serialize};

use super::{At, Trace, names::role};
use crate::{event::Event, state::State};

/// A later part of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    /// 1, 2, 3..; what `saga start` opened is none.
    pub(super) number: u32,
    /// Its `saga resume`.
    pub(super) root: SpanContext,
}

/// What is kept while an instance is set aside or stands still does not wake it.
pub(super) fn wakes(event: &Event) -> bool {
    !matches!(event, Event::Kept { .. } | Event::Parked { .. })
}

impl State {
    /// Whether this entry begins the next part of the trace: it wakes the instance after more than the time that the observer
    /// allows.
    pub(crate) fn cut_trace(&mut self, cx: &Context, event: &Event, at: At) -> bool {
        let Some(trace) = self.trace.as_mut().filter(|trace| trace.root.sampled && wakes(event)) else {
            return false;
        };
        let idle = trace.latest.map(|latest| at.time.since(latest));
        if idle.is_none() || cx.trace.segment_after.is_none() || idle <= cx.trace.segment_after {
            return false;
        }
        let number = trace.next_number();
        let root = cx.trace.segment(&cx.entity, trace.root, number, at.version, role::RESUME);
        trace.segment = root.map(|root| Segment { number, root }).or(trace.segment);
        root.is_some()
    }

    /// The same from what was recorded with the commit.
    pub(super) fn recall_segment(&mut self, recorded: Option<&Arc<str>>, at: At) {
        let Some(trace) = self.trace.as_mut().filter(|trace| trace.root.sampled) else { return };
        let current = trace.current().trace;
        let own = |context: &SpanContext| {
            context.trace != current
                && context.span == SpanId::derived(context.trace, at.version, role::RESUME, "")
        };
        if let Some(root) = SpanContext::read(recorded).filter(own) {
            trace.segment = Some(Segment { number: trace.next_number(), root });
        }
    }
}

impl Trace {
    /// Below which root stands what begins now.
    pub(super) fn current(&self) -> SpanContext {
        self.root_of(self.segment)
    }

    /// The root of a part of the trace.
    pub(super) fn root_of(&self, segment: Option<Segment>) -> SpanContext {
        segment.map_or(self.root, |segment| segment.root)
    }

    fn next_number(&self) -> u32 {
        self.segment.map_or(0, |segment| segment.number).saturating_add(1)
    }
}
