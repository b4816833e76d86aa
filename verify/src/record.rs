//! The records of an `events` partition and the messages inside them, as their JSON says it: what a reader of format 1
//! must know. Written from the description of the format, not from the engine's types. Knows nothing of what counts.

use std::{fmt, sync::Arc};

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::hash::Digest;

/// The newest format this reader knows.
pub const FORMAT: u32 = 1;

/// A record, by its tag `t`.
#[derive(Debug, Clone)]
pub enum Record {
    /// The first record of a partition.
    Genesis(Genesis),
    /// An owner takes the shard.
    Claim(Claim),
    /// The effect of one input.
    Commit(Box<Commit>),
}

/// The beginning of a partition, the same on all partitions of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Genesis {
    /// Identity of the log.
    pub log_id: Uuid,
    /// The service.
    pub service: Arc<str>,
    /// How many partitions it has.
    pub partitions: u32,
    /// The format it was created in.
    pub format: u32,
}

/// An owner's claim.
#[derive(Debug, Clone, Deserialize)]
pub struct Claim {
    /// The term it begins.
    pub term: u64,
    /// The attempt.
    #[serde(rename = "claim")]
    pub id: Uuid,
    /// Who, for people.
    pub owner: String,
    /// When, in microseconds since 1970.
    pub time: i64,
}

/// The effect of one input.
#[derive(Debug, Clone, Deserialize)]
pub struct Commit {
    /// The term of its owner.
    pub term: u64,
    /// The claim of its owner.
    pub claim: Uuid,
    /// Its number in the partition.
    pub pseq: u64,
    /// Digest of the value of the commit (or genesis) before it.
    pub prev: Digest,
    /// Hybrid time in microseconds since 1970.
    pub time: i64,
    /// What it is the effect of.
    pub cause: Cause,
    /// Where a new owner resumes the inbox.
    pub low: Option<u64>,
    /// Sends known to be safe at their receiver.
    #[serde(default)]
    pub closed: Vec<Closed>,
    /// The entity and its version before.
    pub entity: Option<Entity>,
    /// How the input ended.
    pub outcome: Outcome,
    /// The reply or the refusal.
    pub answer: Option<Box<RawValue>>,
    /// What happened.
    #[serde(default)]
    pub events: Vec<Event>,
    /// Messages sent, each as the bytes that travel; [`Message::read`] reads one.
    #[serde(default)]
    pub sends: Vec<Box<RawValue>>,
    /// Timers set and cleared.
    #[serde(default)]
    pub timers: Timers,
    /// Attempts of activities it is the intent of.
    #[serde(default)]
    pub runs: Vec<Run>,
    /// Whether the entity came to its end.
    #[serde(default)]
    pub ended: bool,
    /// An input stored unapplied.
    pub parked: Option<Box<RawValue>>,
    /// Trace context.
    pub traceparent: Option<String>,
}

/// What a commit is the effect of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A client's message.
    Client {
        /// Its idempotency key.
        id: Uuid,
        /// Of what must be equal when it comes again.
        digest: Digest,
    },
    /// A message of a channel.
    Channel {
        /// The sender.
        from: Peer,
        /// Its number.
        seq: u64,
        /// Of its bytes.
        digest: Digest,
    },
    /// A timer that fired.
    Timer {
        /// Its name inside the entity.
        node: String,
        /// Which setting of it.
        serial: u64,
    },
    /// An attempt of an activity that ended.
    Activity(Run),
    /// An act of the engine.
    Control {
        /// Which.
        act: String,
    },
}

/// One end of a channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Peer {
    /// The service.
    pub service: Arc<str>,
    /// The identity of its log.
    pub log_id: Uuid,
    /// The shard.
    pub shard: u32,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.shard)
    }
}

/// A channel is safe up to a number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Closed {
    /// The receiver.
    pub to: Peer,
    /// The number.
    pub seq: u64,
}

/// An entity and its version before the commit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entity {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// How many events it had.
    pub version: u64,
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// How an input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done.
    Accepted,
    /// A business no.
    Rejected,
    /// Another version was expected.
    Conflict,
    /// The engine's no.
    Invalid,
    /// Stored, not applied.
    Parked,
}

/// One event.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    /// Its stable name, `kind.tag`.
    #[serde(rename = "type")]
    pub name: String,
    /// The schema number of its data.
    pub schema: u32,
    /// Its payload.
    pub data: Box<RawValue>,
}

/// What a commit does to timers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Timers {
    /// Set.
    #[serde(default)]
    pub set: Vec<SetTimer>,
    /// Cleared.
    #[serde(default)]
    pub clear: Vec<ClearTimer>,
}

/// A timer that is set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SetTimer {
    /// Its name inside the entity.
    pub node: String,
    /// Which setting of it.
    pub serial: u64,
    /// Not before this time.
    pub due: i64,
}

/// A timer that is cleared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClearTimer {
    /// Its name inside the entity.
    pub node: String,
    /// Which setting of it.
    pub serial: u64,
}

/// One attempt of an activity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Run {
    /// The effect key inside the entity.
    pub key: String,
    /// The round.
    pub round: u32,
    /// The attempt inside the round.
    pub attempt: u32,
}

/// A message on a channel.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    /// The sender.
    pub from: Peer,
    /// Its number.
    pub seq: u64,
    /// Digest of the message before it.
    pub prev: Digest,
    /// Time of the commit that sent it.
    pub time: i64,
    /// Whom it is for.
    pub to: Target,
    /// The receiving shard.
    pub shard: u32,
    /// What it is.
    #[serde(rename = "type")]
    pub name: String,
    /// Its payload.
    pub data: Box<RawValue>,
    /// Who wants an answer, and what is to be repeated in it.
    pub reply: Option<ReplyTo>,
    /// For an answer: what the question said there.
    pub re: Option<String>,
    /// Trace context.
    pub traceparent: Option<String>,
}

/// The entity that wants an answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReplyTo {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// What the answer is about.
    pub re: String,
}

impl Message {
    /// Reads one of [`Commit::sends`].
    ///
    /// # Errors
    /// When it is no message.
    pub fn read(raw: &RawValue) -> Result<Self, serde_json::Error> {
        serde_json::from_str(raw.get())
    }

    /// The end of the channel it goes to.
    #[must_use]
    pub fn receiver(&self) -> Peer {
        let Target { service, log_id, .. } = &self.to;
        Peer { service: Arc::clone(service), log_id: *log_id, shard: self.shard }
    }
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Target {
    /// The service.
    pub service: Arc<str>,
    /// The identity of its log.
    pub log_id: Uuid,
    /// The entity's kind.
    pub kind: String,
    /// The entity's id.
    pub id: String,
}

impl Record {
    /// Reads the value of a record.
    ///
    /// # Errors
    /// What is wrong with it, as text.
    pub fn read(value: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Tagged {
            t: String,
        }
        let text = |e: serde_json::Error| e.to_string();
        let tagged: Tagged = serde_json::from_slice(value).map_err(text)?;
        match tagged.t.as_str() {
            "genesis" => serde_json::from_slice(value).map(Self::Genesis).map_err(text),
            "claim" => serde_json::from_slice(value).map(Self::Claim).map_err(text),
            "commit" => serde_json::from_slice(value).map(|c| Self::Commit(Box::new(c))).map_err(text),
            other => Err(format!("a record of type {other:?}")),
        }
    }
}
