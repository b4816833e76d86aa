//! Snapshots in SQLite. A save is one transaction that first compares the base; a load of a shard is one read
//! transaction, a load of entities one statement. Every row and every head carries a checksum.

use std::{collections::BTreeMap, sync::LazyLock};

use async_trait::async_trait;
use sqlx::{Connection, Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{SqliteDb, integer};
use crate::{
    checkpoint::{ApplyError, Class, Transacted},
    log::LogError,
    position::Position,
    snapshots::{Head, Row, Save, Saved, Section, SnapshotStore, backward},
};

/// Rows of one statement while there are so many; the rest go one by one. Few sizes, so that each is prepared once.
const CHUNKS: [usize; 3] = [256, 16, 1];

static UPSERTS: LazyLock<[String; 3]> = LazyLock::new(|| CHUNKS.map(upsert));
static DELETES: LazyLock<[String; 3]> = LazyLock::new(|| CHUNKS.map(delete));

/// The snapshot store in a node's read database.
#[derive(Clone)]
pub struct SqliteStore(SqliteDb);

impl SqliteStore {
    /// The snapshots of this database.
    #[must_use]
    pub fn new(db: SqliteDb) -> Self {
        Self(db)
    }
}

#[async_trait]
impl SnapshotStore for SqliteStore {
    async fn load(&self, service: &str, shard: u32) -> Result<Option<(Head, Vec<Row>)>, LogError> {
        let (readers, service) = (self.0.readers().clone(), service.to_owned());
        // In a task of its own: a read transaction must not be dropped half way either.
        let loading = tokio::spawn(async move {
            let mut conn = readers.acquire().await?;
            let mut tx = conn.begin().await?;
            let loaded = load(&mut tx, &service, shard).await;
            tx.rollback().await?;
            loaded
        });
        let loaded = loading.await.map_err(|e| LogError::retry(format!("loading a snapshot: {e}")))?;
        loaded.map_err(LogError::from)
    }

    async fn entities(
        &self,
        service: &str,
        shard: u32,
        keys: &[String],
    ) -> Result<(Option<Position>, Vec<Option<Row>>), LogError> {
        entities(&self.0, service, shard, keys).await.map_err(LogError::from)
    }

    async fn save(&self, service: &str, shard: u32, base: Option<&Position>, save: Save) -> Saved {
        if let Some(why) = base.and_then(|base| backward(base, &save.head.position)) {
            return Saved::Refused(why);
        }
        let (service, base) = (service.to_owned(), base.cloned());
        let saved = self.0.run(Box::new(move |tx| {
            Box::pin(async move { replace(tx, &service, shard, base.as_ref(), save).await })
        }));
        match saved.await {
            Transacted::Committed(()) => Saved::Saved,
            Transacted::RolledBack(e) if e.class == Class::Superseded => Saved::Lost,
            Transacted::RolledBack(e) => Saved::Refused(e.into()),
            Transacted::Unknown(e) => Saved::Unknown(e.into()),
        }
    }
}

async fn load(
    tx: &mut SqliteConnection,
    service: &str,
    shard: u32,
) -> Result<Option<(Head, Vec<Row>)>, ApplyError> {
    let Some(head) = head(tx, service, shard).await? else { return Ok(None) };
    let rows = sqlx::query(
        "select section, key, pseq, crc, value from palinode_snapshot_row \
         where service = ?1 and shard = ?2 and section in ('id', 'timer', 'send', 'run')",
    )
    .bind(service)
    .bind(shard)
    .fetch_all(&mut *tx)
    .await?;
    let rows = rows.iter().map(|row| {
        let name: &str = row.try_get("section")?;
        let section = Section::named(name).ok_or_else(|| damaged(service, shard, name, "its section"))?;
        read_row(service, shard, section, row.try_get("key")?, row)
    });
    Ok(Some((head, rows.collect::<Result<_, ApplyError>>()?)))
}

async fn head(tx: &mut SqliteConnection, service: &str, shard: u32) -> Result<Option<Head>, ApplyError> {
    let sql = "select position, shard_state, crc from palinode_snapshot where service = ?1 and shard = ?2";
    let Some(row) = sqlx::query(sql).bind(service).bind(shard).fetch_optional(tx).await? else {
        return Ok(None);
    };
    let (position, shard_state): (&str, String) = (row.try_get("position")?, row.try_get("shard_state")?);
    if head_crc(position, &shard_state) != row.try_get::<u32, _>("crc")? {
        return Err(damaged(service, shard, "head", "the head"));
    }
    Ok(Some(Head { position: parse(service, shard, position)?, shard_state }))
}

/// One statement, so that the base belongs to the rows.
async fn entities(
    db: &SqliteDb,
    service: &str,
    shard: u32,
    keys: &[String],
) -> Result<(Option<Position>, Vec<Option<Row>>), ApplyError> {
    let found = sqlx::query(
        "select s.position, j.key as nth, r.pseq, r.crc, r.value from palinode_snapshot s \
         left join json_each(?3) j \
         left join palinode_snapshot_row r on r.service = s.service and r.shard = s.shard \
           and r.section = 'entity' and r.key = j.value \
         where s.service = ?1 and s.shard = ?2",
    )
    .bind(service)
    .bind(shard)
    .bind(serde_json::to_string(keys)?)
    .fetch_all(db.readers())
    .await?;
    let mut rows = vec![None; keys.len()];
    for row in &found {
        let nth = row.try_get::<Option<i64>, _>("nth")?.and_then(|n| usize::try_from(n).ok());
        let Some((key, slot)) = nth.and_then(|n| Some((keys.get(n)?, rows.get_mut(n)?))) else { continue };
        if row.try_get::<Option<i64>, _>("pseq")?.is_some() {
            *slot = Some(read_row(service, shard, Section::Entity, key.clone(), row)?);
        }
    }
    let base = found.first().map(|row| parse(service, shard, row.try_get("position")?)).transpose()?;
    Ok((base, rows))
}

/// Replaces the base by the next snapshot, or fails as superseded.
async fn replace(
    tx: &mut SqliteConnection,
    service: &str,
    shard: u32,
    base: Option<&Position>,
    save: Save,
) -> Result<(), ApplyError> {
    let found = head(tx, service, shard).await?.map(|head| head.position);
    if found.as_ref() != base {
        return Err(ApplyError::new(Class::Superseded, "the snapshot has another base"));
    }
    let position = serde_json::to_string(&save.head.position)?;
    sqlx::query(
        "insert into palinode_snapshot (service, shard, position, pseq, shard_state, crc) \
         values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (service, shard) do update set \
         position = excluded.position, pseq = excluded.pseq, shard_state = excluded.shard_state, crc = excluded.crc",
    )
    .bind(service)
    .bind(shard)
    .bind(&position)
    .bind(integer(save.head.position.pseq)?)
    .bind(&save.head.shard_state)
    .bind(head_crc(&position, &save.head.shard_state))
    .execute(&mut *tx)
    .await?;
    write_rows(tx, service, shard, &save.rows).await
}

async fn write_rows(
    tx: &mut SqliteConnection,
    service: &str,
    shard: u32,
    rows: &[Row],
) -> Result<(), ApplyError> {
    let last: BTreeMap<_, &Row> = rows.iter().map(|row| ((row.section, row.key.as_str()), row)).collect();
    let (kept, gone): (Vec<_>, Vec<_>) = last.into_values().partition(|row| row.value.is_some());
    for (sql, rows) in in_chunks(&UPSERTS, &kept) {
        let mut query = sqlx::query(sql);
        for row in rows {
            let value = row.value.as_deref().unwrap_or_default();
            let crc = row_crc(row.section, &row.key, row.pseq, value);
            query = query
                .bind(service)
                .bind(shard)
                .bind(row.section.name())
                .bind(row.key.as_str())
                .bind(integer(row.pseq)?)
                .bind(crc)
                .bind(value);
        }
        query.execute(&mut *tx).await?;
    }
    for (sql, rows) in in_chunks(&DELETES, &gone) {
        let mut query = sqlx::query(sql).bind(service).bind(shard);
        for row in rows {
            query = query.bind(row.section.name()).bind(row.key.as_str());
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

/// The rows in pieces of the sizes of [`CHUNKS`], each with its statement.
fn in_chunks<'a, T>(statements: &'static [String; 3], rows: &'a [T]) -> Vec<(&'static str, &'a [T])> {
    let (mut pieces, mut rest) = (Vec::new(), rows);
    for (size, sql) in CHUNKS.iter().zip(statements) {
        let whole = rest.len() - rest.len() % size;
        let (now, later) = rest.split_at(whole);
        pieces.extend(now.chunks_exact(*size).map(|piece| (sql.as_str(), piece)));
        rest = later;
    }
    pieces
}

/// Parameters have no numbers: SQLite would look for the name of each in a list of all.
fn upsert(rows: usize) -> String {
    format!(
        "insert into palinode_snapshot_row (service, shard, section, key, pseq, crc, value) values {} \
         on conflict (service, shard, section, key) do update \
         set pseq = excluded.pseq, crc = excluded.crc, value = excluded.value",
        vec!["(?, ?, ?, ?, ?, ?, ?)"; rows].join(", ")
    )
}

fn delete(rows: usize) -> String {
    format!(
        "delete from palinode_snapshot_row where service = ? and shard = ? and (section, key) in (values {})",
        vec!["(?, ?)"; rows].join(", ")
    )
}

fn read_row(
    service: &str,
    shard: u32,
    section: Section,
    key: String,
    row: &SqliteRow,
) -> Result<Row, ApplyError> {
    let value: Vec<u8> = row.try_get("value")?;
    let pseq = u64::try_from(row.try_get::<i64, _>("pseq")?).unwrap_or(u64::MAX);
    if row_crc(section, &key, pseq, &value) != row.try_get::<u32, _>("crc")? {
        return Err(damaged(service, shard, section.name(), &key));
    }
    Ok(Row { section, key, pseq, value: Some(value) })
}

fn parse(service: &str, shard: u32, position: &str) -> Result<Position, ApplyError> {
    serde_json::from_str(position).map_err(|e| damaged(service, shard, "position", &e.to_string()))
}

fn damaged(service: &str, shard: u32, what: &str, which: &str) -> ApplyError {
    ApplyError::broken(format!(
        "the snapshot of {service}/{shard} is damaged ({what}: {which}): delete it, the shard is folded from its log"
    ))
}

fn head_crc(position: &str, shard_state: &str) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(position.as_bytes()), shard_state.as_bytes())
}

fn row_crc(section: Section, key: &str, pseq: u64, value: &[u8]) -> u32 {
    let head = crc32c::crc32c(format!("{}/{key}/{pseq}/", section.name()).as_bytes());
    crc32c::crc32c_append(head, value)
}
