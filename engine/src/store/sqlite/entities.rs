//! The table of entities in SQLite.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::SqliteConnection;

use super::{SqliteDb, integer};
use crate::checkpoint::{ApplyError, EntityRow, EntityTable, Tables};

const TABLE: &str = "
    create table if not exists {palinode_entity} (
      service text    not null,
      kind    text    not null,
      id      text    not null,
      shard   integer not null,
      version integer not null,  -- how many events it has
      pseq    integer not null,  -- number of the commit of the last one
      since   integer not null,  -- time of that commit
      primary key (service, kind, id)
    ) strict, without rowid;
    create index if not exists {palinode_entity}_since on {palinode_entity} (service, kind, since)";

const PUT: &str = "insert into {palinode_entity} (service, kind, id, shard, version, pseq, since) \
     values ($1, $2, $3, $4, $5, $6, $7) on conflict (service, kind, id) do update set \
     version = excluded.version, pseq = excluded.pseq, since = excluded.since";

impl EntityTable for SqliteDb {
    fn prepare_entities<'t>(
        tx: &'t mut SqliteConnection,
        tables: &'t Tables,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            sqlx::raw_sql(tables.sql(TABLE)).execute(tx).await?;
            Ok(())
        }
        .boxed()
    }

    fn put_entities<'t>(
        tx: &'t mut SqliteConnection,
        tables: &'t Tables,
        rows: &'t [EntityRow],
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            for row in rows {
                sqlx::query(tables.sql(PUT))
                    .bind(&*row.service)
                    .bind(&*row.kind)
                    .bind(&*row.id)
                    .bind(row.shard)
                    .bind(integer(row.version)?)
                    .bind(integer(row.pseq)?)
                    .bind(row.since.0)
                    .execute(&mut *tx)
                    .await?;
            }
            Ok(())
        }
        .boxed()
    }
}
