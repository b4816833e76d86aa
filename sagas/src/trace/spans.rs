//! The spans of an instance, built when they end: names, parents, links, attributes. All of them hang below `saga start`.

use std::sync::Arc;

use palinode::{
    Context, Digest, Micros,
    trace::{
        Attribute, Span, SpanContext, SpanKind, Status,
        names::key::{ERROR_TYPE, SERVICE},
    },
};

use super::{
    Ended, Trace, What,
    names::{key, role, span},
};
use crate::{
    definition::{Class, Definition, NodeId},
    event::Direction,
    state::{Phase, State},
    verb::Order,
};

type Attributes = Vec<(&'static str, Attribute)>;

/// What a span is built from.
pub(super) struct Seen<'a> {
    pub(super) def: &'a Definition,
    pub(super) cx: &'a Context,
    pub(super) trace: &'a Trace,
}

impl Seen<'_> {
    /// The root, linked to the call that started it.
    pub(super) fn start(&self) -> Span {
        let root = self.trace.root;
        let started = self.span(span::START, self.def.name(), root, self.trace.at, self.common());
        Span { parent: None, links: self.cx.trace.cause.into_iter().collect(), ..started }
    }

    /// An attempt or a wait that has ended.
    pub(super) fn part(&self, ended: &Ended) -> Span {
        let Ended { part, outcome, error } = ended;
        let node = &self.def[NodeId(part.node)];
        let mut attributes = self.common();
        attributes.push((key::NODE, Arc::clone(&node.path).into()));
        attributes.push((key::CLASS, class(node.class).into()));
        attributes.push((key::NODE_OUTCOME, (*outcome).into()));
        let (name, links) = match part.what {
            What::Wait => {
                attributes.extend(part.due.map(|due| (key::DUE, due.0.into())));
                (span::WAIT, self.elsewhere())
            }
            What::Attempt(direction) => {
                attributes.push((key::DIRECTION, word(direction).into()));
                attributes.push((key::ROUND, i64::from(part.round).into()));
                attributes.push((key::ATTEMPT, i64::from(part.attempt).into()));
                if let Some(target) = self.target(part.node) {
                    attributes.push((key::TARGET, target.as_str().into()));
                }
                let name = if direction == Direction::Undo { span::UNDO } else { span::STEP };
                (name, self.trace.taken_back(self.def, part).into_iter().collect())
            }
        };
        let status = match error {
            Some(why) => {
                attributes.push((ERROR_TYPE, Arc::clone(why).into()));
                Status::Error(Arc::clone(why))
            }
            None => Status::Unset,
        };
        let context = self.trace.context(self.def, part);
        Span { links, status, ..self.span(name, &node.path, context, part.at, attributes) }
    }

    /// The whole instance. That it was taken back is an outcome and no error.
    pub(super) fn run(&self, state: &State) -> Span {
        let mut attributes = self.common();
        attributes.push((key::OUTCOME, state.phase.to_string().as_str().into()));
        attributes.push((key::EXCEPTIONS, i64::from(state.exceptions).into()));
        let status = match state.phase {
            Phase::Killed => {
                attributes.push((ERROR_TYPE, "killed".into()));
                Status::Error("killed".into())
            }
            _ => Status::Unset,
        };
        let context = self.trace.root.sibling(self.cx.version, role::RUN, "");
        Span { status, ..self.span(span::RUN, self.def.name(), context, self.trace.at, attributes) }
    }

    /// A person's order.
    pub(super) fn operator(&self, order: &Order) -> Span {
        let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
        let mut attributes = self.common();
        if let Some(node) = &order.node {
            attributes.push((key::NODE, Arc::clone(node).into()));
        }
        attributes.push((key::BY, digest(&order.by).as_str().into()));
        attributes.push((key::REASON, digest(&order.reason).as_str().into()));
        let context = self.trace.root.sibling(self.cx.version, role::OPERATOR, &self.cx.cause);
        let acted = self.span(span::OPERATOR, order.verb.as_str(), context, self.cx.time, attributes);
        Span { links: self.elsewhere(), ..acted }
    }

    /// From then until now, below the root.
    fn span(
        &self,
        name: &str,
        of: &str,
        context: SpanContext,
        start: Micros,
        attributes: Attributes,
    ) -> Span {
        Span {
            name: format!("{name} {of}").into(),
            kind: SpanKind::Internal,
            context,
            parent: Some(self.trace.root),
            links: Vec::new(),
            start,
            end: self.cx.time.max(start),
            attributes,
            status: Status::Unset,
        }
    }

    /// The message that led here, when it came from another trace: a call.
    fn elsewhere(&self) -> Vec<SpanContext> {
        self.cx.trace.cause.into_iter().filter(|cause| cause.trace != self.trace.root.trace).collect()
    }

    fn common(&self) -> Attributes {
        let mut attributes = Vec::with_capacity(14);
        attributes.extend([
            (key::ID, Arc::clone(&self.cx.entity.id).into()),
            (key::NAME, Arc::clone(self.def.name()).into()),
            (key::VERSION, i64::from(self.def.version()).into()),
            (SERVICE, Arc::clone(&self.cx.entity.service).into()),
        ]);
        attributes
    }

    fn target(&self, node: usize) -> Option<String> {
        use palinode::entity::TargetKind;
        Some(match self.def[NodeId(node)].target? {
            TargetKind::Aggregate { service, kind } => format!("{service}/{kind}"),
            TargetKind::Activity { name, .. } => name.to_owned(),
        })
    }
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
