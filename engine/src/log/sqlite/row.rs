//! A record as a row, and back. A row that is not exactly what was written is never returned: the value has its
//! checksum, and everything beside it, with the row's place, has another.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, Row, Statement, types::ValueRef};

use super::lane::Lane;
use crate::{log::LogError, record::Record, time::Micros};

/// Columns of an insert.
const COLUMNS: usize = 7;
/// Rows of the statement that inserts many at once (`examples/log_speed.rs` compares it with one by one).
pub(super) const MANY: usize = 8;

/// Why a row cannot be what was written; a text for people.
type Damage = String;

/// A record that may be stored, with its mark and checksum.
pub(super) struct Ours<'a> {
    pub(super) record: &'a Record,
    pub(super) mark: u32,
    pub(super) crc: u32,
}

impl<'a> Ours<'a> {
    /// `None` for a record without our mark: every row of the table is ours.
    pub(super) fn of(record: &'a Record) -> Option<Self> {
        let (mark, crc) = (record.mark.filter(|m| *m > 0)?, record.crc?);
        Some(Self { record, mark, crc })
    }

    fn sum(&self, id: i64) -> u32 {
        sum(id, i64::from(self.mark), i64::from(self.crc), self.record.wall.0, self.record.key.as_bytes())
    }

    /// Binds it as the `nth` row of an insert. SQLite copies the value once, into its own page.
    pub(super) fn bind(&self, insert: &mut Statement<'_>, nth: usize, id: i64) -> rusqlite::Result<()> {
        let at = nth.saturating_mul(COLUMNS);
        insert.raw_bind_parameter(at + 1, id)?;
        insert.raw_bind_parameter(at + 2, self.mark)?;
        insert.raw_bind_parameter(at + 3, self.crc)?;
        insert.raw_bind_parameter(at + 4, self.sum(id))?;
        insert.raw_bind_parameter(at + 5, self.record.wall.0)?;
        insert.raw_bind_parameter(at + 6, &*self.record.key)?;
        insert.raw_bind_parameter(at + 7, &*self.record.value)
    }
}

/// The statement that inserts so many rows. A row that is there already would be a broken log: the whole transaction is
/// rolled back, so SQLite need not copy pages to take back one statement.
pub(super) fn insert<'a>(db: &'a Connection, lane: &Lane, rows: usize) -> rusqlite::Result<Statement<'a>> {
    let row = "(?,?,?,?,?,?,?)";
    let rows = vec![row; rows].join(",");
    db.prepare(&format!(
        "insert or rollback into {} (id, mark, crc, sum, time_us, key, value) values {rows}",
        lane.table()
    ))
}

/// The statement that reads a range of a lane's keys: from, before, at most.
pub(super) fn read(lane: &Lane) -> String {
    let table = lane.table();
    format!(
        "select id, mark, crc, sum, time_us, key, value from {table} where id >= ?1 and id < ?2 order by id limit ?3"
    )
}

/// The record of a row that must stand at this offset.
pub(super) fn record(row: &Row<'_>, lane: &Lane, offset: u64) -> Result<Record, LogError> {
    checked(row, lane.id(offset)).map_err(|what| {
        LogError::stop(format!(
            "{lane}, record {offset}: {what}: restore log.db from a backup, or run `verify`"
        ))
    })
}

fn checked(row: &Row<'_>, expected: i64) -> Result<Record, Damage> {
    let number = |nth: usize| match row.get_ref(nth) {
        Ok(ValueRef::Integer(n)) => Ok(n),
        _ => Err(String::from("it is not a row of ours")),
    };
    let (id, mark, crc) = (number(0)?, number(1)?, number(2)?);
    if id != expected {
        return Err("it is missing".into());
    }
    let (Ok(mark32 @ 1..), Ok(crc32)) = (u32::try_from(mark), u32::try_from(crc)) else {
        return Err(format!("it does not bear our mark (mark {mark}): another program wrote it"));
    };
    let (Ok(ValueRef::Text(key)), Ok(ValueRef::Blob(value))) = (row.get_ref(5), row.get_ref(6)) else {
        return Err("its key or value has a type that nothing of ours writes".into());
    };
    let (found, time) = (number(3)?, number(4)?);
    let expected = i64::from(sum(id, mark, crc, time, key));
    if found != expected {
        return Err(format!("its row is damaged: checksum {found:08x}, expected {expected:08x}"));
    }
    let expected = crc32c::crc32c(value);
    if crc32 != expected {
        return Err(format!("its value is damaged: checksum {crc32:08x}, expected {expected:08x}"));
    }
    let key = std::str::from_utf8(key).map_err(|_| "its key is no text")?;
    Ok(Record {
        mark: Some(mark32),
        crc: Some(crc32),
        key: Arc::from(key),
        value: Bytes::copy_from_slice(value),
        wall: Micros(time),
    })
}

/// CRC-32C of everything in a row but its value.
fn sum(id: i64, mark: i64, crc: i64, time: i64, key: &[u8]) -> u32 {
    let head = [id, mark, crc, time].iter().fold(0, |sum, n| crc32c::crc32c_append(sum, &n.to_le_bytes()));
    crc32c::crc32c_append(head, key)
}
