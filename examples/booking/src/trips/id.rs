//! Trip ids derived from what a trip comes from, so that the same source never makes two trips: the first eight bytes,
//! big-endian, of a SHA-256.

use sha2::{Digest, Sha256};

use super::rules::first_eight;
use crate::domain::TripId;

/// The trip of a row of a file: the hash of `row/`, the line's number (the header is line 1), a newline, and the
/// bytes of the row without its line end. The number is part of it because guests book the same thing twice.
#[must_use]
pub fn of_row(line: u64, row: &[u8]) -> TripId {
    let digest = Sha256::new().chain_update(format!("row/{line}\n")).chain_update(row).finalize();
    TripId(first_eight(&digest))
}

/// The `n`-th generated trip of a seed: the hash of `generated/seed/n`.
#[must_use]
pub fn of_generated(seed: u64, n: u64) -> TripId {
    TripId(first_eight(&Sha256::digest(format!("generated/{seed}/{n}"))))
}

/// The trip of a client's key: the hash of `key/` and the key.
#[must_use]
pub fn of_key(key: &str) -> TripId {
    TripId(first_eight(&Sha256::digest(format!("key/{key}"))))
}

/// The trip of a fresh id: the hash of `fresh/` and the id.
#[must_use]
pub fn of_fresh(id: impl std::fmt::Display) -> TripId {
    TripId(first_eight(&Sha256::digest(format!("fresh/{id}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_bytes_both_count() {
        assert_eq!(of_row(2, b"a,b"), of_row(2, b"a,b"));
        assert_ne!(of_row(2, b"a,b"), of_row(3, b"a,b"));
        assert_ne!(of_row(2, b"a,b"), of_row(2, b"a,c"));
    }

    #[test]
    fn a_key_is_always_the_same_trip() {
        assert_eq!(of_key("a"), of_key("a"));
        assert_ne!(of_key("a"), of_key("b"));
        assert_ne!(of_key("a"), of_fresh("a"));
    }

    #[test]
    fn generated_ids_differ_by_seed_and_number() {
        assert_eq!(of_generated(1, 7), of_generated(1, 7));
        assert_ne!(of_generated(1, 7), of_generated(2, 7));
        assert_ne!(of_generated(1, 7), of_generated(1, 8));
    }
}
