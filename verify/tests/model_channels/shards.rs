//! The two shards: what lasts in their logs, and what their owners know beside it.

use crate::{
    channels::{Wire, digest, incoming, outgoing, receiver, sender},
    model::{Bounds, LeftOut},
};

/// The sending shard and its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sender {
    /// What its effective commits send. A message says `10 * number + attempt`: one that died is told from its successor.
    pub(crate) sent: Vec<u8>,
    /// A commit that is not known to be effective.
    pub(crate) flight: Option<u8>,
    /// What its commits have closed.
    pub(crate) closed: u8,
    /// How many sends its snapshot knows.
    pub(crate) snapshot: u8,
    /// Acknowledged, and not necessarily closed in a commit.
    pub(crate) acked: u8,
    /// Handed over up to here.
    pub(crate) relayed: u8,
    /// Sends up to here are open, and the owner does not know them.
    pub(crate) unknown: u8,
    died: u8,
}

impl Sender {
    pub(crate) fn send(&mut self) {
        let seq = u8::try_from(self.sent.len()).unwrap() + 1;
        self.flight = Some(10 * seq + self.died);
    }

    pub(crate) fn effective(&mut self) {
        self.sent.extend(self.flight.take());
    }

    /// True when that is news.
    pub(crate) fn ack(&mut self, upto: u8) -> bool {
        let mut channels = outgoing(&self.sent, self.unknown, self.closed, self.acked);
        let news = channels.ack(&receiver(), upto.into(), digest(&self.sent, upto));
        if news {
            self.acked = upto;
        }
        news
    }

    /// Whether something is sent and not known to be safe.
    pub(crate) fn waits(&self) -> bool {
        let channels = outgoing(&self.sent, self.unknown, self.closed, self.acked);
        channels.outgoing_to(&receiver()).is_some_and(|(last, acked)| last > acked)
    }

    pub(crate) fn close(&mut self) {
        let channels = outgoing(&self.sent, self.unknown, self.closed, self.acked);
        let closed = channels.closable().into_iter().map(|closed| closed.seq).max();
        self.closed = self.closed.max(u8::try_from(closed.unwrap_or(0)).unwrap());
    }

    pub(crate) fn crash(&mut self, landed: bool, bounds: &Bounds) {
        if landed {
            self.effective();
        } else if self.flight.take().is_some() {
            self.died += 1;
        }
        self.acked = self.closed;
        self.relayed = self.closed;
        self.unknown = if bounds.keeps(LeftOut::SnapshotSends) { 0 } else { self.snapshot };
    }
}

/// The receiving shard and its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Receiver {
    /// What its effective commits accept.
    pub(crate) accepted: Vec<u8>,
    /// An acceptance that is not known to be effective, and the low mark in its commit.
    pub(crate) flight: Option<(Wire, u8)>,
    /// The low mark of its effective commits.
    pub(crate) low: u8,
    /// How many acceptances its snapshot stands for.
    pub(crate) snapshot: u8,
    /// The next offset of the inbox to be read.
    pub(crate) next: u8,
    /// Held back, with the offset of what came by the inbox.
    pub(crate) holds: Vec<(Wire, Option<u8>)>,
    /// Acceptances up to here were in a snapshot without its counters.
    pub(crate) forgotten: u8,
}

impl Receiver {
    pub(crate) fn effective(&mut self, wire: Wire, low: u8) {
        self.accepted.push(wire.content);
        self.low = self.low.max(low);
    }

    /// The first number that is neither accepted nor held back.
    pub(crate) fn missing(&self) -> u8 {
        u8::try_from(incoming(&self.accepted, self.forgotten, &self.holds).missing(&sender())).unwrap()
    }

    pub(crate) fn acknowledged(&self) -> u8 {
        u8::try_from(self.accepted.len()).unwrap()
    }

    pub(crate) fn crash(&mut self, landed: bool, bounds: &Bounds) {
        let flight = self.flight.take();
        if let (true, Some((wire, low))) = (landed, flight) {
            self.effective(wire, low);
        }
        self.next = self.low;
        self.holds.clear();
        self.forgotten = if bounds.keeps(LeftOut::SnapshotCounters) { 0 } else { self.snapshot };
    }
}
