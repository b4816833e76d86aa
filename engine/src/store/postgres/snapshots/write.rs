//! Writing a snapshot: the base is compared, then the head and every row that changed are replaced, in the transaction
//! of the caller. Rows go in arrays, some thousands in one statement.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::{
    checkpoint::{ApplyError, Class},
    position::Position,
    snapshots::{Row, Save},
    store::{
        postgres::{bigint, integer},
        sums::{head_crc, row_crc},
    },
};

/// The most rows, and about the most bytes, of one statement.
const AT_ONCE: (usize, usize) = (5_000, 8 * 1024 * 1024);

const FIRST: &str = "insert into palinode_snapshot \
     (service, shard, log_id, log_offset, term, claim_id, pseq, digest, shard_state, crc) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (service, shard) do nothing";
const NEXT: &str = "update palinode_snapshot set \
     log_id = $3, log_offset = $4, term = $5, claim_id = $6, pseq = $7, digest = $8, shard_state = $9, crc = $10 \
     where service = $1 and shard = $2 and log_id = $11 and log_offset = $12 and term = $13 and claim_id = $14 \
     and pseq = $15 and digest = $16";
const UPSERT: &str = "insert into palinode_snapshot_row (service, shard, section, key, pseq, crc, value) \
     select $1, $2, r.* from unnest($3::text[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bytea[]) as r \
     on conflict (service, shard, section, key) do update set \
     pseq = excluded.pseq, crc = excluded.crc, value = excluded.value";
const DELETE: &str = "delete from palinode_snapshot_row as r \
     using unnest($3::text[], $4::bytea[]) as gone (section, key) \
     where r.service = $1 and r.shard = $2 and r.section = gone.section and r.key = gone.key";

/// Replaces the base by the next snapshot, or fails as superseded.
pub(super) async fn replace(
    tx: &mut PgConnection,
    service: &str,
    shard: u32,
    base: Option<&Position>,
    save: &Save,
) -> Result<(), ApplyError> {
    let shard = integer(shard)?;
    let (position, state) = (&save.head.position, &save.head.shard_state);
    let crc = head_crc(&serde_json::to_string(position)?, state);
    let head = sqlx::query(if base.is_some() { NEXT } else { FIRST })
        .bind(service)
        .bind(shard)
        .bind(position.log_id)
        .bind(bigint(position.offset)?)
        .bind(bigint(position.term)?)
        .bind(position.claim_id)
        .bind(bigint(position.pseq)?)
        .bind(&position.digest.0[..])
        .bind(state)
        .bind(i64::from(crc));
    let head = match base {
        None => head,
        Some(base) => head
            .bind(base.log_id)
            .bind(bigint(base.offset)?)
            .bind(bigint(base.term)?)
            .bind(base.claim_id)
            .bind(bigint(base.pseq)?)
            .bind(&base.digest.0[..]),
    };
    if head.execute(&mut *tx).await?.rows_affected() != 1 {
        return Err(ApplyError::new(Class::Superseded, "the snapshot has another base"));
    }
    // Of two rows with one key the last one counts. In the order of their keys: neighbours go to the same page.
    let last: BTreeMap<_, &Row> =
        save.rows.iter().map(|row| ((row.section, row.key.as_str()), row)).collect();
    let (set, gone): (Vec<&Row>, Vec<&Row>) = last.into_values().partition(|row| row.value.is_some());
    let mut left = &set[..];
    while !left.is_empty() {
        let (some, rest) = left.split_at(at_once(left));
        upsert(tx, service, shard, some).await?;
        left = rest;
    }
    for some in gone.chunks(AT_ONCE.0) {
        let (sections, keys): (Vec<&str>, Vec<&[u8]>) =
            some.iter().map(|row| (row.section.name(), row.key.as_bytes())).unzip();
        sqlx::query(DELETE).bind(service).bind(shard).bind(sections).bind(keys).execute(&mut *tx).await?;
    }
    Ok(())
}

/// How many of these rows are written at once: at least one.
fn at_once(rows: &[&Row]) -> usize {
    let mut bytes = 0;
    let fits = |row: &&&Row| {
        let fits = bytes < AT_ONCE.1;
        bytes += row.key.len() + row.value.as_ref().map_or(0, Vec::len);
        fits
    };
    rows.iter().take(AT_ONCE.0).take_while(fits).count()
}

async fn upsert(tx: &mut PgConnection, service: &str, shard: i32, rows: &[&Row]) -> Result<(), ApplyError> {
    let values: Vec<&[u8]> = rows.iter().map(|row| row.value.as_deref().unwrap_or_default()).collect();
    let (mut pseqs, mut sums) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for (row, value) in rows.iter().zip(&values) {
        pseqs.push(bigint(row.pseq)?);
        sums.push(i64::from(row_crc(row.section, &row.key, row.pseq, value)));
    }
    sqlx::query(UPSERT)
        .bind(service)
        .bind(shard)
        .bind(rows.iter().map(|row| row.section.name()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.key.as_bytes()).collect::<Vec<_>>())
        .bind(pseqs)
        .bind(sums)
        .bind(values)
        .execute(tx)
        .await?;
    Ok(())
}
