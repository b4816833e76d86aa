//! Parked keys and the audit trail in SQLite: the statements, inside a transaction of [`SqliteDb`].

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{SqliteDb, integer};
use crate::{
    checkpoint::{Act, ApplyError, Audit, Held, Key, Parked, Parking, Said},
    time::Micros,
};

/// Binds whose rows are meant, as `?1` to `?4`.
macro_rules! of {
    ($sql:expr, $key:expr) => {
        sqlx::query($sql).bind(&*$key.projection).bind($key.version).bind(&*$key.service).bind($key.shard)
    };
}

impl Parking for SqliteDb {
    fn park<'t>(
        tx: &'t mut SqliteConnection,
        of: &'t Key,
        parked: &'t Parked,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            let sql = "insert into palinode_parked (projection, version, service, shard, key, since_pseq, cause, error, \
                       attempts, state, parked_us) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
                       on conflict do update set cause = excluded.cause, error = excluded.error, \
                       attempts = excluded.attempts, state = excluded.state";
            of!(sql, of)
                .bind(&parked.key)
                .bind(integer(parked.first.pseq)?)
                .bind(&parked.cause)
                .bind(&parked.error)
                .bind(parked.attempts)
                .bind(if parked.resuming { "resuming" } else { "parked" })
                .bind(parked.at.0)
                .execute(tx)
                .await?;
            Ok(())
        }
        .boxed()
    }

    fn hold<'t>(
        tx: &'t mut SqliteConnection,
        of: &'t Key,
        key: &'t str,
        events: &'t [Held],
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            let places: Vec<_> = events.iter().map(|e| (e.pseq, e.idx, e.offset)).collect();
            let sql = "insert into palinode_held (projection, version, service, shard, key, pseq, idx, log_offset) \
                       select ?1, ?2, ?3, ?4, ?5, value ->> 0, value ->> 1, value ->> 2 from json_each(?6) where true \
                       on conflict do nothing";
            of!(sql, of).bind(key).bind(serde_json::to_string(&places)?).execute(tx).await?;
            Ok(())
        }
        .boxed()
    }

    fn parked<'t>(
        tx: &'t mut SqliteConnection,
        of: &'t Key,
    ) -> BoxFuture<'t, Result<Vec<Parked>, ApplyError>> {
        async move {
            // A bare column beside `min` is of the row that has it.
            let sql = "select p.*, count(*) as held, min(h.pseq * 4294967296 + h.idx), h.pseq, h.idx, h.log_offset \
                       from palinode_parked as p natural join palinode_held as h \
                       where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 group by key order by key";
            let rows = of!(sql, of).fetch_all(tx).await?;
            rows.iter().map(|row| parked(of.shard, row)).collect()
        }
        .boxed()
    }

    fn held<'t>(
        tx: &'t mut SqliteConnection,
        of: &'t Key,
        key: &'t str,
        limit: usize,
    ) -> BoxFuture<'t, Result<Vec<Held>, ApplyError>> {
        async move {
            let sql = "select pseq, idx, log_offset from palinode_held \
                       where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 and key = ?5 \
                       order by pseq, idx limit ?6";
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = of!(sql, of).bind(key).bind(limit).fetch_all(tx).await?;
            rows.iter().map(held).collect()
        }
        .boxed()
    }

    fn release<'t>(
        tx: &'t mut SqliteConnection,
        of: &'t Key,
        key: &'t str,
        upto: Held,
    ) -> BoxFuture<'t, Result<Option<(Held, u64)>, ApplyError>> {
        async move {
            let sql = "delete from palinode_held where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 \
                       and key = ?5 and (pseq, idx) <= (?6, ?7)";
            of!(sql, of).bind(key).bind(integer(upto.pseq)?).bind(upto.idx).execute(&mut *tx).await?;
            let sql = "select pseq, idx, log_offset, count(*) over () as held from palinode_held \
                       where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 and key = ?5 \
                       order by pseq, idx limit 1";
            let Some(left) = of!(sql, of).bind(key).fetch_optional(&mut *tx).await? else {
                let sql = "delete from palinode_parked \
                           where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 and key = ?5";
                of!(sql, of).bind(key).execute(tx).await?;
                return Ok(None);
            };
            let first = held(&left)?;
            let sql = "update palinode_parked set since_pseq = ?6 \
                       where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 and key = ?5";
            of!(sql, of).bind(key).bind(integer(first.pseq)?).execute(tx).await?;
            Ok(Some((first, number(&left, "held")?)))
        }
        .boxed()
    }

    fn holder<'t>(
        tx: &'t mut SqliteConnection,
        of: &'t Key,
        pseq: u64,
    ) -> BoxFuture<'t, Result<Option<String>, ApplyError>> {
        async move {
            let sql = "select key from palinode_held \
                       where projection = ?1 and version = ?2 and service = ?3 and shard = ?4 and pseq = ?5 limit 1";
            let row = of!(sql, of).bind(integer(pseq)?).fetch_optional(tx).await?;
            Ok(row.map(|row| row.try_get("key")).transpose()?)
        }
        .boxed()
    }
}

impl Audit for SqliteDb {
    fn record<'t>(tx: &'t mut SqliteConnection, act: &'t Act) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            sqlx::query(
                "insert into palinode_read_audit (at_us, projection, version, verb, about, by, why) \
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .bind(act.at.0)
            .bind(&act.projection)
            .bind(act.version)
            .bind(&act.verb)
            .bind(&act.about)
            .bind(&act.said.by)
            .bind(&act.said.why)
            .execute(tx)
            .await?;
            Ok(())
        }
        .boxed()
    }

    fn acts<'t>(
        tx: &'t mut SqliteConnection,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Vec<Act>, ApplyError>> {
        async move {
            let sql = "select * from palinode_read_audit where projection = ?1 order by number";
            let rows = sqlx::query(sql).bind(projection).fetch_all(tx).await?;
            let read = |row: &SqliteRow| {
                Ok(Act {
                    at: Micros(row.try_get("at_us")?),
                    projection: row.try_get("projection")?,
                    version: row.try_get("version")?,
                    verb: row.try_get("verb")?,
                    about: row.try_get("about")?,
                    said: Said { by: row.try_get("by")?, why: row.try_get("why")? },
                })
            };
            rows.iter().map(read).collect()
        }
        .boxed()
    }
}

fn parked(shard: u32, row: &SqliteRow) -> Result<Parked, ApplyError> {
    Ok(Parked {
        shard,
        key: row.try_get("key")?,
        first: held(row)?,
        held: number(row, "held")?,
        cause: row.try_get("cause")?,
        error: row.try_get("error")?,
        attempts: row.try_get("attempts")?,
        resuming: row.try_get::<&str, _>("state")? == "resuming",
        at: Micros(row.try_get("parked_us")?),
    })
}

fn held(row: &SqliteRow) -> Result<Held, ApplyError> {
    Ok(Held { pseq: number(row, "pseq")?, idx: row.try_get("idx")?, offset: number(row, "log_offset")? })
}

fn number(row: &SqliteRow, column: &str) -> Result<u64, ApplyError> {
    u64::try_from(row.try_get::<i64, _>(column)?)
        .map_err(|_| ApplyError::broken(format!("{column} of a parked key is damaged: discard the key")))
}
