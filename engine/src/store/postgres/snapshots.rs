//! Snapshots in PostgreSQL. A save is one transaction that first compares the base (`snapshots/write.rs`); a load is one
//! statement, of a whole shard and of entities alike, so the base belongs to the rows. Every row and every head carries a
//! checksum.

mod write;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use sqlx::{Row as _, postgres::PgRow};

use super::{PgDb, checkpoint, integer};
use crate::{
    checkpoint::{ApplyError, Class, Transacted},
    log::LogError,
    position::Position,
    snapshots::{Head, Row, Save, Saved, Section, SnapshotStore, backward},
    store::sums::{damaged, head_crc, row_crc},
};

/// The snapshot store in a database of derived data.
#[derive(Clone)]
pub struct PgStore(PgDb);

impl PgStore {
    /// The snapshots of this database.
    #[must_use]
    pub fn new(db: PgDb) -> Self {
        Self(db)
    }
}

#[async_trait]
impl SnapshotStore for PgStore {
    async fn load(&self, service: &str, shard: u32) -> Result<Option<(Head, Vec<Row>)>, LogError> {
        load(&self.0, service, shard).await.map_err(LogError::from)
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
        let (service, base, save) = (service.to_owned(), base.cloned(), Arc::new(save));
        let saved = self.0.run(Box::new(move |tx| {
            async move { write::replace(tx, &service, shard, base.as_ref(), &save).await }.boxed()
        }));
        match saved.await {
            Transacted::Committed(()) => Saved::Saved,
            Transacted::RolledBack(e) if e.class == Class::Superseded => Saved::Lost,
            Transacted::RolledBack(e) => Saved::Refused(e.into()),
            Transacted::Unknown(e) => Saved::Unknown(e.into()),
        }
    }
}

async fn load(db: &PgDb, service: &str, shard: u32) -> Result<Option<(Head, Vec<Row>)>, ApplyError> {
    db.0.writers.settled().await?;
    let found = sqlx::query(
        "select s.log_id, s.log_offset, s.term, s.claim_id, s.pseq, s.digest, s.shard_state, s.crc as head_crc, \
         r.section, r.key, r.pseq as row_pseq, r.crc, r.value from palinode_snapshot s \
         left join palinode_snapshot_row r on r.service = s.service and r.shard = s.shard \
           and r.section in ('id', 'timer', 'send', 'run', 'known') \
         where s.service = $1 and s.shard = $2",
    )
    .bind(service)
    .bind(integer(shard)?)
    .fetch_all(&db.0.loaders)
    .await?;
    let Some(first) = found.first() else { return Ok(None) };
    let position = read_position(service, shard, first)?;
    let shard_state: String = first.try_get("shard_state")?;
    let crc = head_crc(&serde_json::to_string(&position)?, &shard_state);
    if i64::from(crc) != first.try_get::<i64, _>("head_crc")? {
        return Err(damaged(service, shard, "head", "the head"));
    }
    let mut rows = Vec::with_capacity(found.len());
    for row in &found {
        let Some(name) = row.try_get::<Option<&str>, _>("section")? else { continue };
        let section = Section::named(name).ok_or_else(|| damaged(service, shard, name, "its section"))?;
        let key = std::str::from_utf8(row.try_get("key")?)
            .map_err(|_| damaged(service, shard, name, "a key that is no text"))?;
        rows.push(read_row(service, shard, section, key.to_owned(), row)?);
    }
    Ok(Some((Head { position, shard_state }, rows)))
}

async fn entities(
    db: &PgDb,
    service: &str,
    shard: u32,
    keys: &[String],
) -> Result<(Option<Position>, Vec<Option<Row>>), ApplyError> {
    db.0.writers.settled().await?;
    let found = sqlx::query(
        "select s.log_id, s.log_offset, s.term, s.claim_id, s.pseq, s.digest, \
         k.nth, r.pseq as row_pseq, r.crc, r.value from palinode_snapshot s \
         left join unnest($3::bytea[]) with ordinality as k (key, nth) on true \
         left join palinode_snapshot_row r on r.service = s.service and r.shard = s.shard \
           and r.section = 'entity' and r.key = k.key \
         where s.service = $1 and s.shard = $2",
    )
    .bind(service)
    .bind(integer(shard)?)
    .bind(keys.iter().map(String::as_bytes).collect::<Vec<_>>())
    .fetch_all(&db.0.loaders)
    .await?;
    let mut rows = vec![None; keys.len()];
    for row in &found {
        let nth = row.try_get::<Option<i64>, _>("nth")?;
        let nth = nth.and_then(|n| usize::try_from(n.checked_sub(1)?).ok());
        let Some((key, slot)) = nth.and_then(|n| Some((keys.get(n)?, rows.get_mut(n)?))) else { continue };
        if row.try_get::<Option<i64>, _>("row_pseq")?.is_some() {
            *slot = Some(read_row(service, shard, Section::Entity, key.clone(), row)?);
        }
    }
    let base = found.first().map(|row| read_position(service, shard, row)).transpose()?;
    Ok((base, rows))
}

fn read_row(
    service: &str,
    shard: u32,
    section: Section,
    key: String,
    row: &PgRow,
) -> Result<Row, ApplyError> {
    let value: Vec<u8> = row.try_get("value")?;
    let pseq = u64::try_from(row.try_get::<i64, _>("row_pseq")?).unwrap_or(u64::MAX);
    if i64::from(row_crc(section, &key, pseq, &value)) != row.try_get::<i64, _>("crc")? {
        return Err(damaged(service, shard, section.name(), &key));
    }
    Ok(Row { section, key, pseq, value: Some(value) })
}

fn read_position(service: &str, shard: u32, row: &PgRow) -> Result<Position, ApplyError> {
    checkpoint::position(row)?.map_err(|column| damaged(service, shard, "position", column))
}
