//! The bank's book as others see it: every charge that was made, and how many calls were answered that one was.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use crate::domain::TripId;

/// What the bank's file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// In the order in which they were made.
    pub(crate) charges: Vec<Entry>,
    /// Calls that the fence answered with done.
    pub(crate) answered: u64,
}

/// A charge that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What its payer was told.
    pub(crate) reference: String,
    /// Who paid.
    pub(crate) trip: TripId,
    /// How much.
    pub(crate) cents: u64,
}

impl Ledger {
    /// Reads it at one moment, beside the bank. Without a file nothing was ever charged.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        if !file.exists() {
            return Ok(Self::default());
        }
        let mut db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let moment = db.transaction()?;
        let mut rows = moment.prepare("select id, trip, cents from ledger order by id")?;
        let rows = rows.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        })?;
        let charges = rows.map(|row| {
            let (id, trip, cents) = row?;
            Ok(Entry { reference: format!("pay-{id}"), trip: trip.parse()?, cents: u64::try_from(cents)? })
        });
        let charges = charges.collect::<anyhow::Result<_>>()?;
        let answered: i64 =
            moment.query_row("select count(*) from palinode_fence where outcome = 'done'", [], |row| {
                row.get(0)
            })?;
        Ok(Self { charges, answered: u64::try_from(answered)? })
    }
}
