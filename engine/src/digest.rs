//! Eight bytes of SHA-256 that tie a record to the one before it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

/// The first eight bytes of SHA-256 (FIPS 180-4) of some bytes; written as 16 hexadecimal digits.
///
/// ```
/// use palinode::Digest;
/// assert_eq!(Digest::of(b"abc").to_string(), "ba7816bf8f01cfea");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 8]);

impl Digest {
    /// What the first message of a channel names as its predecessor.
    pub const ZERO: Self = Self([0; 8]);

    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let full = Sha256::digest(bytes);
        let mut head = [0; 8];
        head.iter_mut().zip(full.iter()).for_each(|(to, from)| *to = *from);
        Self(head)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(D::Error::custom("a digest is 16 hexadecimal digits"));
        }
        u64::from_str_radix(&text, 16).map(|n| Self(n.to_be_bytes())).map_err(D::Error::custom)
    }
}
