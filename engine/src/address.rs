//! Who is meant and where it lives: service, kind, id; the hash that puts an entity on a shard; topic names.
//! Knows nothing of what an entity does.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An entity inside its service: the kind and the id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityKey {
    /// The aggregate's or saga's kind.
    pub kind: Arc<str>,
    /// The entity's id, chosen by the user.
    pub id: Arc<str>,
}

impl EntityKey {
    /// A key from its two parts.
    pub fn new(kind: impl Into<Arc<str>>, id: impl Into<Arc<str>>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }

    /// The shard this entity lives on, of a service with `partitions` shards.
    ///
    /// Murmur2 of `kind/id` (the key of its records), as Kafka's default partitioner hashes, so that a foreign
    /// producer with that partitioner agrees.
    #[must_use]
    pub fn shard(&self, partitions: u32) -> u32 {
        (self.hash32() & 0x7fff_ffff) % partitions.max(1)
    }

    /// Murmur2 of `kind/id`.
    #[must_use]
    pub(crate) fn hash32(&self) -> u32 {
        let parts = [self.kind.as_bytes(), b"/", self.id.as_bytes()];
        murmur2(parts.iter().map(|part| part.len()).sum(), parts.into_iter().flatten().copied())
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// An entity anywhere: service, kind, id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The service that owns the entity.
    pub service: Arc<str>,
    /// Its kind.
    pub kind: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
}

impl Address {
    /// An address from its three parts.
    pub fn new(service: impl Into<Arc<str>>, kind: impl Into<Arc<str>>, id: impl Into<Arc<str>>) -> Self {
        Self { service: service.into(), kind: kind.into(), id: id.into() }
    }

    /// The address without its service.
    #[must_use]
    pub fn key(&self) -> EntityKey {
        EntityKey { kind: Arc::clone(&self.kind), id: Arc::clone(&self.id) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.service, self.kind, self.id)
    }
}

/// A name or an id that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadName {
    /// A service or kind name with characters a topic name or a record key cannot hold.
    #[error("{what} name {name:?}: use 1 to 64 of a-z, 0-9 and '-', beginning with a letter")]
    Name {
        /// `service` or `kind`.
        what: &'static str,
        /// What was given.
        name: String,
    },
    /// An entity id that is empty, too long or holds control characters.
    #[error("id {id:?}: use 1 to 256 bytes without control characters")]
    Id {
        /// What was given, cut at 64 characters.
        id: String,
    },
}

/// Checks the name of a service or a kind.
///
/// # Errors
/// [`BadName::Name`] when it is not 1 to 64 of `a-z`, `0-9`, `-`, beginning with a letter.
pub fn check_name(what: &'static str, name: &str) -> Result<(), BadName> {
    let good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good { Ok(()) } else { Err(BadName::Name { what, name: name.chars().take(80).collect() }) }
}

/// Checks an entity's id.
///
/// # Errors
/// [`BadName::Id`] when it is empty, longer than 256 bytes or holds control characters.
pub fn check_id(id: &str) -> Result<(), BadName> {
    let good = !id.is_empty() && id.len() <= 256 && !id.chars().any(char::is_control);
    if good { Ok(()) } else { Err(BadName::Id { id: id.chars().take(64).collect() }) }
}

/// One of the three topics of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// The service.
    pub service: Arc<str>,
    /// Which of its topics.
    pub stream: Stream,
}

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Genesis, claims, commits: the truth.
    Events,
    /// Messages on their way to a shard.
    Inbox,
    /// Answers to clients of another process.
    Replies,
}

impl Stream {
    /// Its part of the topic's name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Inbox => "inbox",
            Self::Replies => "replies",
        }
    }
}

impl Topic {
    /// The topic of the truth.
    pub fn events(service: impl Into<Arc<str>>) -> Self {
        Self { service: service.into(), stream: Stream::Events }
    }

    /// The topic of messages on their way in.
    pub fn inbox(service: impl Into<Arc<str>>) -> Self {
        Self { service: service.into(), stream: Stream::Inbox }
    }

    /// The topic of answers to clients of another process.
    pub fn replies(service: impl Into<Arc<str>>) -> Self {
        Self { service: service.into(), stream: Stream::Replies }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service, self.stream.word())
    }
}

/// Murmur2, 32 bit, with the seed Kafka uses (`org.apache.kafka.common.utils.Utils.murmur2`; Appleby, 2008).
fn murmur2(length: usize, data: impl Iterator<Item = u8>) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ u32::try_from(length).unwrap_or(u32::MAX);
    let (mut word, mut bits) = (0_u32, 0);
    for byte in data {
        word |= u32::from(byte) << bits;
        bits += 8;
        if bits == 32 {
            let k = word.wrapping_mul(M);
            h = h.wrapping_mul(M) ^ (k ^ (k >> 24)).wrapping_mul(M);
            (word, bits) = (0, 0);
        }
    }
    if bits > 0 {
        h = (h ^ word).wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_agrees_with_kafka() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ] {
            assert_eq!(murmur2(text.len(), text.bytes()).cast_signed(), hash, "{text}");
        }
    }

    #[test]
    fn names_and_ids_are_checked() {
        assert!(check_name("service", "book-trip").is_ok());
        for bad in ["", "Trip", "a/b", "1st", "a.b"] {
            assert!(check_name("service", bad).is_err(), "{bad}");
        }
        assert!(check_id("lisbon/A/12").is_ok());
        assert!(check_id("").is_err() && check_id("a\nb").is_err());
    }
}
