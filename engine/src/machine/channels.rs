//! Channels between shards, folded from the commits on both sides: what was accepted, what was sent and is not yet known
//! to be safe. TCP with the log as its memory. Knows nothing of roads.
//!
//! | at the receiver, a message with | is |
//! |---|---|
//! | `seq` = last + 1 and `prev` = digest of the last | accepted |
//! | `seq` <= last | old: dropped, acknowledged again |
//! | `seq` > last + 1 | held back, unless it is too far ahead; what is missing is asked for |
//! | `seq` = last + 1 and another `prev` | not the next one: dropped with an alarm, and asked for again |
//!
//! A number alone is never believed: what bears the right one on another parent is a forged or damaged copy, and the sender
//! has the true one; or one side was restored, and then nothing on this channel fits any more and none of it is accepted.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Encoded, Sent};
use crate::{
    commit::{Closed, Peer},
    digest::Digest,
    machine::rows::{Row, Section},
    message::Message,
};

/// How far ahead of the last accepted one a message is held back; what is beyond is dropped and asked for again.
pub const HELD: u64 = 1_024;

/// Both directions of all channels of a shard.
#[derive(Debug, Default)]
pub struct Channels {
    incoming: BTreeMap<Peer, Incoming>,
    outgoing: BTreeMap<Peer, Outgoing>,
    /// How many messages are held back on all channels.
    held: usize,
}

#[derive(Debug, Default)]
struct Incoming {
    last: u64,
    digest: Digest,
    /// The last one whose acceptance is effective: what may be acknowledged.
    effective: (u64, Digest),
    held: BTreeMap<u64, Held>,
}

#[derive(Debug)]
struct Held {
    message: Arc<Message>,
    digest: Digest,
    offset: Option<u64>,
}

#[derive(Debug, Default)]
struct Outgoing {
    last: u64,
    digest: Digest,
    closed: u64,
    acked: u64,
    open: VecDeque<Open>,
    /// The first and the last number that has a row in the snapshot: those that were open at the last capture.
    saved: (u64, u64),
}

/// A send that is not known to be safe.
#[derive(Debug)]
struct Open {
    seq: u64,
    /// The commit that sent it.
    pseq: u64,
    message: Encoded,
}

/// The counters of a shard's channels, as the snapshot's head keeps them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counters {
    incoming: Vec<(Peer, u64, Digest)>,
    outgoing: Vec<(Peer, u64, Digest, u64)>,
}

/// What the receiver makes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next one: accept it.
    Next,
    /// Already accepted.
    Old,
    /// Something before it is not accepted yet.
    Early,
    /// It bears the next number and does not follow the last one.
    Stray,
}

impl Channels {
    /// What this message is to the receiver.
    pub fn arrival(&mut self, message: &Message) -> Arrival {
        let at = self.incoming.entry(message.from.clone()).or_default();
        let next = at.last.saturating_add(1);
        match message.seq.cmp(&next) {
            std::cmp::Ordering::Less if zoo!("old-message-taken-again") => Arrival::Next,
            std::cmp::Ordering::Less => Arrival::Old,
            std::cmp::Ordering::Greater => Arrival::Early,
            std::cmp::Ordering::Equal if message.prev == at.digest || zoo!("predecessor-not-compared") => {
                Arrival::Next
            }
            std::cmp::Ordering::Equal => {
                sometimes!("message on another predecessor dropped");
                Arrival::Stray
            }
        }
    }

    /// Keeps an early message until what is missing has come. False when it is too far ahead. Of two copies the first stays,
    /// with the place in the inbox that either has: a new owner must not resume behind it.
    pub fn hold(&mut self, message: Arc<Message>, digest: Digest, offset: Option<u64>) -> bool {
        let at = self.incoming.entry(message.from.clone()).or_default();
        if let Some(held) = at.held.get_mut(&message.seq) {
            held.offset = held.offset.or(offset);
            return true;
        }
        if message.seq > at.last.saturating_add(HELD) {
            sometimes!("message too far ahead dropped");
            return false;
        }
        at.held.insert(message.seq, Held { message, digest, offset });
        self.held += 1;
        true
    }

    /// How many messages are held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// The first number that is neither accepted nor held back.
    #[must_use]
    pub fn missing(&self, from: &Peer) -> u64 {
        let Some(at) = self.incoming.get(from) else { return 1 };
        let mut missing = at.last.saturating_add(1);
        while at.held.contains_key(&missing) {
            missing = missing.saturating_add(1);
        }
        missing
    }

    /// A message held back whose turn has come.
    pub fn release(&mut self, from: &Peer) -> Option<(Arc<Message>, Digest, Option<u64>)> {
        let at = self.incoming.get_mut(from)?;
        let held = at.held.remove(&at.last.saturating_add(1))?;
        sometimes!("held message released");
        self.held -= 1;
        Some((held.message, held.digest, held.offset))
    }

    /// The channels on which a message that was held back is the next one.
    #[must_use]
    pub fn releasable(&self) -> Vec<Peer> {
        let next = |at: &Incoming| at.held.contains_key(&at.last.saturating_add(1));
        self.incoming.iter().filter(|(_, at)| next(at)).map(|(from, _)| from.clone()).collect()
    }

    /// The lowest inbox offset among what is held back.
    #[must_use]
    pub fn lowest_held(&self) -> Option<u64> {
        if self.held == 0 {
            return None;
        }
        self.incoming.values().flat_map(|at| at.held.values()).filter_map(|h| h.offset).min()
    }

    /// Folds an acceptance.
    pub fn accepted(&mut self, from: &Peer, seq: u64, digest: Digest) {
        let at = self.incoming.entry(from.clone()).or_default();
        at.last = seq;
        at.digest = digest;
    }

    /// The acceptance of this number is effective: it may be acknowledged.
    pub fn effective(&mut self, from: &Peer, seq: u64, digest: Digest) {
        if let Some(at) = self.incoming.get_mut(from).filter(|at| at.effective.0 < seq) {
            at.effective = (seq, digest);
        }
    }

    /// Everything folded so far is effective (after a recovery).
    pub fn all_effective(&mut self) {
        self.incoming.values_mut().for_each(|at| at.effective = (at.last, at.digest));
    }

    /// The highest number whose acceptance is effective, and the digest of its message.
    #[must_use]
    pub fn acknowledged(&self, from: &Peer) -> (u64, Digest) {
        self.incoming.get(from).map_or((0, Digest::ZERO), |at| at.effective)
    }

    /// Number and predecessor of the next message to this peer.
    #[must_use]
    pub fn next_to(&self, to: &Peer) -> (u64, Digest) {
        self.outgoing.get(to).map_or((1, Digest::ZERO), |at| (at.last.saturating_add(1), at.digest))
    }

    /// Folds a send.
    pub fn sent(&mut self, sent: Sent, pseq: u64) {
        let Sent { to, message } = sent;
        let seq = message.message().seq;
        let at = self.outgoing.entry(to).or_default();
        at.last = seq;
        at.digest = message.digest();
        at.open.push_back(Open { seq, pseq, message });
    }

    /// The receiver says that everything up to here is effective at its side, and which message that is. True when that is
    /// news. A number alone is not believed: whoever names another message speaks of another history, or makes it up.
    pub fn ack(&mut self, to: &Peer, upto: u64, digest: Digest) -> bool {
        let Some(at) = self.outgoing.get_mut(to).filter(|at| upto > at.acked) else { return false };
        let known = at.open.partition_point(|open| open.seq < upto);
        let Some(open) = at.open.get(known).filter(|open| open.seq == upto) else { return false };
        if open.message.digest() != digest && !zoo!("acknowledgement-not-compared") {
            sometimes!("acknowledgement of another message ignored");
            return false;
        }
        at.acked = upto;
        true
    }

    /// What is known to be safe and not yet recorded as such.
    #[must_use]
    pub fn closable(&self) -> Vec<Closed> {
        let news = self.outgoing.iter().filter(|(_, at)| at.acked > at.closed);
        news.map(|(to, at)| Closed { to: to.clone(), seq: at.acked }).collect()
    }

    /// Folds a closing.
    pub fn close(&mut self, to: &Peer, upto: u64) {
        let Some(at) = self.outgoing.get_mut(to) else { return };
        at.closed = at.closed.max(upto);
        at.acked = at.acked.max(upto);
        while at.open.front().is_some_and(|open| open.seq <= upto) {
            at.open.pop_front();
        }
    }

    /// The sends to a peer that are not known to be safe, after a number, in order.
    pub fn open_after<'a>(&'a self, to: &Peer, after: u64) -> impl Iterator<Item = (u64, &'a Encoded)> {
        let open = self.outgoing.get(to).into_iter().flat_map(move |at| {
            let after = after.max(at.acked);
            let known = at.open.partition_point(|open| open.seq <= after);
            at.open.range(known..)
        });
        open.map(|open| (open.seq, &open.message))
    }

    /// Every peer something was received from.
    pub fn incoming(&self) -> impl Iterator<Item = &Peer> {
        self.incoming.keys()
    }

    /// Every peer something was sent to, with the highest number sent and the highest known to be safe.
    pub fn outgoing(&self) -> impl Iterator<Item = (&Peer, u64, u64)> {
        self.outgoing.iter().map(|(to, at)| (to, at.last, at.acked))
    }

    /// The highest number sent to a peer and the highest known to be safe.
    #[must_use]
    pub fn outgoing_to(&self, to: &Peer) -> Option<(u64, u64)> {
        self.outgoing.get(to).map(|at| (at.last, at.acked))
    }

    /// The counters, for the snapshot's head.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let forgotten = zoo!("counters-not-in-the-snapshot");
        let incoming = self.incoming.iter().filter(|(_, at)| at.last > 0 && !forgotten);
        Counters {
            incoming: incoming.map(|(p, at)| (p.clone(), at.last, at.digest)).collect(),
            outgoing: self
                .outgoing
                .iter()
                .map(|(p, at)| (p.clone(), at.last, at.digest, at.closed))
                .collect(),
        }
    }

    /// Rows of the open sends that changed since the last call, which came at commit `pseq`. What was sent and became
    /// safe in between leaves no trace.
    pub(crate) fn drain_rows(&mut self, pseq: u64, rows: &mut Vec<Row>) {
        for (to, at) in &mut self.outgoing {
            let key = |seq: u64| format!("{}\n{}\n{}\n{seq:020}", to.service, to.log_id, to.shard);
            let (first, last) = at.saved;
            for seq in first..=last.min(at.closed) {
                rows.push(Row { section: Section::Send, key: key(seq), pseq, value: None });
            }
            for open in at.open.iter().filter(|open| open.seq > last) {
                let value = Some(open.message.raw().get().as_bytes().to_vec());
                rows.push(Row { section: Section::Send, key: key(open.seq), pseq: open.pseq, value });
            }
            at.saved = (at.closed.saturating_add(1), at.last);
        }
    }

    /// Takes back the counters of a snapshot's head.
    pub(crate) fn restore(&mut self, counters: Counters) {
        for (peer, last, digest) in counters.incoming {
            self.incoming
                .insert(peer, Incoming { last, digest, effective: (last, digest), ..Incoming::default() });
        }
        for (peer, last, digest, closed) in counters.outgoing {
            let saved = (closed.saturating_add(1), last);
            let open = VecDeque::new();
            self.outgoing.insert(peer, Outgoing { last, digest, closed, acked: closed, open, saved });
        }
    }

    /// Takes back an open send of a snapshot. Rows of a channel must come in the order of their keys.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) fn restore_open(&mut self, pseq: u64, value: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(value).map_err(|e| format!("open send: {e}"))?;
        let raw: Box<RawValue> = serde_json::from_str(text).map_err(|e| format!("open send: {e}"))?;
        let message = Encoded::decode(raw.into()).map_err(|e| format!("open send: {e}"))?;
        let open = Open { seq: message.message().seq, pseq, message };
        self.outgoing.entry(receiver(open.message.message())).or_default().open.push_back(open);
        Ok(())
    }
}

/// The shard a message goes to.
#[must_use]
pub fn receiver(message: &Message) -> Peer {
    Peer { service: Arc::clone(&message.to.service), log_id: message.to.log_id, shard: message.shard }
}
