//! What travels between shards and from clients: messages, their replies, control messages. Bytes are made in
//! `codec.rs`; what a message does is the receiver's business.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    address::{Address, EntityKey},
    commit::{Outcome, Peer},
    digest::Digest,
    position::Token,
    time::Micros,
};

/// The type of a message that answers another one.
pub const REPLY: &str = "reply";

/// The type of a client's message that sets an entity free that the engine has set aside. To any other entity it is a
/// message like others.
pub const UNPARK: &str = "unpark";

/// A message on a channel from one shard to another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// The sending shard.
    pub from: Peer,
    /// Its number on the channel: 1, 2, 3...
    pub seq: u64,
    /// Digest of the message before it on the channel; zero for the first.
    pub prev: Digest,
    /// Time of the commit that sent it.
    pub time: Micros,
    /// Whom it is for.
    pub to: Target,
    /// The receiving shard.
    pub shard: u32,
    /// What it is: a kind (a command for it), `reply`, or a word the receiving kind knows.
    #[serde(rename = "type")]
    pub name: Arc<str>,
    /// The payload.
    pub data: Box<RawValue>,
    /// Who wants an answer, and what to repeat in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<ReplyTo>,
    /// For a reply: what the ask said in [`ReplyTo::re`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub re: Option<Arc<str>>,
    /// W3C trace context of the message's send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Arc<str>>,
}

/// The entity a message is for, and the log it must live in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The receiving service.
    pub service: Arc<str>,
    /// The identity of its log.
    pub log_id: Uuid,
    /// The entity's kind.
    pub kind: Arc<str>,
    /// The entity's id.
    pub id: Arc<str>,
}

impl Target {
    /// The entity inside its service.
    #[must_use]
    pub fn key(&self) -> EntityKey {
        EntityKey { kind: Arc::clone(&self.kind), id: Arc::clone(&self.id) }
    }
}

/// The entity that wants the answer (it lives in the sending shard's service).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// Its kind.
    pub kind: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// Returned unchanged: what the answer is about.
    pub re: Arc<str>,
}

/// The payload of a `reply`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reply {
    /// How the message ended at the receiver.
    pub outcome: Outcome,
    /// The reply of an accepted message; a [`Refusal`] otherwise.
    pub answer: Box<RawValue>,
    /// The receiver's version after it.
    pub version: u64,
    /// Where to wait for its effects.
    pub token: Token,
}

/// A definite no, as it is recorded and travels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refusal {
    /// The name of the rejection, for programs: the tag of the rejection's enum, or one of [`Refusal::BUG`],
    /// `conflict`.
    pub code: Arc<str>,
    /// What it says, for people.
    pub text: Arc<str>,
    /// The rejection itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

impl Refusal {
    /// The code of everything that is the program's own fault: too large, broken, unknown kind, undecodable.
    pub const BUG: &'static str = "bug";
}

/// A command, start, signal or verb from a client.
#[derive(Debug, Clone)]
pub struct ClientMessage {
    /// UUIDv7, drawn once by the client and repeated with every retry.
    pub id: Uuid,
    /// Whom it is for.
    pub to: Address,
    /// What it is; for an aggregate's command, the kind.
    pub name: Arc<str>,
    /// The payload.
    pub data: Box<RawValue>,
    /// The version the entity must have.
    pub expect_version: Option<u64>,
    /// W3C trace context of the caller.
    pub traceparent: Option<Arc<str>>,
}

impl ClientMessage {
    /// When the id was born, from the time inside a UUIDv7; `None` for an id of another version.
    #[must_use]
    pub fn born(&self) -> Option<Micros> {
        born(self.id)
    }

    /// What must be equal when the same id comes again.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let expected = self.expect_version.map_or(-1, |v| i64::try_from(v).unwrap_or(i64::MAX));
        let text = format!("{}\n{}\n{expected}\n{}", self.to, self.name, self.data.get());
        Digest::of(text.as_bytes())
    }
}

/// The birth time inside a UUIDv7 (RFC 9562), a millisecond's precision.
#[must_use]
pub fn born(id: Uuid) -> Option<Micros> {
    if id.get_version_num() != 7 {
        return None;
    }
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let micros =
        i64::try_from(seconds).ok()?.checked_mul(1_000_000)?.checked_add(i64::from(nanos) / 1_000)?;
    Some(Micros(micros))
}

/// Unsequenced, idempotent messages between two shards that make no commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Who says it.
    pub from: Peer,
    /// To whom.
    pub to: Peer,
    /// What it says of the channel between them.
    pub says: Says,
}

/// The three things one end of a channel can tell the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// By the receiver: everything up to here is effective at me.
    Ack {
        /// The highest number accepted.
        upto: u64,
        /// Of that message's bytes: a number alone is not believed.
        digest: Digest,
    },
    /// By the sender: my highest number to you is this.
    Advertise {
        /// The highest number sent.
        highest: u64,
    },
    /// By the receiver: send again from here.
    Resend {
        /// The first number missing.
        from: u64,
    },
}
