//! Checkpoints in SQLite: the statements that a runner needs, inside a transaction of [`SqliteDb`].

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{SqliteDb, integer};
use crate::{
    checkpoint::{ApplyError, Checkpoint, Db, Key, Transacted, Work},
    digest::Digest,
    position::Position,
    time::Micros,
    trace::names::value,
};

impl Db for SqliteDb {
    type Tx = SqliteConnection;

    const SYSTEM: &'static str = value::SQLITE;

    fn transact<T: Send + 'static>(
        &self,
        work: Work<SqliteConnection, T>,
    ) -> BoxFuture<'static, Transacted<T>> {
        self.run(work)
    }

    fn checkpoint<'t>(
        tx: &'t mut SqliteConnection,
        key: &'t Key,
    ) -> BoxFuture<'t, Result<Option<Checkpoint>, ApplyError>> {
        async move {
            let row = sqlx::query(
                "select * from palinode_checkpoint \
                 where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 and state <> 'removed'",
            )
            .bind(&*key.projection)
            .bind(key.version)
            .bind(&*key.service)
            .bind(key.shard)
            .fetch_optional(tx)
            .await?;
            row.map(|row| read(key, &row)).transpose()
        }
        .boxed()
    }

    fn take<'t>(
        tx: &'t mut SqliteConnection,
        key: &'t Key,
        start: &'t Position,
        runner: &'t str,
    ) -> BoxFuture<'t, Result<Checkpoint, ApplyError>> {
        async move {
            sqlx::query(
                "insert into palinode_checkpoint (projection, version, service, shard, log_id, log_offset, term, \
                 claim_id, pseq, digest, time_us, epoch, runner, state) \
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, '', 'live') \
                 on conflict do update set log_id = excluded.log_id, log_offset = excluded.log_offset, \
                 term = excluded.term, claim_id = excluded.claim_id, pseq = excluded.pseq, \
                 digest = excluded.digest, time_us = 0 where state = 'removed'",
            )
            .bind(&*key.projection)
            .bind(key.version)
            .bind(&*key.service)
            .bind(key.shard)
            .bind(start.log_id.to_string())
            .bind(integer(start.offset)?)
            .bind(integer(start.term)?)
            .bind(start.claim_id.to_string())
            .bind(integer(start.pseq)?)
            .bind(start.digest.to_string())
            .execute(&mut *tx)
            .await?;
            let row = sqlx::query(
                "update palinode_checkpoint set epoch = epoch + 1, runner = ?5, state = 'live' \
                 where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 returning *",
            )
            .bind(&*key.projection)
            .bind(key.version)
            .bind(&*key.service)
            .bind(key.shard)
            .bind(runner)
            .fetch_one(tx)
            .await?;
            read(key, &row)
        }
        .boxed()
    }

    fn advance<'t>(
        tx: &'t mut SqliteConnection,
        key: &'t Key,
        from: &'t Checkpoint,
        to: &'t Position,
        time: Micros,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        async move {
            let moved = sqlx::query(
                "update palinode_checkpoint set log_offset = ?5, term = ?6, claim_id = ?7, pseq = ?8, digest = ?9, \
                 time_us = ?10 where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 \
                 and log_offset = ?11 and epoch = ?12",
            )
            .bind(&*key.projection)
            .bind(key.version)
            .bind(&*key.service)
            .bind(key.shard)
            .bind(integer(to.offset)?)
            .bind(integer(to.term)?)
            .bind(to.claim_id.to_string())
            .bind(integer(to.pseq)?)
            .bind(to.digest.to_string())
            .bind(time.0)
            .bind(integer(from.position.offset)?)
            .bind(integer(from.epoch)?)
            .execute(tx)
            .await?;
            Ok(moved.rows_affected() == 1)
        }
        .boxed()
    }

    fn mark<'t>(
        tx: &'t mut SqliteConnection,
        key: &'t Key,
        epoch: u64,
        state: &'t str,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            sqlx::query(
                "update palinode_checkpoint set state = ?6 where projection = ?1 and version = ?2 \
                 and service = ?3 and shard = ?4 and epoch = ?5",
            )
            .bind(&*key.projection)
            .bind(key.version)
            .bind(&*key.service)
            .bind(key.shard)
            .bind(integer(epoch)?)
            .bind(state)
            .execute(tx)
            .await?;
            Ok(())
        }
        .boxed()
    }
}

/// Whose checkpoint a row is.
pub(super) fn key(row: &SqliteRow) -> Result<Key, ApplyError> {
    Ok(Key {
        projection: row.try_get::<&str, _>("projection")?.into(),
        version: row.try_get("version")?,
        service: row.try_get::<&str, _>("service")?.into(),
        shard: row.try_get("shard")?,
    })
}

/// How far the projection of a row has come.
pub(super) fn read(key: &Key, row: &SqliteRow) -> Result<Checkpoint, ApplyError> {
    let damaged = |column: &str| {
        ApplyError::broken(format!(
            "the checkpoint of {key} is damaged ({column}): delete it and the tables of the projection, and they are \
             built again from the log"
        ))
    };
    let number =
        |column: &'static str| u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| damaged(column));
    let id = |column: &'static str| row.try_get::<&str, _>(column)?.parse().map_err(|_| damaged(column));
    let digest: Result<Digest, _> = serde_json::from_value(row.try_get::<String, _>("digest")?.into());
    Ok(Checkpoint {
        position: Position {
            log_id: id("log_id")?,
            offset: number("log_offset")?,
            term: number("term")?,
            claim_id: id("claim_id")?,
            pseq: number("pseq")?,
            digest: digest.map_err(|_| damaged("digest"))?,
        },
        time: Micros(row.try_get("time_us")?),
        epoch: number("epoch")?,
    })
}
