//! The id of a trip: 64 bits of a hash, written as 16 hexadecimal digits. Knows nothing of what was hashed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A trip, everywhere: the saga's id, and the key of what it holds at each aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TripId(pub u64);

impl fmt::Display for TripId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that is no trip id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTripId(String);

impl fmt::Display for BadTripId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no trip id: it has 16 hexadecimal digits, like 00c0ffee00c0ffee", self.0)
    }
}

impl std::error::Error for BadTripId {}

impl FromStr for TripId {
    type Err = BadTripId;

    fn from_str(text: &str) -> Result<Self, BadTripId> {
        let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match u64::from_str_radix(text, 16) {
            Ok(id) if digits => Ok(Self(id)),
            _ => Err(BadTripId(text.chars().take(40).collect())),
        }
    }
}

impl Serialize for TripId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TripId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_sixteen_digits_and_nothing_else() {
        assert_eq!("00000000000000ff".parse(), Ok(TripId(255)));
        assert_eq!(TripId(255).to_string(), "00000000000000ff");
        for bad in ["", "ff", "00000000000000FF", "+0000000000000ff", "00000000000000fff"] {
            assert!(bad.parse::<TripId>().is_err(), "{bad}");
        }
    }
}
