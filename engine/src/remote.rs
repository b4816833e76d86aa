//! What clients of another process and owners say to each other: a call or a watch on the inbox, the answer on the
//! replies; as data and as bytes. Knows nothing of who sends it when; `remote/line.rs` is the client's end.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    address::Address,
    codec::tagged,
    commit::{Outcome, Peer},
    message::{ClientMessage, Target},
    position::Token,
    receipt::{Invalid, Receipt, Told},
    time::Micros,
};

pub(crate) mod line;

/// Where an answer is to go: always to the replies of the service that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AnswerTo {
    /// The partition of the replies that the client reads.
    pub partition: u32,
    /// The client: several may read one partition.
    pub client: Uuid,
    /// Which question of this client it is: 1, 2, 3.. over everything it asks, each attempt a new one. Repeated in the
    /// answer, so that an answer to the same id asked otherwise is not taken for this one's.
    pub question: u64,
}

/// A client's message on the inbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallRecord {
    /// Drawn once by the client and repeated with every question: the idempotency key.
    pub id: Uuid,
    /// Whom it is for.
    pub to: Target,
    /// What it is; for an aggregate's command, the kind.
    #[serde(rename = "type")]
    pub name: Arc<str>,
    /// The payload.
    pub data: Box<RawValue>,
    /// The version the entity must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_version: Option<u64>,
    /// Where the answer is to go.
    pub answer: AnswerTo,
    /// W3C trace context of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Arc<str>>,
}

/// A client waits for an entity's end. Repeated until it has come; makes no commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WatchRecord {
    /// Drawn by the client, repeated in the answer.
    pub id: Uuid,
    /// Whose end.
    pub to: Target,
    /// Where the answer is to go.
    pub answer: AnswerTo,
}

/// The answer to a call or a watch, on the replies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// Whom it is for.
    pub client: Uuid,
    /// What it answers.
    pub id: Uuid,
    /// Which question it answers.
    pub question: u64,
    /// The answer.
    pub says: Says,
}

/// What an owner answers. What it does not know, it does not say.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// A commit says so.
    Recorded {
        /// How it ended.
        outcome: Outcome,
        /// The reply, or a [`crate::message::Refusal`].
        answer: Box<RawValue>,
        /// The entity's version after it.
        version: u64,
        /// Where to wait for its effects.
        token: Token,
        /// The commit's time.
        time: Micros,
    },
    /// Refused without a commit.
    Invalid(Invalid),
    /// The id is older than the window.
    Expired,
    /// Too much was waiting.
    Overloaded,
    /// The entity is set aside, and why.
    Parked(Arc<str>),
    /// The entity has come to its end: what it ended with.
    Ended(Box<RawValue>),
}

impl CallRecord {
    /// This message, to be answered there.
    #[must_use]
    pub fn of(message: &ClientMessage, shard: &Peer, answer: AnswerTo) -> Self {
        Self {
            id: message.id,
            to: target(shard, &message.to),
            name: Arc::clone(&message.name),
            data: message.data.clone(),
            expect_version: message.expect_version,
            answer,
            traceparent: message.traceparent.clone(),
        }
    }

    /// The message.
    #[must_use]
    pub fn message(self) -> ClientMessage {
        let Target { service, kind, id, .. } = self.to;
        ClientMessage {
            id: self.id,
            to: Address { service, kind, id },
            name: self.name,
            data: self.data,
            expect_version: self.expect_version,
            traceparent: self.traceparent,
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        tagged("call", self)
    }
}

impl WatchRecord {
    /// Waits for the end of this entity.
    #[must_use]
    pub fn of(id: Uuid, entity: &Address, shard: &Peer, answer: AnswerTo) -> Self {
        Self { id, to: target(shard, entity), answer }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        tagged("watch", self)
    }
}

impl AnswerRecord {
    /// Its bytes.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        tagged("answer", self)
    }

    /// An answer from its bytes; nothing when they are something else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        (word(bytes).as_deref() == Some("answer")).then(|| serde_json::from_slice(bytes).ok()).flatten()
    }
}

fn target(shard: &Peer, to: &Address) -> Target {
    Target {
        service: Arc::clone(&shard.service),
        log_id: shard.log_id,
        kind: Arc::clone(&to.kind),
        id: Arc::clone(&to.id),
    }
}

/// What a record of the inbox or the replies says that it is; a message of a channel says nothing.
#[must_use]
pub fn word(bytes: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Tag<'a> {
        #[serde(borrow, default)]
        t: Option<Cow<'a, str>>,
    }
    serde_json::from_slice::<Tag<'_>>(bytes).ok()?.t
}

impl Says {
    /// The answer as it travels; nothing for what is not known.
    #[must_use]
    pub fn of(told: Told) -> Option<Self> {
        Some(match told {
            Told::Recorded { outcome, answer, receipt } => {
                let Receipt { version, token, time, .. } = receipt;
                Self::Recorded { outcome, answer, version, token, time }
            }
            Told::Invalid(Invalid::Name(bad)) => Self::Invalid(Invalid::Bug { text: bad.to_string().into() }),
            Told::Invalid(why) => Self::Invalid(why),
            Told::Expired => Self::Expired,
            Told::Overloaded => Self::Overloaded,
            Told::Parked(why) => Self::Parked(why),
            Told::Unknown => return None,
        })
    }

    /// The answer to a call; nothing when it answers a watch.
    #[must_use]
    pub fn told(self) -> Option<Told> {
        Some(match self {
            Self::Recorded { outcome, answer, version, token, time } => {
                Told::Recorded { outcome, answer, receipt: Receipt { reply: (), version, token, time } }
            }
            Self::Invalid(why) => Told::Invalid(why),
            Self::Expired => Told::Expired,
            Self::Overloaded => Told::Overloaded,
            Self::Parked(why) => Told::Parked(why),
            Self::Ended(_) => return None,
        })
    }
}

/// Whether this answer would be the same whenever the same message is taken again. Another owner that takes the same
/// record might say something else to what is not.
#[must_use]
pub fn for_ever(told: &Told) -> bool {
    match told {
        Told::Recorded { .. } | Told::Expired => true,
        Told::Invalid(why) => !matches!(why, Invalid::BornAhead { .. } | Invalid::NotServed { .. }),
        Told::Overloaded | Told::Parked(_) | Told::Unknown => false,
    }
}
