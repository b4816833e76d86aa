//! Versions of projections in SQLite: tables of one file, and views of the stable names over those of the active
//! version. Views are replaced inside a transaction, so readers see one version or the other, whole.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::{SqliteDb, checkpoint};
use crate::checkpoint::{
    ApplyError, Board, Checkpoint, Difference, Key, Tables, Version, Versions, versioned,
};

impl Versions for SqliteDb {
    fn register<'t>(
        tx: &'t mut SqliteConnection,
        projection: &'t str,
        tables: &'t Tables,
    ) -> BoxFuture<'t, Result<u32, ApplyError>> {
        async move {
            owned(tx, projection, tables).await?;
            kept(tx, projection, tables).await?;
            sqlx::query(
                "insert into palinode_active (projection, version) values (?1, ?2) on conflict do nothing",
            )
            .bind(projection)
            .bind(tables.version())
            .execute(&mut *tx)
            .await?;
            let active = sqlx::query_scalar("select version from palinode_active where projection = ?1")
                .bind(projection)
                .fetch_one(&mut *tx)
                .await?;
            if active == tables.version() {
                for stable in tables.stable() {
                    show(tx, stable, active).await?;
                }
            }
            Ok(active)
        }
        .boxed()
    }

    fn active<'t>(
        tx: &'t mut SqliteConnection,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Option<u32>, ApplyError>> {
        let active = sqlx::query_scalar("select version from palinode_active where projection = ?1");
        async move { Ok(active.bind(projection).fetch_optional(tx).await?) }.boxed()
    }

    fn versions<'t>(
        tx: &'t mut SqliteConnection,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Vec<Version>, ApplyError>> {
        async move {
            let sql = "select version, tables, version = (select version from palinode_active as active \
                       where active.projection = palinode_version.projection) as active \
                       from palinode_version where projection = ?1 order by version";
            let rows = sqlx::query(sql).bind(projection).fetch_all(&mut *tx).await?;
            let mut versions = Vec::with_capacity(rows.len());
            for row in rows {
                let version = row.try_get("version")?;
                let tables: &str = row.try_get("tables")?;
                let (at, still) = checkpoints(tx, projection, version).await?;
                versions.push(Version {
                    version,
                    active: row.try_get("active")?,
                    tables: serde_json::from_str(tables)?,
                    at,
                    still,
                });
            }
            Ok(versions)
        }
        .boxed()
    }

    fn switch<'t>(
        tx: &'t mut SqliteConnection,
        projection: &'t str,
        from: u32,
        to: u32,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        async move {
            let moved =
                sqlx::query("update palinode_active set version = ?3 where projection = ?1 and version = ?2")
                    .bind(projection)
                    .bind(from)
                    .bind(to)
                    .execute(&mut *tx)
                    .await?;
            if moved.rows_affected() != 1 {
                return Ok(false);
            }
            for stable in names(tx, projection, from).await?.unwrap_or_default() {
                run(tx, format!("drop view if exists \"{stable}\"")).await?;
            }
            let none = || ApplyError::broken(format!("projection {projection} has no version {to}"));
            for stable in names(tx, projection, to).await?.ok_or_else(none)? {
                show(tx, &stable, to).await?;
            }
            // sqlx keeps the columns of a cached statement: what it knows of the views is not true any more.
            tx.clear_cached_statements().await?;
            Ok(true)
        }
        .boxed()
    }

    fn remove<'t>(
        tx: &'t mut SqliteConnection,
        projection: &'t str,
        version: u32,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        async move {
            let removed = sqlx::query(
                "delete from palinode_version where projection = ?1 and version = ?2 and not exists \
                 (select 1 from palinode_active where projection = ?1 and version = ?2) returning tables",
            );
            let row = removed.bind(projection).bind(version).fetch_optional(&mut *tx).await?;
            let Some(row) = row else { return Ok(false) };
            for stable in serde_json::from_str::<Vec<String>>(row.try_get("tables")?)? {
                let name = versioned(&stable, version);
                let sql = "select type from sqlite_schema where name = ?1 and type in ('table', 'view')";
                let kind: Option<String> =
                    sqlx::query_scalar(sql).bind(&*name).fetch_optional(&mut *tx).await?;
                if let Some(kind) = kind {
                    run(tx, format!("drop {kind} \"{name}\"")).await?;
                }
            }
            for sql in [
                "delete from palinode_held where projection = ?1 and version = ?2",
                "delete from palinode_parked where projection = ?1 and version = ?2",
                "update palinode_checkpoint set epoch = epoch + 1, state = 'removed' \
                 where projection = ?1 and version = ?2",
            ] {
                sqlx::query(sql).bind(projection).bind(version).execute(&mut *tx).await?;
            }
            Ok(true)
        }
        .boxed()
    }

    fn compare<'d>(
        &'d self,
        table: &'d str,
        left: u32,
        right: u32,
        examples: usize,
    ) -> BoxFuture<'d, Result<Difference, ApplyError>> {
        self.difference(table, left, right, examples).boxed()
    }

    fn board(&self) -> &Board {
        &self.0.board
    }
}

/// Refuses tables that belong to another projection.
async fn owned(tx: &mut SqliteConnection, projection: &str, tables: &Tables) -> Result<(), ApplyError> {
    let other: Option<(String, String)> = sqlx::query_as(
        "select v.projection, t.value from palinode_version as v, json_each(v.tables) as t \
         where v.projection <> ?1 and t.value in (select value from json_each(?2)) limit 1",
    )
    .bind(projection)
    .bind(serde_json::to_string(tables.stable())?)
    .fetch_optional(tx)
    .await?;
    other.map_or(Ok(()), |(owner, table)| {
        Err(ApplyError::broken(format!(
            "table {table:?} belongs to projection {owner}: give yours another name"
        )))
    })
}

/// Keeps the tables of a version, or finds them kept.
async fn kept(tx: &mut SqliteConnection, projection: &str, tables: &Tables) -> Result<(), ApplyError> {
    let version = tables.version();
    match names(tx, projection, version).await? {
        None => {
            sqlx::query("insert into palinode_version (projection, version, tables) values (?1, ?2, ?3)")
                .bind(projection)
                .bind(version)
                .bind(serde_json::to_string(tables.stable())?)
                .execute(tx)
                .await?;
            Ok(())
        }
        Some(known) if known == tables.stable() => Ok(()),
        Some(known) => Err(ApplyError::broken(format!(
            "version {version} of projection {projection} keeps the tables {known:?}, and this build says {:?}: raise \
             its VERSION, so that the new ones are built from the beginning",
            tables.stable()
        ))),
    }
}

/// The stable names of a version's tables.
async fn names(
    tx: &mut SqliteConnection,
    projection: &str,
    version: u32,
) -> Result<Option<Vec<String>>, ApplyError> {
    let sql = "select tables from palinode_version where projection = ?1 and version = ?2";
    let found: Option<String> =
        sqlx::query_scalar(sql).bind(projection).bind(version).fetch_optional(tx).await?;
    Ok(found.map(|tables| serde_json::from_str(&tables)).transpose()?)
}

/// Where shards are, and which of them stand still.
type Shards = (Vec<(Key, Checkpoint)>, Vec<(Key, String)>);

async fn checkpoints(
    tx: &mut SqliteConnection,
    projection: &str,
    version: u32,
) -> Result<Shards, ApplyError> {
    let sql = "select * from palinode_checkpoint where projection = ?1 and version = ?2 and state <> 'removed' \
               order by service, shard";
    let rows = sqlx::query(sql).bind(projection).bind(version).fetch_all(tx).await?;
    let (mut at, mut still) = Shards::default();
    for row in &rows {
        let key = checkpoint::key(row)?;
        let state: String = row.try_get("state")?;
        at.push((key.clone(), checkpoint::read(&key, row)?));
        if state != "live" {
            still.push((key, state));
        }
    }
    Ok((at, still))
}

/// Readers of the stable name see this version from here on.
async fn show(tx: &mut SqliteConnection, stable: &str, version: u32) -> Result<(), ApplyError> {
    let sql = "select type from sqlite_schema where name = ?1";
    let there: Option<String> = sqlx::query_scalar(sql).bind(stable).fetch_optional(&mut *tx).await?;
    match there.as_deref() {
        Some("view") => Ok(()),
        Some(kind) => Err(ApplyError::broken(format!(
            "{stable:?} is to be a view of {:?}, and there is a {kind} of that name in the file: rename or drop it",
            versioned(stable, version)
        ))),
        None => {
            let table = versioned(stable, version);
            run(tx, format!("create view \"{stable}\" as select * from \"{table}\"")).await
        }
    }
}

/// Runs a statement made of fixed words and of names that [`Tables::new`] has checked.
async fn run(tx: &mut SqliteConnection, sql: String) -> Result<(), ApplyError> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}
