//! The table of entities in PostgreSQL.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::PgConnection;

use super::{PgDb, bigint, integer};
use crate::checkpoint::{ApplyError, EntityRow, EntityTable, Tables};

const TABLE: &str = "
    create table if not exists {palinode_entity} (
      service text    collate \"C\" not null,
      kind    text    collate \"C\" not null,
      id      text    collate \"C\" not null,
      shard   integer not null,
      version bigint  not null,  -- how many events it has
      pseq    bigint  not null,  -- number of the commit of the last one
      since   bigint  not null,  -- time of that commit
      primary key (service, kind, id)
    ) with (fillfactor = 80);
    create index if not exists {palinode_entity}_since on {palinode_entity} (service, kind, since)";

const PUT: &str = "insert into {palinode_entity} (service, kind, id, shard, version, pseq, since) \
     select * from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[]) \
     on conflict (service, kind, id) do update set \
     version = excluded.version, pseq = excluded.pseq, since = excluded.since";

impl EntityTable for PgDb {
    fn prepare_entities<'t>(
        tx: &'t mut PgConnection,
        tables: &'t Tables,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            sqlx::raw_sql(tables.sql(TABLE)).execute(tx).await?;
            Ok(())
        }
        .boxed()
    }

    fn put_entities<'t>(
        tx: &'t mut PgConnection,
        tables: &'t Tables,
        rows: &'t [EntityRow],
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            let texts = |of: fn(&EntityRow) -> &str| rows.iter().map(of).collect::<Vec<&str>>();
            let numbers = |of: fn(&EntityRow) -> u64| rows.iter().map(|row| bigint(of(row))).collect();
            let (versions, pseqs): (Result<Vec<i64>, _>, Result<Vec<i64>, _>) =
                (numbers(|row| row.version), numbers(|row| row.pseq));
            let shards: Result<Vec<i32>, _> = rows.iter().map(|row| integer(row.shard)).collect();
            sqlx::query(tables.sql(PUT))
                .bind(texts(|row| &row.service))
                .bind(texts(|row| &row.kind))
                .bind(texts(|row| &row.id))
                .bind(shards?)
                .bind(versions?)
                .bind(pseqs?)
                .bind(rows.iter().map(|row| row.since.0).collect::<Vec<i64>>())
                .execute(tx)
                .await?;
            Ok(())
        }
        .boxed()
    }
}
