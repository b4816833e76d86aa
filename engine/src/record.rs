//! A record as the log port carries it: bytes and headers. What the bytes mean is the codec's.

use std::sync::Arc;

use bytes::Bytes;

use crate::time::Micros;

/// One record of a partition.
///
/// `mark` and `crc` are `None` on a record that is not ours (a foreign writer's); such a record is dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The format number under which it was written.
    pub mark: Option<u32>,
    /// CRC-32C of the value.
    pub crc: Option<u32>,
    /// `kind/id`, or empty.
    pub key: Arc<str>,
    /// The encoded value.
    pub value: Bytes,
    /// Wall time of the append, as the writer or the log stamped it.
    pub wall: Micros,
}

impl Record {
    /// A record of ours: marked with the format, its checksum taken.
    #[must_use]
    pub fn ours(key: Arc<str>, value: impl Into<Bytes>, wall: Micros) -> Self {
        let value = value.into();
        Self { mark: Some(crate::commit::FORMAT), crc: Some(crc32c::crc32c(&value)), key, value, wall }
    }
}
