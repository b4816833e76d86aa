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
        let mut text = [0; 16];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.iter_mut().zip([byte >> 4, byte & 15]).for_each(|(digit, n)| *digit = hexadecimal(n));
        }
        s.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

fn hexadecimal(n: u8) -> u8 {
    if n < 10 { b'0' + n } else { b'a' + (n - 10) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_and_read_as_hexadecimal_digits() {
        let digest = Digest([0x00, 0x9f, 0xa0, 0x0b, 0xc4, 0xff, 0x10, 0x7e]);
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(text, "\"009fa00bc4ff107e\"");
        assert_eq!(text, format!("\"{digest}\""));
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), digest);
    }
}
