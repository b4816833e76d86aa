//! The engine's own spans, built once their commit is effective: the handling of a message, a message handed over for the
//! first time, a run of an activity. Nothing here is called while a shard is recovered.

use super::*;
use crate::{
    commit::Cause,
    entity::{ActivityResult, AttemptOutcome},
    machine::{Encoded, Handled, Seen},
    telemetry::Telemetry,
    trace::{
        Attribute, Span, SpanContext, SpanKind, Status,
        names::{key, role, span, value},
    },
};

impl Owner<'_> {
    /// Tells what is to be seen of a commit that is effective now. What began with it, ends now.
    pub(super) fn tell_spans(&self, commit: &Commit, seen: &mut Seen, offset: Option<u64>) {
        if seen.spans.is_empty() && seen.handled.is_none() {
            return;
        }
        let service = &self.place.me.service;
        let now = self.ports.clock.now();
        for mut span in seen.spans.drain(..) {
            if span.start == commit.time {
                span.end = now.max(span.start);
            }
            span.attributes.extend(place(&self.place.me, commit));
            self.ports.telemetry.span(service, || span);
        }
        if let Some(handled) = &seen.handled.take() {
            let span = || process(&self.place.me, commit, handled, (offset, self.came_by(offset)), now);
            self.ports.telemetry.span(service, span);
        }
    }

    /// Tells of messages that are handed over for the first time.
    pub(super) fn tell_sent(&self, to: &Peer, sent: Vec<(Encoded, SpanContext)>) {
        let here = self.ports.router.owner(to).is_some();
        let road = if here {
            (value::LOCAL, value::PALINODE)
        } else {
            (value::INBOX, self.ports.telemetry.carrier())
        };
        let now = self.ports.clock.now();
        for (message, parent) in sent {
            if let Some(context) = SpanContext::read(message.message().traceparent.as_ref()) {
                let span = || send(to, message.message(), (context, parent), road, now);
                self.ports.telemetry.span(&self.place.me.service, span);
            }
        }
    }
}

fn messaging(
    operation: &'static str,
    carrier: &'static str,
    to: &Peer,
    attributes: &mut Vec<(&'static str, Attribute)>,
) {
    attributes.extend([
        (key::MESSAGING_SYSTEM, carrier.into()),
        (key::MESSAGING_OPERATION, operation.into()),
        (key::MESSAGING_OPERATION_TYPE, operation.into()),
        (key::MESSAGING_DESTINATION, Topic::inbox(Arc::clone(&to.service)).to_string().as_str().into()),
        (key::MESSAGING_PARTITION, to.shard.to_string().as_str().into()),
    ]);
}

/// The id of a message of a channel.
fn message_id(from: &Peer, seq: u64) -> String {
    format!("{}/{}/{seq}", from.service, from.shard)
}

/// The commit that ended a span.
fn place(me: &Peer, commit: &Commit) -> [(&'static str, Attribute); 3] {
    [
        (key::SHARD, number(me.shard.into())),
        (key::TERM, number(commit.term)),
        (key::PSEQ, number(commit.pseq)),
    ]
}

fn number(n: u64) -> Attribute {
    i64::try_from(n).unwrap_or(i64::MAX).into()
}

fn process(
    me: &Peer,
    commit: &Commit,
    handled: &Handled,
    (offset, carrier): (Option<u64>, &'static str),
    now: Micros,
) -> Span {
    let mut attributes = Vec::with_capacity(16);
    messaging(value::PROCESS, carrier, me, &mut attributes);
    let id = match &commit.cause {
        Cause::Client { id, .. } => id.to_string(),
        Cause::Channel { from, seq, .. } => message_id(from, *seq),
        Cause::Timer { .. } | Cause::Activity { .. } | Cause::Control { .. } => String::new(),
    };
    attributes.push((key::MESSAGING_MESSAGE, id.as_str().into()));
    if let Some(conversation) = &handled.conversation {
        attributes.push((key::MESSAGING_CONVERSATION, Arc::clone(conversation).into()));
    }
    if let Some(offset) = offset.filter(|_| carrier == value::KAFKA) {
        attributes.push((key::MESSAGING_OFFSET, number(offset)));
    }
    if let Some(entity) = &commit.entity {
        attributes.push((key::KIND, Arc::clone(&entity.kind).into()));
        attributes.push((key::ENTITY, Arc::clone(&entity.id).into()));
    }
    let wrong = commit.outcome.wrong();
    attributes.extend([
        (key::SERVICE, Arc::clone(&me.service).into()),
        (key::ROAD, if offset.is_some() { value::INBOX } else { value::LOCAL }.into()),
        (key::OUTCOME, commit.outcome.word().into()),
    ]);
    attributes.extend(place(me, commit));
    attributes.extend(wrong.map(|wrong| (key::ERROR_TYPE, wrong.into())));
    Span {
        name: span::process(&me.service).into(),
        kind: SpanKind::Consumer,
        context: handled.here,
        parent: Some(handled.came),
        links: vec![handled.came],
        start: commit.time,
        end: now.max(commit.time),
        attributes,
        status: wrong.map_or(Status::Unset, |wrong| Status::Error(wrong.into())),
    }
}

fn send(
    to: &Peer,
    message: &crate::message::Message,
    (context, parent): (SpanContext, SpanContext),
    (road, carrier): (&'static str, &'static str),
    now: Micros,
) -> Span {
    let mut attributes = Vec::with_capacity(12);
    messaging(value::SEND, carrier, to, &mut attributes);
    let asker = message.reply.as_ref().map(|reply| &reply.id);
    let asker = asker.or_else(|| message.re.is_some().then_some(&message.to.id));
    if let Some(asker) = asker {
        attributes.push((key::MESSAGING_CONVERSATION, Arc::clone(asker).into()));
    }
    attributes.extend([
        (key::MESSAGING_MESSAGE, message_id(&message.from, message.seq).as_str().into()),
        (key::SERVICE, Arc::clone(&message.from.service).into()),
        (key::SHARD, number(message.from.shard.into())),
        (key::KIND, Arc::clone(&message.to.kind).into()),
        (key::ENTITY, Arc::clone(&message.to.id).into()),
        (key::ROAD, road.into()),
    ]);
    Span {
        name: span::send(&to.service).into(),
        kind: SpanKind::Producer,
        context,
        parent: Some(parent),
        links: Vec::new(),
        start: message.time,
        end: now.max(message.time),
        attributes,
        status: Status::Unset,
    }
}

/// A run of an activity, from its beginning on.
pub(super) struct Run {
    pub(super) service: Arc<str>,
    pub(super) shard: u32,
    pub(super) activity: Arc<str>,
    pub(super) entity: EntityKey,
    pub(super) context: SpanContext,
    pub(super) parent: SpanContext,
    pub(super) start: Micros,
}

/// The span under which an attempt runs; in a trace that is not kept, what it is told of it.
pub(super) fn running(parent: SpanContext, version: u64, key: &str, round: u32, attempt: u32) -> SpanContext {
    if parent.sampled {
        parent.sibling(version, role::ACTIVITY, format_args!("{key}/{round}/{attempt}"))
    } else {
        parent
    }
}

impl Run {
    /// It has ended like this.
    pub(super) fn ended(self, telemetry: &Telemetry, now: Micros, result: &ActivityResult) {
        if !self.context.sampled {
            return;
        }
        telemetry.span(&Arc::clone(&self.service), || self.span(now, result));
    }

    fn span(self, now: Micros, result: &ActivityResult) -> Span {
        let (outcome, wrong) = match &result.outcome {
            AttemptOutcome::Done(_) => ("done", None),
            AttemptOutcome::Refused { code, .. } => ("refused", Some(code.to_string())),
            AttemptOutcome::Transient(_) => ("transient", Some("it did not happen".into())),
            AttemptOutcome::Unknown(_) => ("unknown", Some("it may have happened".into())),
            AttemptOutcome::Fatal(_) => ("fatal", Some("a person is needed".into())),
            AttemptOutcome::Lost => ("lost", Some("its owner is gone".into())),
        };
        let mut attributes = vec![
            (key::ACTIVITY, Arc::clone(&self.activity).into()),
            (key::SERVICE, self.service.into()),
            (key::SHARD, number(self.shard.into())),
            (key::KIND, self.entity.kind.into()),
            (key::ENTITY, self.entity.id.into()),
            (key::EFFECT, Arc::clone(&result.key).into()),
            (key::ROUND, number(result.round.into())),
            (key::ATTEMPT, number(result.attempt.into())),
            (key::OUTCOME, outcome.into()),
        ];
        if wrong.is_some() {
            attributes.push((key::ERROR_TYPE, outcome.into()));
        }
        Span {
            name: span::activity(&self.activity).into(),
            kind: SpanKind::Client,
            context: self.context,
            parent: Some(self.parent),
            links: Vec::new(),
            start: self.start,
            end: now.max(self.start),
            attributes,
            status: wrong.map_or(Status::Unset, |why| Status::Error(why.into())),
        }
    }
}
