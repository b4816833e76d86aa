//! C1: a channel delivers 1, 2, 3.. once each, and the very bytes that were sent. C3: nothing is accepted that was not
//! sent; nothing is forgotten by its sender before its receiver accepted it. T5 from cause to effect.
//!
//! Each end is folded on its own from its shard's commits; the ends are compared when everything has been read.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::value::RawValue;

use super::{Logs, broken, len};
use crate::{
    hash::{Digest, shard_of},
    reader::Effective,
    record::{Cause, Message, Peer},
    report::{Finding, OpenSend, Report, Rule},
};

/// From whom, to whom.
type Channel = (Peer, Peer);

/// The channels of all shards.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    sent: BTreeMap<Channel, Vec<Sent>>,
    accepted: BTreeMap<Channel, Accepted>,
    closed: BTreeMap<Channel, Closing>,
}

#[derive(Debug)]
struct Sent {
    digest: Digest,
    time: i64,
    /// Digest of the receiving entity's name: most logs have far more messages than names worth keeping.
    to: Digest,
}

#[derive(Debug, Default)]
struct Accepted {
    last: u64,
    messages: Vec<Acceptance>,
}

#[derive(Debug)]
struct Acceptance {
    seq: u64,
    digest: Digest,
    time: i64,
    /// Who took it; `None` when nobody did.
    by: Option<Digest>,
    offset: u64,
}

#[derive(Debug)]
struct Closing {
    upto: u64,
    offset: u64,
}

impl Channels {
    /// Takes the next effective commit of a shard.
    pub(crate) fn take(&mut self, at: &Effective, logs: &Logs, report: &mut Report) {
        if let Cause::Channel { from, seq, digest } = &at.commit.cause {
            self.accept(at, from, *seq, *digest, report);
        }
        for send in &at.commit.sends {
            self.send(at, send, logs, report);
        }
        for closed in &at.commit.closed {
            let closing = Closing { upto: closed.seq, offset: at.offset };
            self.closed.insert((at.at.clone(), closed.to.clone()), closing);
        }
    }

    fn accept(&mut self, at: &Effective, from: &Peer, seq: u64, digest: Digest, report: &mut Report) {
        report.counts.accepted += 1;
        let end = self.accepted.entry((from.clone(), at.at.clone())).or_default();
        let expected = end.last.saturating_add(1);
        if seq != expected {
            let found = format!("message {seq} from {from} accepted");
            broken(report, at, Rule::Channel, found, format!("message {expected}"));
        }
        if seq > end.last {
            end.last = seq;
            let by = at.entity().map(|e| Digest::of(e.to_string().as_bytes()));
            end.messages.push(Acceptance { seq, digest, time: at.commit.time, by, offset: at.offset });
        }
    }

    fn send(&mut self, at: &Effective, raw: &RawValue, logs: &Logs, report: &mut Report) {
        report.counts.sent += 1;
        let message = match Message::read(raw) {
            Ok(message) => message,
            Err(why) => {
                let found = format!("a send that cannot be read: {why}");
                return broken(report, at, Rule::Readable, found, "a message".into());
            }
        };
        let (to, seq) = (message.receiver(), message.seq);
        let sent = self.sent.entry((at.at.clone(), to.clone())).or_default();
        let number = len(sent).saturating_add(1);
        let prev = sent.last().map_or(Digest::NONE, |m| m.digest);
        let name = format!("{}/{}", message.to.kind, message.to.id);
        let home =
            logs.partitions(&to.service, to.log_id).map(|n| shard_of(&message.to.kind, &message.to.id, n));
        let checks = [
            (Rule::Channel, "from", message.from.to_string(), at.at.to_string(), message.from == at.at),
            (Rule::Channel, "number", seq.to_string(), number.to_string(), seq == number),
            (Rule::Channel, "predecessor", message.prev.to_string(), prev.to_string(), message.prev == prev),
            (
                Rule::Time,
                "time",
                message.time.to_string(),
                at.commit.time.to_string(),
                message.time == at.commit.time,
            ),
            (
                Rule::Placement,
                "shard",
                to.shard.to_string(),
                home.map_or_else(String::new, |h| h.to_string()),
                home.is_none_or(|h| h == to.shard),
            ),
        ];
        for (rule, field, found, expected, _) in checks.into_iter().filter(|(.., good)| !good) {
            broken(report, at, rule, format!("a send to {to} ({name}) with {field} {found}"), expected);
        }
        let to = Digest::of(name.as_bytes());
        sent.push(Sent { digest: Digest::of(raw.get().as_bytes()), time: message.time, to });
    }

    /// Compares the ends.
    pub(crate) fn finish(&self, logs: &Logs, report: &mut Report) {
        for (channel, end) in &self.accepted {
            self.compare(channel, end, logs, report);
        }
        for (channel, closing) in &self.closed {
            self.compare_closed(channel, closing, logs, report);
        }
        for ((from, to), sent) in &self.sent {
            let accepted = self.accepted.get(&(from.clone(), to.clone())).map_or(0, |a| a.last);
            if len(sent) > accepted {
                let first = accepted.saturating_add(1);
                report.open.push(OpenSend { from: from.clone(), to: to.clone(), first, last: len(sent) });
            }
        }
    }

    fn compare(&self, channel: &Channel, end: &Accepted, logs: &Logs, report: &mut Report) {
        let (from, to) = channel;
        let empty = Vec::new();
        let sent = self.sent.get(channel).unwrap_or(&empty);
        for got in &end.messages {
            let index = got.seq.checked_sub(1).and_then(|i| usize::try_from(i).ok());
            let Some(was) = index.and_then(|i| sent.get(i)) else {
                if logs.whole(from) {
                    let found = format!("message {} from {from} accepted", got.seq);
                    at_peer(report, to, got.offset, Rule::Safe, found, format!("{} sent", sent.len()));
                } else {
                    report.counts.not_compared += 1;
                }
                continue;
            };
            if was.digest != got.digest {
                let found = format!("message {} from {from} with digest {}", got.seq, got.digest);
                at_peer(report, to, got.offset, Rule::Channel, found, format!("{}, as sent", was.digest));
            }
            if got.by.is_some_and(|by| by != was.to) {
                let found = format!("message {} from {from} taken by another entity", got.seq);
                at_peer(report, to, got.offset, Rule::Channel, found, "the entity it was sent to".into());
            }
            if got.time <= was.time {
                let found = format!("time {} of the effect of message {} from {from}", got.time, got.seq);
                at_peer(report, to, got.offset, Rule::Time, found, format!("later than {}", was.time));
            }
        }
    }

    fn compare_closed(&self, channel: &Channel, closing: &Closing, logs: &Logs, report: &mut Report) {
        let (from, to) = channel;
        let accepted = self.accepted.get(channel).map_or(0, |a| a.last);
        if closing.upto > accepted && logs.whole(to) {
            let found = format!("messages to {to} closed up to {}", closing.upto);
            at_peer(report, from, closing.offset, Rule::Safe, found, format!("{accepted} accepted there"));
        }
    }
}

fn at_peer(report: &mut Report, at: &Peer, offset: u64, rule: Rule, found: String, expected: String) {
    let service = Arc::clone(&at.service);
    report.find(Finding { rule, service, shard: at.shard, offset: Some(offset), found, expected });
}
