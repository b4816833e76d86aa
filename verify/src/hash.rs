//! The two hashes of the format, written again from their definitions: the eight bytes of SHA-256 that tie records
//! together, and Kafka's murmur2 that puts an entity on a shard. Knows nothing of records.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};
use sha2::{Digest as _, Sha256};

/// The first eight bytes of SHA-256 (FIPS 180-4), as one big-endian number; written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(pub u64);

impl Digest {
    /// The predecessor of the first message of a channel.
    pub const NONE: Self = Self(0);

    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let full: [u8; 32] = Sha256::digest(bytes).into();
        Self(full.iter().take(8).fold(0, |n, byte| (n << 8) | u64::from(*byte)))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let hex = text.len() == 16 && text.chars().all(|c| c.is_ascii_hexdigit());
        let number = if hex { u64::from_str_radix(&text, 16).ok() } else { None };
        number.map(Self).ok_or_else(|| D::Error::custom(format!("{text:?} is not 16 hexadecimal digits")))
    }
}

/// The shard of an entity among so many: murmur2 of `kind/id`, its sign bit cleared, modulo the shards, as Kafka's
/// default partitioner does it.
#[must_use]
pub fn shard_of(kind: &str, id: &str, partitions: u32) -> u32 {
    let key = format!("{kind}/{id}");
    (murmur2(key.as_bytes()) & 0x7fff_ffff).checked_rem(partitions).unwrap_or(0)
}

/// Murmur2 by Austin Appleby (2008), 32 bits, words little-endian, with the seed of Kafka's `Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    const MIX: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 ^ u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<4>() {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(MIX);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MIX) ^ k.wrapping_mul(MIX);
        rest = after;
    }
    if !rest.is_empty() {
        let mut last = [0; 4];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(MIX);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_gives_the_numbers_of_kafkas_own_test() {
        // UtilsTest.testMurmur2 of Apache Kafka.
        for (text, hash) in [("21", -973_932_308), ("foobar", -790_332_482), ("abc", 479_470_107)] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }

    #[test]
    fn a_digest_is_the_head_of_sha_256() {
        assert_eq!(Digest::of(b"abc").to_string(), "ba7816bf8f01cfea");
        assert!(serde_json::from_str::<Digest>("\"ba7816bf8f01cfea\"").is_ok());
        assert!(serde_json::from_str::<Digest>("\"+a7816bf8f01cfea\"").is_err());
    }
}
