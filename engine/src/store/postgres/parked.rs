//! Parked keys and the audit trail in PostgreSQL: the statements, inside a transaction of [`PgDb`].

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{PgDb, bigint, checkpoint::of, text};
use crate::{
    checkpoint::{Act, ApplyError, Audit, Held, Key, Parked, Parking, Said},
    time::Micros,
};

impl Parking for PgDb {
    fn park<'t>(
        tx: &'t mut PgConnection,
        of: &'t Key,
        parked: &'t Parked,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            let sql = "insert into palinode_parked (projection, version, service, shard, key, since_pseq, cause, error, \
                       attempts, state, parked_us) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                       on conflict (projection, version, service, shard, key) do update set cause = excluded.cause, \
                       error = excluded.error, attempts = excluded.attempts, state = excluded.state";
            of!(sql, of)
                .bind(&parked.key)
                .bind(bigint(parked.first.pseq)?)
                .bind(text(&parked.cause))
                .bind(text(&parked.error))
                .bind(i64::from(parked.attempts))
                .bind(if parked.resuming { "resuming" } else { "parked" })
                .bind(parked.at.0)
                .execute(tx)
                .await?;
            Ok(())
        }
        .boxed()
    }

    fn hold<'t>(
        tx: &'t mut PgConnection,
        of: &'t Key,
        key: &'t str,
        events: &'t [Held],
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            let (mut pseqs, mut places, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
            for event in events {
                pseqs.push(bigint(event.pseq)?);
                places.push(i64::from(event.idx));
                offsets.push(bigint(event.offset)?);
            }
            let sql = "insert into palinode_held (projection, version, service, shard, key, pseq, idx, log_offset) \
                       select $1, $2, $3, $4, $5, e.* from unnest($6::bigint[], $7::bigint[], $8::bigint[]) as e \
                       on conflict do nothing";
            of!(sql, of).bind(key).bind(pseqs).bind(places).bind(offsets).execute(tx).await?;
            Ok(())
        }
        .boxed()
    }

    fn parked<'t>(tx: &'t mut PgConnection, of: &'t Key) -> BoxFuture<'t, Result<Vec<Parked>, ApplyError>> {
        async move {
            let sql = "select p.key, p.cause, p.error, p.attempts, p.state, p.parked_us, h.held, f.pseq, f.idx, f.log_offset \
                       from palinode_parked as p \
                       join lateral (select pseq, idx, log_offset from palinode_held as h \
                         where (h.projection, h.version, h.service, h.shard, h.key) = \
                           (p.projection, p.version, p.service, p.shard, p.key) order by pseq, idx limit 1) as f on true \
                       join lateral (select count(*) as held from palinode_held as h \
                         where (h.projection, h.version, h.service, h.shard, h.key) = \
                           (p.projection, p.version, p.service, p.shard, p.key)) as h on true \
                       where p.projection = $1 and p.version = $2 and p.service = $3 and p.shard = $4 order by p.key";
            let rows = of!(sql, of).fetch_all(tx).await?;
            rows.iter().map(|row| parked(of.shard, row)).collect()
        }
        .boxed()
    }

    fn held<'t>(
        tx: &'t mut PgConnection,
        of: &'t Key,
        key: &'t str,
        limit: usize,
    ) -> BoxFuture<'t, Result<Vec<Held>, ApplyError>> {
        async move {
            let sql = "select pseq, idx, log_offset from palinode_held \
                       where projection = $1 and version = $2 and service = $3 and shard = $4 and key = $5 \
                       order by pseq, idx limit $6";
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = of!(sql, of).bind(key).bind(limit).fetch_all(tx).await?;
            rows.iter().map(held).collect()
        }
        .boxed()
    }

    fn release<'t>(
        tx: &'t mut PgConnection,
        of: &'t Key,
        key: &'t str,
        upto: Held,
    ) -> BoxFuture<'t, Result<Option<(Held, u64)>, ApplyError>> {
        async move {
            let sql = "delete from palinode_held where projection = $1 and version = $2 and service = $3 and shard = $4 \
                       and key = $5 and (pseq, idx) <= ($6, $7)";
            let (pseq, idx) = (bigint(upto.pseq)?, i64::from(upto.idx));
            of!(sql, of).bind(key).bind(pseq).bind(idx).execute(&mut *tx).await?;
            let sql = "select pseq, idx, log_offset, count(*) over () as held from palinode_held \
                       where projection = $1 and version = $2 and service = $3 and shard = $4 and key = $5 \
                       order by pseq, idx limit 1";
            let Some(left) = of!(sql, of).bind(key).fetch_optional(&mut *tx).await? else {
                let sql = "delete from palinode_parked \
                           where projection = $1 and version = $2 and service = $3 and shard = $4 and key = $5";
                of!(sql, of).bind(key).execute(tx).await?;
                return Ok(None);
            };
            let first = held(&left)?;
            let sql = "update palinode_parked set since_pseq = $6 \
                       where projection = $1 and version = $2 and service = $3 and shard = $4 and key = $5";
            of!(sql, of).bind(key).bind(bigint(first.pseq)?).execute(tx).await?;
            Ok(Some((first, number(&left, "held")?)))
        }
        .boxed()
    }

    fn holder<'t>(
        tx: &'t mut PgConnection,
        of: &'t Key,
        pseq: u64,
    ) -> BoxFuture<'t, Result<Option<String>, ApplyError>> {
        async move {
            let sql = "select key from palinode_held \
                       where projection = $1 and version = $2 and service = $3 and shard = $4 and pseq = $5 limit 1";
            let row = of!(sql, of).bind(bigint(pseq)?).fetch_optional(tx).await?;
            Ok(row.map(|row| row.try_get("key")).transpose()?)
        }
        .boxed()
    }
}

impl Audit for PgDb {
    fn record<'t>(tx: &'t mut PgConnection, act: &'t Act) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            sqlx::query(
                "insert into palinode_read_audit (at_us, projection, version, verb, about, by, why) \
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(act.at.0)
            .bind(&act.projection)
            .bind(super::integer(act.version)?)
            .bind(&act.verb)
            .bind(text(&act.about))
            .bind(text(&act.said.by))
            .bind(text(&act.said.why))
            .execute(tx)
            .await?;
            Ok(())
        }
        .boxed()
    }

    fn acts<'t>(
        tx: &'t mut PgConnection,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Vec<Act>, ApplyError>> {
        async move {
            let sql = "select at_us, projection, version, verb, about, by, why from palinode_read_audit \
                       where projection = $1 order by number";
            let rows = sqlx::query(sql).bind(projection).fetch_all(tx).await?;
            let read = |row: &PgRow| {
                Ok(Act {
                    at: Micros(row.try_get("at_us")?),
                    projection: row.try_get("projection")?,
                    version: small(i64::from(row.try_get::<i32, _>("version")?), "version")?,
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

fn parked(shard: u32, row: &PgRow) -> Result<Parked, ApplyError> {
    Ok(Parked {
        shard,
        key: row.try_get("key")?,
        first: held(row)?,
        held: number(row, "held")?,
        cause: row.try_get("cause")?,
        error: row.try_get("error")?,
        attempts: small(row.try_get("attempts")?, "attempts")?,
        resuming: row.try_get::<&str, _>("state")? == "resuming",
        at: Micros(row.try_get("parked_us")?),
    })
}

fn held(row: &PgRow) -> Result<Held, ApplyError> {
    Ok(Held {
        pseq: number(row, "pseq")?,
        idx: small(row.try_get("idx")?, "idx")?,
        offset: number(row, "log_offset")?,
    })
}

fn number(row: &PgRow, column: &str) -> Result<u64, ApplyError> {
    u64::try_from(row.try_get::<i64, _>(column)?).map_err(|_| damaged(column))
}

fn small(n: i64, column: &str) -> Result<u32, ApplyError> {
    u32::try_from(n).map_err(|_| damaged(column))
}

fn damaged(column: &str) -> ApplyError {
    ApplyError::broken(format!("{column} of a parked key is damaged: discard the key"))
}
