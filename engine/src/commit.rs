//! The records of an `events` partition, as data: genesis, claim, commit. What each field means; never whether a
//! record counts (that is `machine/fold.rs`) nor how it is turned into bytes (`codec.rs`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{digest::Digest, time::Micros};

/// The format this build writes and the newest it reads.
pub const FORMAT: u32 = 1;

/// The first record of every partition of a service's log, the same on all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// The identity of the log, drawn once.
    pub log_id: Uuid,
    /// The service.
    pub service: Arc<str>,
    /// How many shards it has, for ever.
    pub partitions: u32,
    /// The format the log was created in.
    pub format: u32,
}

/// A node takes a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// One more than the term it ends.
    pub term: u64,
    /// New for every attempt.
    #[serde(rename = "claim")]
    pub claim_id: Uuid,
    /// Who claims, for people.
    pub owner: Arc<str>,
    /// When.
    pub time: Micros,
}

/// The whole effect of one input, in one record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Commit {
    /// The term it was written under.
    pub term: u64,
    /// The claim it was written under.
    #[serde(rename = "claim")]
    pub claim_id: Uuid,
    /// Its number in the partition: 1, 2, 3.. over all terms.
    pub pseq: u64,
    /// Digest of the value of the commit before it (of genesis, for the first).
    pub prev: Digest,
    /// Hybrid time.
    pub time: Micros,
    /// The input it is the effect of.
    pub cause: Cause,
    /// Lowest inbox offset not yet accepted: where a new owner resumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<u64>,
    /// Sends of this shard now known to be safe at their receiver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<Closed>,
    /// The entity that handled the input; absent on control commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityRef>,
    /// How it ended.
    pub outcome: Outcome,
    /// The reply, or the refusal; what a repeat of the same id is answered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Box<RawValue>>,
    /// What happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventRecord>,
    /// Messages to other shards, each the very bytes ([`crate::message::Message`]) that travel on its channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sends: Vec<Arc<RawValue>>,
    /// Timers set and cleared.
    #[serde(default, skip_serializing_if = "TimerChanges::is_empty")]
    pub timers: TimerChanges,
    /// Attempts of activities that this commit is the intent of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<RunRef>,
    /// True when the entity has come to its end (a saga's terminal commit).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// The input itself, stored unapplied because its entity is parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Box<RawValue>>,
    /// W3C trace context of the work that led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Arc<str>>,
}

/// What a commit is the effect of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A client's message.
    Client {
        /// UUIDv7: the idempotency key, which knows its birth time.
        id: Uuid,
        /// Digest of type, data and expected version: the same id with other data is a conflict.
        digest: Digest,
    },
    /// A message of another shard.
    Channel {
        /// The sending shard.
        from: Peer,
        /// Its number on the channel.
        seq: u64,
        /// Digest of the message: what the next one must name as its predecessor.
        digest: Digest,
    },
    /// A timer that was due.
    Timer {
        /// What the timer belongs to inside the entity.
        node: Arc<str>,
        /// Which setting of it.
        serial: u64,
    },
    /// The outcome of one attempt of an activity.
    Activity {
        /// The effect key inside the entity.
        key: Arc<str>,
        /// The round.
        round: u32,
        /// The attempt inside the round.
        attempt: u32,
    },
    /// An act of the engine itself: an empty barrier, a message accepted for nobody.
    Control {
        /// Which.
        act: Arc<str>,
    },
}

/// One end of a channel: a shard of a service's log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// The service.
    pub service: Arc<str>,
    /// The identity of its log: a recreated one starts new channels.
    pub log_id: Uuid,
    /// The shard.
    pub shard: u32,
}

/// Everything up to a number on one outgoing channel is safe at its receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The receiver.
    pub to: Peer,
    /// The highest number known to be effective there.
    pub seq: u64,
}

/// The entity of a commit and its version *before* it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityRef {
    /// Kind.
    pub kind: Arc<str>,
    /// Id.
    pub id: Arc<str>,
    /// Number of events before this commit; n events make it `version + n`.
    pub version: u64,
}

/// How an input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done; the events say what happened.
    Accepted,
    /// A definite business no, without events.
    Rejected,
    /// The expected version was another.
    Conflict,
    /// The engine's own definite no: too large, broken, undecodable, unknown, misrouted.
    Invalid,
    /// Stored for an entity that is set aside; not applied.
    Parked,
}

impl Outcome {
    /// Its name, as it is recorded.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::Parked => "parked",
        }
    }

    /// Its name, when it is no answer of the business: the input could not be taken.
    #[must_use]
    pub fn wrong(self) -> Option<&'static str> {
        matches!(self, Self::Invalid | Self::Parked).then(|| self.word())
    }
}

/// One event as recorded. Its id is `service/shard/pseq/index`, and so not stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventRecord {
    /// Stable name, `kind.tag`.
    #[serde(rename = "type")]
    pub name: Arc<str>,
    /// Schema number of `data`.
    pub schema: u32,
    /// The payload.
    pub data: Box<RawValue>,
}

/// What a commit does to its entity's timers. A timer whose firing is the cause is cleared without being named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerChanges {
    /// Set, or set again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<TimerSet>,
    /// Cleared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clear: Vec<TimerRef>,
}

impl TimerChanges {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.clear.is_empty()
    }
}

/// A timer of an entity and when it is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerSet {
    /// What it belongs to inside the entity.
    pub node: Arc<str>,
    /// Which setting: a firing with another serial is late.
    pub serial: u64,
    /// When it may fire, not before.
    pub due: Micros,
}

/// A timer of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerRef {
    /// What it belongs to inside the entity.
    pub node: Arc<str>,
    /// Which setting.
    pub serial: u64,
}

/// The intent of one attempt of an activity. It is open until a commit with the same key, round and attempt as its
/// cause closes it; a new owner reports what it finds open as lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRef {
    /// The effect key inside the entity.
    pub key: Arc<str>,
    /// The round.
    pub round: u32,
    /// The attempt inside the round.
    pub attempt: u32,
}
