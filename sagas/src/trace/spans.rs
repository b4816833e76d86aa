//! The spans of an instance, built when they end: names, parents, links, attributes. Each hangs below the root of the part of
//! the trace in which it began.

use std::sync::Arc;

use palinode::{
    Context, Digest, Micros,
    trace::{
        Span, SpanContext, SpanKind, Status,
        names::key::{ERROR_TYPE, SERVICE},
    },
};

use super::{
    Ended, Trace, What,
    names::{key, role, span},
    segments::Segment,
};
use crate::{
    definition::{Class, Definition, NodeId},
    event::Direction,
    state::{Phase, State},
    verb::Order,
};

/// What a span is built from.
pub(super) struct Seen<'a> {
    pub(super) def: &'a Definition,
    pub(super) cx: &'a Context,
    pub(super) trace: &'a Trace,
}

impl Seen<'_> {
    /// The root, linked to the call that started it.
    pub(super) fn start(&self) -> Span {
        let started = self.span(span::START, self.def.name(), self.trace.root, None, self.trace.at);
        Span { parent: None, links: self.cx.trace.cause.into_iter().collect(), ..started }
    }

    /// The root of the part of the trace that begins, linked to that of the first one and to the message that wakes it.
    pub(super) fn resume(&self) -> Option<Span> {
        let segment = self.trace.segment?;
        let resumed = self.span(span::RESUME, self.def.name(), segment.root, Some(segment), self.cx.time);
        let links = [self.trace.root].into_iter().chain(self.cx.trace.cause).collect();
        Some(Span { parent: None, links, ..resumed })
    }

    /// An attempt or a wait that has ended; `brought` is the call of the signal that a wait has taken.
    pub(super) fn part(&self, ended: &Ended, brought: Option<SpanContext>) -> Span {
        let Ended { part, outcome, error } = ended;
        let node = &self.def[NodeId(part.node)];
        let name = match part.what {
            What::Wait => span::WAIT,
            What::Attempt(Direction::Undo) => span::UNDO,
            What::Attempt(_) => span::STEP,
        };
        let context = self.trace.context(self.def, part);
        let mut seen = self.span(name, &node.path, context, part.segment, part.at);
        let attributes = &mut seen.attributes;
        attributes.push((key::NODE, Arc::clone(&node.path).into()));
        attributes.push((key::CLASS, class(node.class).into()));
        attributes.push((key::NODE_OUTCOME, (*outcome).into()));
        match part.what {
            What::Wait => {
                attributes.extend(part.due.map(|due| (key::DUE, due.0.into())));
                seen.links = self.elsewhere(context);
                seen.links.extend(brought.filter(|brought| Some(*brought) != self.cx.trace.cause));
            }
            What::Attempt(direction) => {
                attributes.push((key::DIRECTION, word(direction).into()));
                attributes.push((key::ROUND, i64::from(part.round).into()));
                attributes.push((key::ATTEMPT, i64::from(part.attempt).into()));
                if let Some(target) = self.target(part.node) {
                    attributes.push((key::TARGET, target.as_str().into()));
                }
                seen.links.extend(self.trace.taken_back(self.def, part));
            }
        }
        if let Some(why) = error {
            wrong(&mut seen, why);
        }
        seen
    }

    /// The whole instance, below its first root, where it began; linked to the last part of the trace if that is another one.
    /// That it was taken back is an outcome and no error.
    pub(super) fn run(&self, state: &State) -> Span {
        let context = self.trace.root.sibling(self.cx.version, role::RUN, "");
        let mut run = self.span(span::RUN, self.def.name(), context, None, self.trace.at);
        run.links.extend(self.trace.segment.map(|last| last.root));
        run.attributes.push((key::OUTCOME, state.phase.to_string().as_str().into()));
        run.attributes.push((key::EXCEPTIONS, i64::from(state.exceptions).into()));
        if state.phase == Phase::Killed {
            wrong(&mut run, &"killed".into());
        }
        run
    }

    /// A person's order.
    pub(super) fn operator(&self, order: &Order) -> Span {
        let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
        let context = self.trace.current().sibling(self.cx.version, role::OPERATOR, &self.cx.cause);
        let verb = order.verb.as_str();
        let mut acted = self.span(span::OPERATOR, verb, context, self.trace.segment, self.cx.time);
        if let Some(node) = &order.node {
            acted.attributes.push((key::NODE, Arc::clone(node).into()));
        }
        acted.attributes.push((key::BY, digest(&order.by).as_str().into()));
        acted.attributes.push((key::REASON, digest(&order.reason).as_str().into()));
        acted.links = self.elsewhere(context);
        acted
    }

    /// From then until now, below the root of its part of the trace.
    fn span(
        &self,
        name: &str,
        of: &str,
        context: SpanContext,
        segment: Option<Segment>,
        start: Micros,
    ) -> Span {
        let mut attributes = Vec::with_capacity(14);
        attributes.extend([
            (key::ID, Arc::clone(&self.cx.entity.id).into()),
            (key::NAME, Arc::clone(self.def.name()).into()),
            (key::VERSION, i64::from(self.def.version()).into()),
            (SERVICE, Arc::clone(&self.cx.entity.service).into()),
        ]);
        attributes.extend(segment.map(|segment| (key::SEGMENT, i64::from(segment.number).into())));
        Span {
            name: format!("{name} {of}").into(),
            kind: SpanKind::Internal,
            context,
            parent: Some(self.trace.root_of(segment)),
            links: Vec::new(),
            start,
            end: self.cx.time.max(start),
            attributes,
            status: Status::Unset,
        }
    }

    /// The message that led to this span, when it came from another trace: a call.
    fn elsewhere(&self, span: SpanContext) -> Vec<SpanContext> {
        self.cx.trace.cause.into_iter().filter(|cause| cause.trace != span.trace).collect()
    }

    fn target(&self, node: usize) -> Option<String> {
        use palinode::entity::TargetKind;
        Some(match self.def[NodeId(node)].target? {
            TargetKind::Aggregate { service, kind } => format!("{service}/{kind}"),
            TargetKind::Activity { name, .. } => name.to_owned(),
        })
    }
}

fn wrong(span: &mut Span, why: &Arc<str>) {
    span.attributes.push((ERROR_TYPE, Arc::clone(why).into()));
    span.status = Status::Error(Arc::clone(why));
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Do => "forward",
        other => other.word(),
    }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Compensatable => "step",
        Class::Read => "read",
        Class::Wait => "wait",
        Class::Timer => "timer",
        Class::Pivot => "pivot",
        Class::Retriable => "retriable",
    }
}
