//! The engine's own channels, built from what the model remembers: the commits of a log and what came since. Every
//! question about a number is put to them.

use std::collections::BTreeMap;

use palinode::{
    Digest,
    commit::Peer,
    machine::{Encoded, Incoming, Sent, channels::Channels},
    message::{Message, Target},
    time::Micros,
};
use serde_json::value::to_raw_value;
use uuid::Uuid;

/// A message on its way: its number, what it says, and what all before it said.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Wire {
    pub(crate) seq: u8,
    pub(crate) content: u8,
    pub(crate) before: Vec<u8>,
}

pub(crate) fn sender() -> Peer {
    Peer { service: "hotel".into(), log_id: Uuid::from_u128(1), shard: 0 }
}

pub(crate) fn receiver() -> Peer {
    Peer { service: "seats".into(), log_id: Uuid::from_u128(2), shard: 0 }
}

/// The messages of a channel that says this.
struct Chain(Vec<Encoded>);

impl Chain {
    fn of(contents: &[u8]) -> Self {
        let mut chain: Vec<Encoded> = Vec::new();
        for (seq, content) in (1..).zip(contents) {
            let to = receiver();
            let target =
                Target { service: to.service, log_id: to.log_id, kind: "seat".into(), id: "1".into() };
            let message = Message {
                from: sender(),
                seq,
                prev: chain.last().map_or(Digest::ZERO, Encoded::digest),
                time: Micros(0),
                to: target,
                shard: to.shard,
                name: "seat".into(),
                data: to_raw_value(content).unwrap(),
                reply: None,
                re: None,
                traceparent: None,
            };
            chain.push(Encoded::encode(message).unwrap());
        }
        Self(chain)
    }
}

thread_local! {
    /// Chains are made once.
    static CHAINS: std::cell::RefCell<BTreeMap<Vec<u8>, std::rc::Rc<Chain>>> = const { std::cell::RefCell::new(BTreeMap::new()) };
}

fn chain(contents: &[u8]) -> std::rc::Rc<Chain> {
    CHAINS.with(|chains| {
        let mut chains = chains.borrow_mut();
        let made = || std::rc::Rc::new(Chain::of(contents));
        std::rc::Rc::clone(chains.entry(contents.to_vec()).or_insert_with(made))
    })
}

impl Wire {
    /// The last message of a channel that says this.
    pub(crate) fn last_of(contents: &[u8]) -> Self {
        let (content, before) = contents.split_last().unwrap();
        Self { seq: u8::try_from(contents.len()).unwrap(), content: *content, before: before.to_vec() }
    }

    pub(crate) fn message(&self) -> Encoded {
        let mut contents = self.before.clone();
        contents.push(self.content);
        chain(&contents).0.last().unwrap().clone()
    }
}

/// The sending side: these sends are folded from the log, except that those up to `unknown` were in a snapshot that knows
/// only their number.
pub(crate) fn outgoing(sent: &[u8], unknown: u8, closed: u8, acked: u8) -> Channels {
    let mut channels = Channels::default();
    for (seq, message) in (1..).zip(&chain(sent).0) {
        channels.sent(Sent { to: receiver(), message: message.clone() }, seq);
        if seq == u64::from(unknown) {
            // What a snapshot without its open sends leaves: closed in all but name.
            channels.close(&receiver(), seq);
        }
    }
    channels.close(&receiver(), closed.into());
    channels.ack(&receiver(), acked.into(), digest(sent, acked));
    channels
}

/// Of the message of this number, as the sender has it: that acknowledgements name their message is not modelled.
pub(crate) fn digest(sent: &[u8], seq: u8) -> Digest {
    let nth = usize::from(seq).checked_sub(1);
    nth.and_then(|nth| Some(chain(sent).0.get(nth)?.digest())).unwrap_or(Digest::ZERO)
}

/// The receiving side: these acceptances are folded from the log, except those up to `forgotten`; then what is held back
/// came.
pub(crate) fn incoming(accepted: &[u8], forgotten: u8, holds: &[(Wire, Option<u8>)]) -> Channels {
    let mut channels = Channels::default();
    for (seq, message) in (1..).zip(&chain(accepted).0).skip(forgotten.into()) {
        channels.accepted(&sender(), seq, message.digest());
    }
    for (wire, offset) in holds {
        let Incoming { message, digest, .. } = wire.message().into();
        channels.hold(message, digest, offset.map(u64::from));
    }
    channels
}
