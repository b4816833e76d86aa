//! Snapshots in SQLite. A save is one transaction that first compares the base (`snapshots/write.rs`); a load of a shard
//! is one read transaction, a load of entities one statement. Every row and every head carries a checksum.

mod write;

use async_trait::async_trait;
use sqlx::{Connection, Row as _, SqliteConnection, sqlite::SqliteRow};

use super::SqliteDb;
use crate::{
    checkpoint::{ApplyError, Class, Transacted},
    log::LogError,
    position::Position,
    snapshots::{Head, Row, Save, Saved, Section, SnapshotStore, backward},
    store::sums::{damaged, head_crc, row_crc},
};

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
        let saved = self.0.bulk(move |db| write::replace(db, &service, shard, base.as_ref(), &save));
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
         where service = ?1 and shard = ?2 and section in ('id', 'timer', 'send', 'run', 'known')",
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
    Ok(Some(Head {
        position: parse(service, shard, position, &shard_state, row.try_get("crc")?)?,
        shard_state,
    }))
}

/// One statement, so that the base belongs to the rows.
async fn entities(
    db: &SqliteDb,
    service: &str,
    shard: u32,
    keys: &[String],
) -> Result<(Option<Position>, Vec<Option<Row>>), ApplyError> {
    let found = sqlx::query(
        "select s.position, s.shard_state, s.crc as head_crc, j.key as nth, r.pseq, r.crc, r.value from palinode_snapshot s \
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
    let base =
        found.first().map(|row| read_position(service, shard, row.try_get("position")?)).transpose()?;
    Ok((base, rows))
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

/// The position of a head, after comparing its checksum.
fn parse(
    service: &str,
    shard: u32,
    position: &str,
    shard_state: &str,
    crc: u32,
) -> Result<Position, ApplyError> {
    if head_crc(position, shard_state) != crc {
        return Err(damaged(service, shard, "head", "the head"));
    }
    read_position(service, shard, position)
}

fn read_position(service: &str, shard: u32, position: &str) -> Result<Position, ApplyError> {
    serde_json::from_str(position).map_err(|e| damaged(service, shard, "position", &e.to_string()))
}
