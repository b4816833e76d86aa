//! Checksums of snapshots, and what is said when one is wrong. The same in every database.

use crate::{checkpoint::ApplyError, snapshots::Section};

/// CRC-32C of a head: its position as JSON, then the shard's state.
pub(super) fn head_crc(position: &str, shard_state: &str) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(position.as_bytes()), shard_state.as_bytes())
}

/// CRC-32C of a row: section, key and number, then the value.
pub(super) fn row_crc(section: Section, key: &str, pseq: u64, value: &[u8]) -> u32 {
    let head = crc32c::crc32c(format!("{}/{key}/{pseq}/", section.name()).as_bytes());
    crc32c::crc32c_append(head, value)
}

/// A snapshot that must not be used.
pub(super) fn damaged(service: &str, shard: u32, what: &str, which: &str) -> ApplyError {
    ApplyError::broken(format!(
        "the snapshot of {service}/{shard} is damaged ({what}: {which}): delete it, the shard is folded from its log"
    ))
}
