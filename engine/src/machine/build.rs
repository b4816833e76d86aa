//! A decision dressed as a commit: numbers, digests, channel messages, bytes, and the size limit.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

use super::{Encoded, Machine, Seen, Sent, Stepped};
use crate::{
    address::EntityKey,
    codec::{MAX_COMMIT, encode_commit},
    commit::{Cause, Commit, EntityRef, Outcome, Peer, RunRef},
    digest::Digest,
    entity::{Decision, SendRequest},
    message::{Message, REPLY, Reply, ReplyTo, Target},
    position::Token,
    time::Micros,
    trace::SpanContext,
};

/// What a commit is made from, besides the machine.
pub(super) struct Draft<'a> {
    pub(super) cause: Cause,
    pub(super) time: Micros,
    pub(super) entity: Option<(&'a EntityKey, u64)>,
    pub(super) decision: Decision,
    pub(super) answer_to: Option<(&'a Peer, &'a ReplyTo)>,
    pub(super) parked: Option<Box<RawValue>>,
    pub(super) traceparent: Option<Arc<str>>,
}

/// The answer to an input that was stored, and is taken now.
pub(super) struct Owed {
    pub(super) to: Peer,
    pub(super) reply: ReplyTo,
    pub(super) outcome: Outcome,
    pub(super) answer: Option<Box<RawValue>>,
    pub(super) version: u64,
}

/// Why a decision cannot become a commit.
pub(super) enum CannotBuild {
    /// Its record would be larger than a record may be.
    TooLarge(usize),
    /// It sends to a service that is not in the directory.
    Nowhere(Arc<str>),
    /// A payload cannot be written.
    Json(serde_json::Error),
}

impl std::fmt::Display for CannotBuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge(n) => write!(f, "the commit would have {n} bytes; at most {MAX_COMMIT}"),
            Self::Nowhere(service) => write!(f, "it sends to service {service:?}, which is not known here"),
            Self::Json(e) => write!(f, "a payload cannot be written: {e}"),
        }
    }
}

impl Machine {
    /// Builds the commit. Changes nothing in the machine.
    pub(super) fn build(&self, draft: Draft<'_>) -> Result<Stepped, CannotBuild> {
        self.build_with(draft, Vec::new())
    }

    /// The same with answers to inputs that were stored earlier.
    pub(super) fn build_with(&self, draft: Draft<'_>, owed: Vec<Owed>) -> Result<Stepped, CannotBuild> {
        let Draft { cause, time, entity, mut decision, answer_to, parked, traceparent } = draft;
        let pseq = self.head.pseq.saturating_add(1);
        let events = decision.events.len() as u64;
        let version = entity.map_or(0, |(_, version)| version.saturating_add(events));
        let mut handled =
            entity.and_then(|(key, version)| self.handled(&cause, key, version, traceparent.as_ref()));
        if let Some(handled) = &mut handled {
            let own = || decision.trace.and(entity).map(|(key, _)| Arc::clone(&key.id));
            handled.conversation = answer_to.map(|(_, reply)| Arc::clone(&reply.id)).or_else(own);
        }
        let mut outbox = Outbox {
            machine: self,
            time,
            next: BTreeMap::new(),
            sends: Vec::new(),
            version: entity.map_or(0, |(_, version)| version),
            handled: handled.as_ref().map(|handled| handled.here),
            passed_on: traceparent.as_ref(),
            sent_for: Vec::new(),
        };
        for send in std::mem::take(&mut decision.sends) {
            outbox.request(send, entity.map(|(key, _)| key))?;
        }
        let token = || Token {
            service: Arc::clone(&self.me.service),
            log_id: self.me.log_id,
            shard: self.me.shard,
            pseq,
        };
        for Owed { to, reply, outcome, answer, version } in owed {
            let answer = answer.unwrap_or_else(|| RawValue::NULL.to_owned());
            let data = Reply { outcome, answer, version, token: token() };
            outbox.reply(&to, &reply, &data)?;
        }
        if let Some((to, reply)) = answer_to {
            let answer = decision.answer.clone().unwrap_or_else(|| RawValue::NULL.to_owned());
            let data = Reply { outcome: decision.outcome, answer, version, token: token() };
            outbox.reply(to, reply, &data)?;
        }
        let Outbox { sends, sent_for, .. } = outbox;
        let own = decision.trace.or_else(|| handled.as_ref().map(|handled| handled.here));
        let low = self.inbox_low();
        let commit = Commit {
            term: self.head.term,
            claim_id: self.head.claim_id,
            pseq,
            prev: self.head.digest,
            time,
            cause,
            low: (low > self.low.recorded).then_some(low),
            closed: self.channels.closable(),
            entity: entity.map(|(key, version)| EntityRef {
                kind: Arc::clone(&key.kind),
                id: Arc::clone(&key.id),
                version,
            }),
            outcome: decision.outcome,
            answer: decision.answer,
            events: decision.events,
            sends: sends.iter().map(|sent| Arc::clone(sent.message.raw())).collect(),
            timers: decision.timers,
            runs: decision
                .runs
                .iter()
                .map(|r| RunRef { key: Arc::clone(&r.key), round: r.round, attempt: r.attempt })
                .collect(),
            ended: decision.ended,
            parked,
            traceparent: own.map_or(traceparent, |own| Some(own.traceparent())),
        };
        let value = encode_commit(&commit).map_err(CannotBuild::Json)?;
        if value.len() > MAX_COMMIT {
            return Err(CannotBuild::TooLarge(value.len()));
        }
        let key = entity.map_or_else(|| Arc::from(""), |(key, _)| key.to_string().into());
        Ok(Stepped {
            commit,
            value: Bytes::from(value),
            key,
            sends,
            runs: decision.runs,
            stops: decision.stops,
            trace: Seen { handled, spans: decision.spans, measured: decision.measured, sent_for },
        })
    }

    /// A commit without events, for an input that is refused or accepted for nobody.
    pub(super) fn plain(outcome: Outcome, answer: Option<Box<RawValue>>) -> Decision {
        Decision::of(outcome, answer)
    }
}

/// The messages of one commit, numbered on top of the channels without touching them.
struct Outbox<'a> {
    machine: &'a Machine,
    time: Micros,
    next: BTreeMap<Peer, (u64, Digest)>,
    sends: Vec<Sent>,
    /// The entity's version before the commit.
    version: u64,
    /// The span of the message that is handled.
    handled: Option<SpanContext>,
    /// What that message said: passed on as it is when nobody here makes spans.
    passed_on: Option<&'a Arc<str>>,
    sent_for: Vec<Option<SpanContext>>,
}

impl Outbox<'_> {
    fn request(&mut self, send: SendRequest, from: Option<&EntityKey>) -> Result<(), CannotBuild> {
        let nowhere = || CannotBuild::Nowhere(Arc::clone(&send.to.service));
        let peer = self.machine.directory.find(&send.to.service, &send.to.key()).ok_or_else(nowhere)?;
        let reply = send.re.zip(from).map(|(re, key)| ReplyTo {
            kind: Arc::clone(&key.kind),
            id: Arc::clone(&key.id),
            re,
        });
        let to = Target {
            service: Arc::clone(&peer.service),
            log_id: peer.log_id,
            kind: send.to.kind,
            id: send.to.id,
        };
        self.push(peer, to, send.parent, send.name, send.data, reply, None)
    }

    fn reply(&mut self, to: &Peer, reply: &ReplyTo, data: &Reply) -> Result<(), CannotBuild> {
        let target = Target {
            service: Arc::clone(&to.service),
            log_id: to.log_id,
            kind: Arc::clone(&reply.kind),
            id: Arc::clone(&reply.id),
        };
        let data = to_raw_value(data).map_err(CannotBuild::Json)?;
        self.push(to.clone(), target, None, REPLY.into(), data, None, Some(Arc::clone(&reply.re)))
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a message, once")]
    fn push(
        &mut self,
        peer: Peer,
        to: Target,
        parent: Option<SpanContext>,
        name: Arc<str>,
        data: Box<RawValue>,
        reply: Option<ReplyTo>,
        re: Option<Arc<str>>,
    ) -> Result<(), CannotBuild> {
        let at = self.next.entry(peer.clone()).or_insert_with(|| self.machine.channels.next_to(&peer));
        let (seq, prev) = *at;
        let from = self.machine.me.clone();
        let parent = parent.or(self.handled);
        let traceparent = match parent {
            Some(parent) => {
                self.machine.sending(parent, self.version, &peer, seq).map(|own| own.traceparent())
            }
            None => self.passed_on.cloned(),
        };
        let message = Message {
            from,
            seq,
            prev,
            time: self.time,
            to,
            shard: peer.shard,
            name,
            data,
            reply,
            re,
            traceparent,
        };
        let message = Encoded::encode(message).map_err(CannotBuild::Json)?;
        *at = (seq.saturating_add(1), message.digest());
        self.sent_for.push(parent.filter(|parent| parent.sampled));
        self.sends.push(Sent { to: peer, message });
        Ok(())
    }
}
