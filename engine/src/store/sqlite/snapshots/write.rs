//! Writing a snapshot: the base is compared, then the head and every row that changed are replaced, in the transaction
//! of the caller.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::parse;
use crate::{
    checkpoint::{ApplyError, Class},
    position::Position,
    snapshots::{Row, Save},
    store::{
        sqlite::integer,
        sums::{head_crc, row_crc},
    },
};

const HEAD: &str = "insert into palinode_snapshot (service, shard, position, pseq, shard_state, crc) \
     values (?, ?, ?, ?, ?, ?) on conflict (service, shard) do update set \
     position = excluded.position, pseq = excluded.pseq, shard_state = excluded.shard_state, crc = excluded.crc";
const UPSERT: &str = "insert into palinode_snapshot_row (service, shard, section, key, pseq, crc, value) \
     values (?, ?, ?, ?, ?, ?, ?) on conflict (service, shard, section, key) do update set \
     pseq = excluded.pseq, crc = excluded.crc, value = excluded.value";
const DELETE: &str =
    "delete from palinode_snapshot_row where service = ? and shard = ? and section = ? and key = ?";

/// Replaces the base by the next snapshot, or fails as superseded.
pub(super) fn replace(
    db: &Connection,
    service: &str,
    shard: u32,
    base: Option<&Position>,
    save: &Save,
) -> Result<(), ApplyError> {
    if position(db, service, shard)?.as_ref() != base {
        return Err(ApplyError::new(Class::Superseded, "the snapshot has another base"));
    }
    let position = serde_json::to_string(&save.head.position)?;
    let (pseq, state) = (integer(save.head.position.pseq)?, &save.head.shard_state);
    let crc = head_crc(&position, state);
    db.prepare_cached(HEAD)?.execute(params![service, shard, position, pseq, state, crc])?;
    write_rows(db, service, shard, &save.rows)
}

fn position(db: &Connection, service: &str, shard: u32) -> Result<Option<Position>, ApplyError> {
    let sql = "select position, shard_state, crc from palinode_snapshot where service = ? and shard = ?";
    let found: Option<(String, String, u32)> = db
        .prepare_cached(sql)?
        .query_row(params![service, shard], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let parsed = found.map(|(position, state, crc)| parse(service, shard, &position, &state, crc));
    parsed.transpose()
}

/// Of two rows with one key the last one counts. In the order of their keys, so that neighbours go to the same page.
fn write_rows(db: &Connection, service: &str, shard: u32, rows: &[Row]) -> Result<(), ApplyError> {
    let last: BTreeMap<_, &Row> = rows.iter().map(|row| ((row.section, row.key.as_str()), row)).collect();
    let (mut upsert, mut delete) = (db.prepare_cached(UPSERT)?, db.prepare_cached(DELETE)?);
    for statement in [&mut upsert, &mut delete] {
        statement.raw_bind_parameter(1, service)?;
        statement.raw_bind_parameter(2, shard)?;
    }
    for Row { section, key, pseq, value } in last.into_values() {
        let statement = if value.is_some() { &mut upsert } else { &mut delete };
        statement.raw_bind_parameter(3, section.name())?;
        statement.raw_bind_parameter(4, key.as_str())?;
        if let Some(value) = value {
            statement.raw_bind_parameter(5, integer(*pseq)?)?;
            statement.raw_bind_parameter(6, row_crc(*section, key, *pseq, value))?;
            statement.raw_bind_parameter(7, value.as_slice())?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}
