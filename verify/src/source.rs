//! Where records come from: a file, or the memory of a test. Bytes and places only; what they mean is `record.rs`, what
//! counts is `fold.rs`.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// One record as stored, its bytes not yet trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the partition.
    pub offset: u64,
    /// The format it is marked with; `None` when it does not carry the mark.
    pub mark: Option<u32>,
    /// The CRC-32C stored beside it.
    pub crc: Option<u32>,
    /// Its bytes.
    pub value: Vec<u8>,
    /// What is wrong with what is stored beside its bytes; `None` when that is as it was written.
    pub damage: Option<String>,
}

/// One `events` partition, and where reading it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// The service.
    pub service: Arc<str>,
    /// The shard.
    pub shard: u32,
    /// The offset after the last record that is read.
    pub end: u64,
}

/// A log that cannot be read at all: nothing is said about what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannotRead(pub String);

impl fmt::Display for CannotRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotRead {}

/// Records to check.
///
/// The ends of all partitions must come from one moment: then nothing is read whose cause is not.
pub trait Source {
    /// All `events` partitions, by service and shard.
    fn partitions(&self) -> Vec<Partition>;

    /// The records of a partition from an offset on and below its end, some of them, in order; none at the end.
    ///
    /// # Errors
    /// When they cannot be read.
    fn page(&self, partition: &Partition, from: u64) -> Result<Vec<Stored>, CannotRead>;
}

/// Records in memory: what a test planted, or a simulation collected.
#[derive(Debug, Clone, Default)]
pub struct Records(BTreeMap<(Arc<str>, u32), Vec<Stored>>);

impl Records {
    /// Adds a record at the end of what was added to its partition before.
    pub fn push(&mut self, service: impl Into<Arc<str>>, shard: u32, record: Stored) {
        self.0.entry((service.into(), shard)).or_default().push(record);
    }
}

impl Source for Records {
    fn partitions(&self) -> Vec<Partition> {
        let end = |records: &[Stored]| records.last().map_or(0, |r| r.offset.saturating_add(1));
        let partition = |((service, shard), records): (&(Arc<str>, u32), &Vec<Stored>)| Partition {
            service: Arc::clone(service),
            shard: *shard,
            end: end(records),
        };
        self.0.iter().map(partition).collect()
    }

    fn page(&self, partition: &Partition, from: u64) -> Result<Vec<Stored>, CannotRead> {
        let records = self.0.get(&(Arc::clone(&partition.service), partition.shard));
        Ok(records.into_iter().flatten().filter(|r| r.offset >= from).cloned().collect())
    }
}
