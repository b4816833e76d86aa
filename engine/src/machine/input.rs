//! What goes into the machine and what comes out, as data.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::{runs::RunId, timers::TimerId, traced::Handled};
use crate::{
    address::{Address, EntityKey},
    commit::{Commit, Peer, RunRef},
    digest::Digest,
    entity::{ActivityResult, RunRequest},
    measure::Measured,
    message::{ClientMessage, Message},
    receipt::{Invalid, Told},
    trace::{Span, SpanContext},
};

/// One input of a shard.
#[derive(Debug, Clone)]
pub enum Input {
    /// From a client.
    Client(Box<ClientMessage>),
    /// From another shard (or this one), on a channel.
    Channel(Box<Incoming>),
    /// A timer that may be due.
    Timer(TimerId),
    /// The outcome of an attempt.
    Activity {
        /// Whose.
        entity: EntityKey,
        /// What came of it.
        result: ActivityResult,
    },
    /// Nothing: a commit that proves, once effective, that the shard was owned when it was asked for.
    Barrier,
}

impl Input {
    /// The entity it is for.
    #[must_use]
    pub fn entity(&self) -> Option<EntityKey> {
        match self {
            Self::Client(message) => Some(message.to.key()),
            Self::Channel(incoming) => Some(incoming.message.to.key()),
            Self::Timer(id) => Some(id.entity.clone()),
            Self::Activity { entity, .. } => Some(entity.clone()),
            Self::Barrier => None,
        }
    }

    /// The trace that it belongs to.
    #[must_use]
    pub fn trace(&self) -> Option<SpanContext> {
        match self {
            Self::Client(message) => SpanContext::read(message.traceparent.as_ref()),
            Self::Channel(incoming) => SpanContext::read(incoming.message.traceparent.as_ref()),
            Self::Timer(_) | Self::Activity { .. } | Self::Barrier => None,
        }
    }
}

/// A message of a channel as it arrived.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The message.
    pub message: Arc<Message>,
    /// Of its bytes.
    pub digest: Digest,
    /// Where it lies in the inbox, when it came that way.
    pub offset: Option<u64>,
}

impl Incoming {
    /// A message from its bytes.
    ///
    /// # Errors
    /// When the bytes are no message.
    pub fn decode(bytes: &[u8], offset: Option<u64>) -> Result<Self, serde_json::Error> {
        Ok(Self { message: Arc::new(serde_json::from_slice(bytes)?), digest: Digest::of(bytes), offset })
    }
}

impl From<Encoded> for Incoming {
    /// A message handed over in memory.
    fn from(encoded: Encoded) -> Self {
        Self { message: encoded.message, digest: encoded.digest, offset: None }
    }
}

/// A channel message: the very bytes that travel, and what they say.
#[derive(Debug, Clone)]
pub struct Encoded {
    raw: Arc<RawValue>,
    message: Arc<Message>,
    digest: Digest,
}

impl Encoded {
    /// A message to be sent.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn encode(message: Message) -> Result<Self, serde_json::Error> {
        let raw: Arc<RawValue> = to_raw_value(&message)?.into();
        Ok(Self { digest: Digest::of(raw.get().as_bytes()), raw, message: Arc::new(message) })
    }

    /// A message that was sent.
    ///
    /// # Errors
    /// When the bytes are no message.
    pub fn decode(raw: Arc<RawValue>) -> Result<Self, serde_json::Error> {
        let message = Arc::new(serde_json::from_str(raw.get())?);
        Ok(Self { digest: Digest::of(raw.get().as_bytes()), raw, message })
    }

    /// The bytes.
    #[must_use]
    pub fn raw(&self) -> &Arc<RawValue> {
        &self.raw
    }

    /// What they say.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Of the bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// What an input became.
#[derive(Debug)]
pub enum Step {
    /// One commit, decided on top of everything before it and not yet in the log.
    Commit(Box<Stepped>),
    /// No commit.
    Quiet(Quiet),
    /// This entity must be loaded first; ask again then.
    Missing(EntityKey),
    /// User code broke this entity's state in memory. Recover the shard, then use [`super::Machine::refuse`].
    Unfit(Arc<str>),
}

/// A commit and what is to be done once it is effective.
#[derive(Debug)]
pub struct Stepped {
    /// The commit.
    pub commit: Commit,
    /// Its encoded value.
    pub value: Bytes,
    /// The key of its record.
    pub key: Arc<str>,
    /// Its messages.
    pub sends: Vec<Sent>,
    /// Attempts to run.
    pub runs: Vec<RunRequest>,
    /// Attempts to stop.
    pub stops: Vec<RunRef>,
    /// What is to be seen of it.
    pub trace: Seen,
}

/// What is to be seen of a commit once it is effective.
#[derive(Debug, Default)]
pub struct Seen {
    /// The message it handles, when that belongs to a trace that is kept.
    pub handled: Option<Handled>,
    /// What ended with it.
    pub spans: Vec<Span>,
    /// What is counted of it.
    pub measured: Vec<Measured>,
    /// For each of its messages the span it is sent for, when that is kept.
    pub sent_for: Vec<Option<SpanContext>>,
}

/// A message of a commit.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The receiving shard.
    pub to: Peer,
    /// The message.
    pub message: Encoded,
}

/// Why an input makes no commit.
#[derive(Debug)]
pub enum Quiet {
    /// A client's message that is answered without one.
    Told(Told),
    /// A client's id again: the answer is that commit's, once it is effective.
    Again {
        /// The commit.
        pseq: u64,
        /// Where it lies; `None` while it is in flight.
        offset: Option<u64>,
    },
    /// A channel message that was accepted before: acknowledge again.
    Old {
        /// The sender.
        from: Peer,
    },
    /// A channel message that came early: something is missing before it.
    Early {
        /// The sender.
        from: Peer,
        /// The first number missing.
        missing: u64,
    },
    /// A channel message from too far in the future, or behind such a one: held back.
    Ahead {
        /// The sender.
        from: Peer,
    },
    /// A channel message of the next number on another predecessor: an alarm, and the number is asked for again.
    Stray {
        /// The sender it names.
        from: Peer,
        /// The first number missing.
        missing: u64,
    },
    /// A timer that is not set any more, or was set again.
    Late,
}

/// Where the services are: their logs and how many shards each has. From genesis, never from metadata.
#[derive(Debug, Clone, Default)]
pub struct Directory(BTreeMap<Arc<str>, (Uuid, u32)>);

impl Directory {
    /// Adds a service.
    pub fn add(&mut self, service: Arc<str>, log_id: Uuid, partitions: u32) {
        self.0.insert(service, (log_id, partitions));
    }

    /// The shard an entity of a service lives on.
    #[must_use]
    pub fn find(&self, service: &str, key: &EntityKey) -> Option<Peer> {
        let (service, (log_id, partitions)) = self.0.get_key_value(service)?;
        Some(Peer { service: Arc::clone(service), log_id: *log_id, shard: key.shard(*partitions) })
    }

    /// The shard an entity lives on.
    ///
    /// # Errors
    /// [`Invalid::NotServed`] when its service is not known.
    pub fn locate(&self, entity: &Address) -> Result<Peer, Invalid> {
        self.find(&entity.service, &entity.key()).ok_or_else(|| {
            let known = self.names().map(|n| &**n).collect::<Vec<_>>().join(", ");
            Invalid::NotServed { what: "service".into(), name: Arc::clone(&entity.service), known }
        })
    }

    /// Log id and number of shards of a service.
    #[must_use]
    pub fn get(&self, service: &str) -> Option<(Uuid, u32)> {
        self.0.get(service).copied()
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys()
    }
}

/// The id of a run of an entity.
#[must_use]
pub fn run_id(entity: &EntityKey, run: &RunRef) -> RunId {
    RunId { entity: entity.clone(), key: Arc::clone(&run.key), round: run.round, attempt: run.attempt }
}
