//! Checkpoints in PostgreSQL: the statements that a runner needs, inside a transaction of [`PgDb`].

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{PgDb, bigint, text};
use crate::{
    checkpoint::{About, ApplyError, Checkpoint, Db, Key, News, Transacted, Work},
    digest::Digest,
    position::Position,
    time::Micros,
    trace::names::value,
};

/// Binds whose row is meant, as `$1` to `$4`.
macro_rules! of {
    ($sql:expr, $key:expr) => {
        sqlx::query($sql)
            .bind(&*$key.projection)
            .bind($crate::store::postgres::integer($key.version)?)
            .bind(&*$key.service)
            .bind($crate::store::postgres::integer($key.shard)?)
    };
}
pub(super) use of;

impl Db for PgDb {
    type Tx = PgConnection;

    const SYSTEM: &'static str = value::POSTGRESQL;

    fn transact<T: Send + 'static>(&self, work: Work<PgConnection, T>) -> BoxFuture<'static, Transacted<T>> {
        self.run(work)
    }

    fn ring(&self, about: About) {
        self.0.notices.ring(about);
    }

    fn news(&self, about: &About) -> Option<News> {
        Some(self.0.notices.hear(about))
    }

    fn checkpoint<'t>(
        tx: &'t mut PgConnection,
        key: &'t Key,
    ) -> BoxFuture<'t, Result<Option<Checkpoint>, ApplyError>> {
        async move {
            let sql = "select log_id, log_offset, term, claim_id, pseq, digest, time_us, epoch from palinode_checkpoint \
                       where projection = $1 and version = $2 and service = $3 and shard = $4 and state <> 'removed'";
            let row = of!(sql, key).fetch_optional(tx).await?;
            row.map(|row| read(key, &row)).transpose()
        }
        .boxed()
    }

    fn take<'t>(
        tx: &'t mut PgConnection,
        key: &'t Key,
        start: &'t Position,
        runner: &'t str,
    ) -> BoxFuture<'t, Result<Checkpoint, ApplyError>> {
        async move {
            let sql = "insert into palinode_checkpoint (projection, version, service, shard, log_id, log_offset, term, \
                       claim_id, pseq, digest, time_us, epoch, runner, state) \
                       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, '', 'live') \
                       on conflict (projection, version, service, shard) do update set log_id = excluded.log_id, \
                       log_offset = excluded.log_offset, term = excluded.term, claim_id = excluded.claim_id, \
                       pseq = excluded.pseq, digest = excluded.digest, time_us = 0 \
                       where palinode_checkpoint.state = 'removed'";
            of!(sql, key)
                .bind(start.log_id)
                .bind(bigint(start.offset)?)
                .bind(bigint(start.term)?)
                .bind(start.claim_id)
                .bind(bigint(start.pseq)?)
                .bind(&start.digest.0[..])
                .execute(&mut *tx)
                .await?;
            let sql = "update palinode_checkpoint set epoch = epoch + 1, runner = $5, state = 'live' \
                       where projection = $1 and version = $2 and service = $3 and shard = $4 \
                       returning log_id, log_offset, term, claim_id, pseq, digest, time_us, epoch";
            let row = of!(sql, key).bind(text(runner)).fetch_one(tx).await?;
            read(key, &row)
        }
        .boxed()
    }

    fn advance<'t>(
        tx: &'t mut PgConnection,
        key: &'t Key,
        from: &'t Checkpoint,
        to: &'t Position,
        time: Micros,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        async move {
            let sql = "update palinode_checkpoint set log_offset = $5, term = $6, claim_id = $7, pseq = $8, digest = $9, \
                       time_us = $10 where projection = $1 and version = $2 and service = $3 and shard = $4 \
                       and log_offset = $11 and epoch = $12";
            let moved = of!(sql, key)
                .bind(bigint(to.offset)?)
                .bind(bigint(to.term)?)
                .bind(to.claim_id)
                .bind(bigint(to.pseq)?)
                .bind(&to.digest.0[..])
                .bind(time.0)
                .bind(bigint(from.position.offset)?)
                .bind(bigint(from.epoch)?)
                .execute(tx)
                .await?;
            Ok(moved.rows_affected() == 1)
        }
        .boxed()
    }

    fn mark<'t>(
        tx: &'t mut PgConnection,
        key: &'t Key,
        epoch: u64,
        state: &'t str,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            let sql = "update palinode_checkpoint set state = $6 where projection = $1 and version = $2 and service = $3 \
                       and shard = $4 and epoch = $5";
            of!(sql, key).bind(bigint(epoch)?).bind(text(state)).execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

/// Whose checkpoint a row is.
pub(super) fn key(row: &PgRow) -> Result<Key, ApplyError> {
    let small =
        |column| u32::try_from(row.try_get::<i32, _>(column)?).map_err(|e| sqlx::Error::Decode(e.into()));
    Ok(Key {
        projection: row.try_get::<&str, _>("projection")?.into(),
        version: small("version")?,
        service: row.try_get::<&str, _>("service")?.into(),
        shard: small("shard")?,
    })
}

/// How far the projection of a row has come.
pub(super) fn read(key: &Key, row: &PgRow) -> Result<Checkpoint, ApplyError> {
    let damaged = |column: &str| {
        ApplyError::broken(format!(
            "the checkpoint of {key} is damaged ({column}): delete it and the tables of the projection, and they are \
             built again from the log"
        ))
    };
    let epoch = u64::try_from(row.try_get::<i64, _>("epoch")?).map_err(|_| damaged("epoch"))?;
    let position = position(row)?.map_err(damaged)?;
    Ok(Checkpoint { position, time: Micros(row.try_get("time_us")?), epoch })
}

/// The position of a row, or which column of it is damaged.
pub(super) fn position(row: &PgRow) -> Result<Result<Position, &'static str>, ApplyError> {
    let (offset, term, pseq): (i64, i64, i64) =
        (row.try_get("log_offset")?, row.try_get("term")?, row.try_get("pseq")?);
    let number = |n: i64, column| u64::try_from(n).map_err(|_| column);
    let digest = <[u8; 8]>::try_from(row.try_get::<&[u8], _>("digest")?).map_err(|_| "digest");
    let (log_id, claim_id) = (row.try_get("log_id")?, row.try_get("claim_id")?);
    let read = || {
        Ok(Position {
            log_id,
            offset: number(offset, "log_offset")?,
            term: number(term, "term")?,
            claim_id,
            pseq: number(pseq, "pseq")?,
            digest: Digest(digest?),
        })
    };
    Ok(read())
}
