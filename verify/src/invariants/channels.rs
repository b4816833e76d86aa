//! C1: a channel delivers 1, 2, 3.. once each, and the very bytes that were sent. C3: nothing is accepted that was not
//! sent; nothing is forgotten by its sender before its receiver accepted it. T5 from cause to effect. S2, the log's side
//! of it: an answer says how the question ended, and a saga takes it for what it says.
//!
//! Each end is folded on its own from its shard's commits. A message is compared as soon as both ends are known, and
//! then forgotten: what is remembered is what is under way.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Logs, broken};
use crate::{
    hash::{Digest, shard_of},
    reader::Effective,
    record::{Cause, Message, Outcome, Peer},
    report::{Finding, OpenSend, Report, Rule},
};

/// From whom, to whom.
type Channel = (Peer, Peer);

/// The channels of all shards.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    all: BTreeMap<Channel, Ends>,
    /// Entities that keep messages they did not answer, because they are parked.
    keeping: BTreeSet<(Peer, Digest)>,
}

/// What an answer says, or is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Digest of what it answers.
    pub(crate) re: Digest,
    /// What became of it.
    pub(crate) says: Says,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// Accepted.
    Done,
    /// A definite no.
    Refused,
    /// Nothing definite.
    Open,
}

impl Answer {
    pub(crate) fn new(re: &str, says: Says) -> Self {
        Self { re: Digest::of(re.as_bytes()), says }
    }
}

impl From<Outcome> for Says {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Self::Done,
            Outcome::Rejected | Outcome::Conflict | Outcome::Invalid => Self::Refused,
            Outcome::Parked => Self::Open,
        }
    }
}

/// What is known of one channel.
#[derive(Debug, Default)]
struct Ends {
    /// How many messages were sent, and the digest of the last.
    sent: u64,
    last: Option<Digest>,
    /// The number of the last that was accepted.
    accepted: u64,
    /// Sent, its acceptance not met yet; accepted, its send not met yet.
    under_way: BTreeMap<u64, Sent>,
    unsent: BTreeMap<u64, Acceptance>,
    /// What the sender forgot last.
    closing: Option<Closing>,
}

#[derive(Debug)]
struct Sent {
    digest: Digest,
    time: i64,
    /// Digest of the receiving entity's name.
    to: Digest,
    /// What it says, when it is an answer.
    answer: Option<Answer>,
}

#[derive(Debug)]
struct Acceptance {
    digest: Digest,
    time: i64,
    /// Who took it; `None` when nobody did.
    by: Option<Digest>,
    /// Which answer it was taken for.
    taken_as: Option<Answer>,
    offset: u64,
}

#[derive(Debug)]
struct Closing {
    upto: u64,
    offset: u64,
}

impl Channels {
    /// Takes the next effective commit of a shard, and which answer its entity took it for.
    pub(crate) fn take(
        &mut self,
        at: &Effective,
        taken_as: Option<Answer>,
        logs: &Logs<'_>,
        report: &mut Report,
    ) {
        if let Cause::Channel { from, seq, digest } = &at.commit.cause {
            let by = at.entity().map(|e| Digest::of(e.to_string().as_bytes()));
            if let (Outcome::Parked, Some(by)) = (at.commit.outcome, by) {
                self.keeping.insert((at.at.clone(), by));
            }
            let got = Acceptance { digest: *digest, time: at.commit.time, by, taken_as, offset: at.offset };
            self.accept(at, (from.clone(), at.at.clone()), *seq, got, report);
        }
        for send in &at.commit.sends {
            self.send(at, send, logs, report);
        }
        for closed in &at.commit.closed {
            let ends = self.all.entry((at.at.clone(), closed.to.clone())).or_default();
            ends.closing = Some(Closing { upto: closed.seq, offset: at.offset });
        }
    }

    fn accept(&mut self, at: &Effective, channel: Channel, seq: u64, got: Acceptance, report: &mut Report) {
        report.counts.accepted += 1;
        let ends = self.all.entry(channel.clone()).or_default();
        let expected = ends.accepted.saturating_add(1);
        if seq != expected {
            let found = format!("message {seq} from {} accepted", channel.0);
            broken(report, at, Rule::Channel, found, format!("message {expected}"));
        }
        if seq > ends.accepted {
            ends.accepted = seq;
            ends.unsent.insert(seq, got);
            ends.meet(&channel, seq, report);
        }
    }

    fn send(&mut self, at: &Effective, raw: &RawValue, logs: &Logs<'_>, report: &mut Report) {
        report.counts.sent += 1;
        let message = match Message::read(raw) {
            Ok(message) => message,
            Err(why) => {
                let found = format!("a send that cannot be read: {why}");
                return broken(report, at, Rule::Readable, found, "a message".into());
            }
        };
        let (to, seq) = (message.receiver(), message.seq);
        let channel = (at.at.clone(), to.clone());
        let ends = self.all.entry(channel.clone()).or_default();
        let number = ends.sent.saturating_add(1);
        let prev = ends.last.unwrap_or(Digest::NONE);
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
        let digest = Digest::of(raw.get().as_bytes());
        (ends.sent, ends.last) = (number, Some(digest));
        let answer = answer(at, &message, report);
        let to = Digest::of(name.as_bytes());
        ends.under_way.insert(number, Sent { digest, time: message.time, to, answer });
        ends.meet(&channel, number, report);
    }

    /// Whether nothing is under way between two shards in either direction, and what was asked of this entity was taken
    /// for good: then no answer is to come.
    pub(crate) fn silent(&self, a: &Peer, b: &Peer, entity: &str) -> bool {
        let under_way = |from: &Peer, to: &Peer| {
            self.all.get(&(from.clone(), to.clone())).is_some_and(|ends| ends.sent > ends.accepted)
        };
        let keeps = self.keeping.contains(&(b.clone(), Digest::of(entity.as_bytes())));
        !under_way(a, b) && !under_way(b, a) && !keeps
    }

    /// Says what one end has that the other has not.
    pub(crate) fn finish(&self, logs: &Logs<'_>, report: &mut Report) {
        for ((from, to), ends) in &self.all {
            ends.never_sent(from, to, logs, report);
            ends.closed_early(from, to, logs, report);
        }
        for ((from, to), ends) in self.all.iter().filter(|(_, ends)| ends.sent > ends.accepted) {
            let first = ends.accepted.saturating_add(1);
            report.open.push(OpenSend { from: from.clone(), to: to.clone(), first, last: ends.sent });
        }
    }
}

impl Ends {
    /// Compares a message, once both ends of it are known.
    fn meet(&mut self, (from, to): &Channel, seq: u64, report: &mut Report) {
        if !self.under_way.contains_key(&seq) || !self.unsent.contains_key(&seq) {
            return;
        }
        let (Some(was), Some(got)) = (self.under_way.remove(&seq), self.unsent.remove(&seq)) else { return };
        if was.digest != got.digest {
            let found = format!("message {seq} from {from} with digest {}", got.digest);
            at_peer(report, to, got.offset, Rule::Channel, found, format!("{}, as sent", was.digest));
        }
        if got.by.is_some_and(|by| by != was.to) {
            let found = format!("message {seq} from {from} taken by another entity");
            at_peer(report, to, got.offset, Rule::Channel, found, "the entity it was sent to".into());
        }
        if got.taken_as.is_some() && got.taken_as != was.answer {
            let found = format!("message {seq} from {from} taken for another answer than it is");
            at_peer(report, to, got.offset, Rule::Net, found, "the answer as it was sent".into());
        }
        if got.time <= was.time {
            let found = format!("time {} of the effect of message {seq} from {from}", got.time);
            at_peer(report, to, got.offset, Rule::Time, found, format!("later than {}", was.time));
        }
    }

    fn never_sent(&self, from: &Peer, to: &Peer, logs: &Logs<'_>, report: &mut Report) {
        for (seq, got) in &self.unsent {
            if logs.whole(from) {
                let found = format!("message {seq} from {from} accepted");
                at_peer(report, to, got.offset, Rule::Safe, found, format!("{} sent", self.sent));
            } else {
                report.counts.not_compared += 1;
            }
        }
    }

    fn closed_early(&self, from: &Peer, to: &Peer, logs: &Logs<'_>, report: &mut Report) {
        let Some(closing) = self.closing.as_ref().filter(|c| c.upto > self.accepted && logs.whole(to)) else {
            return;
        };
        let found = format!("messages to {to} closed up to {}", closing.upto);
        at_peer(report, from, closing.offset, Rule::Safe, found, format!("{} accepted there", self.accepted));
    }
}

/// What a message answers, and how: as its sender committed it.
fn answer(at: &Effective, message: &Message, report: &mut Report) -> Option<Answer> {
    #[derive(Deserialize)]
    struct Reply {
        outcome: Outcome,
    }
    let re = message.re.as_ref()?;
    let Ok(Reply { outcome }) = serde_json::from_str(message.data.get()) else {
        broken(report, at, Rule::Readable, format!("an answer to {re} without outcome"), "an answer".into());
        return None;
    };
    if outcome != at.commit.outcome {
        let found = format!("the answer {outcome:?} to {re}");
        broken(report, at, Rule::Net, found, format!("{:?}, as it was committed", at.commit.outcome));
    }
    Some(Answer::new(re, outcome.into()))
}

fn at_peer(report: &mut Report, at: &Peer, offset: u64, rule: Rule, found: String, expected: String) {
    let service = Arc::clone(&at.service);
    report.find(Finding { rule, service, shard: at.shard, offset: Some(offset), found, expected });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_forgotten_when_both_ends_of_it_are_known() {
        let peer = |shard| Peer { service: "s".into(), log_id: uuid::Uuid::nil(), shard };
        let (channel, mut ends, mut report) = ((peer(0), peer(1)), Ends::default(), Report::default());
        let digest = Digest::of(b"m");
        let sent = |time| Sent { digest, time, to: digest, answer: None };
        let got = |time| Acceptance { digest, time, by: Some(digest), taken_as: None, offset: 0 };

        // In either order.
        ends.under_way.insert(1, sent(1));
        ends.meet(&channel, 1, &mut report);
        assert_eq!(ends.under_way.len(), 1);
        ends.unsent.insert(1, got(2));
        ends.meet(&channel, 1, &mut report);
        ends.unsent.insert(2, got(4));
        ends.meet(&channel, 2, &mut report);
        ends.under_way.insert(2, sent(3));
        ends.meet(&channel, 2, &mut report);

        assert!(ends.under_way.is_empty() && ends.unsent.is_empty() && report.is_clean());
    }
}
