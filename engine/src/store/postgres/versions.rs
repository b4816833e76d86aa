//! Versions of projections in PostgreSQL: tables of one schema, and views of the stable names over those of the active
//! version. Views are replaced inside a transaction, so readers see one version or the other, whole.
//!
//! Transactions run side by side here. Whoever asks which version is active keeps it so until its end (a shared lock on
//! the row), and whoever moves readers waits for them.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::{PgDb, checkpoint, integer};
use crate::checkpoint::{ApplyError, Board, Difference, Tables, Version, Versions, versioned};

impl Versions for PgDb {
    fn register<'t>(
        tx: &'t mut PgConnection,
        projection: &'t str,
        tables: &'t Tables,
    ) -> BoxFuture<'t, Result<u32, ApplyError>> {
        async move {
            owned(tx, projection, tables).await?;
            kept(tx, projection, tables).await?;
            let sql =
                "insert into palinode_active (projection, version) values ($1, $2) on conflict do nothing";
            sqlx::query(sql).bind(projection).bind(integer(tables.version())?).execute(&mut *tx).await?;
            let none = || ApplyError::broken(format!("projection {projection} has no active version"));
            let active = Self::active(tx, projection).await?.ok_or_else(none)?;
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
        tx: &'t mut PgConnection,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Option<u32>, ApplyError>> {
        let sql = "select version from palinode_active where projection = $1 for share";
        let active = sqlx::query_scalar(sql).bind(projection);
        async move { active.fetch_optional(tx).await?.map(number).transpose() }.boxed()
    }

    fn lock<'t>(tx: &'t mut PgConnection, projection: &'t str) -> BoxFuture<'t, Result<(), ApplyError>> {
        async move {
            // Also before there is a row: tables that two make at the same time hurt each other.
            let sql = "select pg_advisory_xact_lock(hashtextextended('palinode/' || $1, 0))";
            sqlx::query(sql).bind(projection).execute(&mut *tx).await?;
            let sql = "select version from palinode_active where projection = $1 for update";
            sqlx::query(sql).bind(projection).execute(tx).await?;
            Ok(())
        }
        .boxed()
    }

    fn versions<'t>(
        tx: &'t mut PgConnection,
        projection: &'t str,
    ) -> BoxFuture<'t, Result<Vec<Version>, ApplyError>> {
        async move {
            // One statement, so that all of it is of one moment.
            let sql = "select v.version as of_version, v.tables, a.version is not null as active, c.projection, c.version, \
                       c.service, c.shard, c.log_id, c.log_offset, c.term, c.claim_id, c.pseq, c.digest, c.time_us, c.epoch, \
                       c.state from palinode_version as v \
                       left join palinode_active as a on a.projection = v.projection and a.version = v.version \
                       left join palinode_checkpoint as c on c.projection = v.projection and c.version = v.version \
                         and c.state <> 'removed' \
                       where v.projection = $1 order by v.version, c.service, c.shard";
            let rows = sqlx::query(sql).bind(projection).fetch_all(tx).await?;
            let mut versions: Vec<Version> = Vec::new();
            for row in &rows {
                let version = number(row.try_get("of_version")?)?;
                let mut known = versions.pop_if(|known| known.version == version).unwrap_or(Version {
                    version,
                    active: row.try_get("active")?,
                    tables: row.try_get("tables")?,
                    at: Vec::new(),
                    still: Vec::new(),
                });
                if let Some(state) = row.try_get::<Option<String>, _>("state")? {
                    let key = checkpoint::key(row)?;
                    known.at.push((key.clone(), checkpoint::read(&key, row)?));
                    if state != "live" {
                        known.still.push((key, state));
                    }
                }
                versions.push(known);
            }
            Ok(versions)
        }
        .boxed()
    }

    fn switch<'t>(
        tx: &'t mut PgConnection,
        projection: &'t str,
        from: u32,
        to: u32,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        async move {
            let sql = "update palinode_active set version = $3 where projection = $1 and version = $2";
            let moved = sqlx::query(sql).bind(projection).bind(integer(from)?).bind(integer(to)?);
            if moved.execute(&mut *tx).await?.rows_affected() != 1 {
                return Ok(false);
            }
            // A reader that holds a view for long makes the swap wait, and the swap makes all others wait: not for long.
            run(tx, "set local lock_timeout = '1s'".into()).await?;
            let olds = names(tx, projection, from).await?.unwrap_or_default();
            let none = || ApplyError::broken(format!("projection {projection} has no version {to}"));
            let news = names(tx, projection, to).await?.ok_or_else(none)?;
            let mut grants = Vec::new();
            for stable in olds {
                grants.extend(granted(tx, &stable).await?.into_iter().filter(|_| news.contains(&stable)));
                run(tx, format!("drop view if exists \"{stable}\"")).await?;
            }
            for stable in news {
                show(tx, &stable, to).await?;
            }
            for grant in grants {
                run(tx, grant).await?;
            }
            Ok(true)
        }
        .boxed()
    }

    fn remove<'t>(
        tx: &'t mut PgConnection,
        projection: &'t str,
        version: u32,
    ) -> BoxFuture<'t, Result<bool, ApplyError>> {
        async move {
            // Nobody makes it the active one meanwhile.
            if Self::active(tx, projection).await? == Some(version) {
                return Ok(false);
            }
            let number = integer(version)?;
            // First, so that a batch that is under way is waited for before its tables are taken.
            let sql = "update palinode_checkpoint set epoch = epoch + 1, state = 'removed' \
                       where projection = $1 and version = $2";
            sqlx::query(sql).bind(projection).bind(number).execute(&mut *tx).await?;
            let sql = "delete from palinode_version where projection = $1 and version = $2 returning tables";
            let removed = sqlx::query_scalar(sql).bind(projection).bind(number);
            let Some(tables): Option<Vec<String>> = removed.fetch_optional(&mut *tx).await? else {
                return Ok(false);
            };
            // Views first: they may be over tables.
            let mut relations = Vec::new();
            for stable in tables {
                let name = versioned(&stable, version);
                relations.extend(kind(tx, &name).await?.map(|kind| (kind != "view", kind, name)));
            }
            relations.sort();
            for (_, kind, name) in relations {
                run(tx, format!("drop {kind} \"{name}\"")).await?;
            }
            for sql in [
                "delete from palinode_held where projection = $1 and version = $2",
                "delete from palinode_parked where projection = $1 and version = $2",
            ] {
                sqlx::query(sql).bind(projection).bind(number).execute(&mut *tx).await?;
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

fn number(version: i32) -> Result<u32, ApplyError> {
    u32::try_from(version).map_err(|_| ApplyError::broken(format!("{version} is no version of a projection")))
}

/// Refuses tables that belong to another projection.
async fn owned(tx: &mut PgConnection, projection: &str, tables: &Tables) -> Result<(), ApplyError> {
    // One at a time: two projections that name the same table are told apart.
    sqlx::query("lock table palinode_version in share row exclusive mode").execute(&mut *tx).await?;
    let sql = "select v.projection, t.name from palinode_version as v, unnest(v.tables) as t (name) \
               where v.projection <> $1 and t.name = any($2) limit 1";
    let other: Option<(String, String)> =
        sqlx::query_as(sql).bind(projection).bind(tables.stable()).fetch_optional(tx).await?;
    other.map_or(Ok(()), |(owner, table)| {
        Err(ApplyError::broken(format!(
            "table {table:?} belongs to projection {owner}: give yours another name"
        )))
    })
}

/// Keeps the tables of a version, or finds them kept.
async fn kept(tx: &mut PgConnection, projection: &str, tables: &Tables) -> Result<(), ApplyError> {
    let version = tables.version();
    match names(tx, projection, version).await? {
        None => {
            sqlx::query("insert into palinode_version (projection, version, tables) values ($1, $2, $3)")
                .bind(projection)
                .bind(integer(version)?)
                .bind(tables.stable())
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
    tx: &mut PgConnection,
    projection: &str,
    version: u32,
) -> Result<Option<Vec<String>>, ApplyError> {
    let sql = "select tables from palinode_version where projection = $1 and version = $2";
    Ok(sqlx::query_scalar(sql).bind(projection).bind(integer(version)?).fetch_optional(tx).await?)
}

/// Readers of the stable name see this version from here on.
async fn show(tx: &mut PgConnection, stable: &str, version: u32) -> Result<(), ApplyError> {
    let table = versioned(stable, version);
    match kind(tx, stable).await?.as_deref() {
        Some("view") => Ok(()),
        Some(kind) => Err(ApplyError::broken(format!(
            "{stable:?} is to be a view of {table:?}, and there is a {kind} of that name in the schema: rename or drop it"
        ))),
        None => run(tx, format!("create view \"{stable}\" as select * from \"{table}\"")).await,
    }
}

/// What of this name is in our schema.
async fn kind(tx: &mut PgConnection, name: &str) -> Result<Option<String>, ApplyError> {
    let sql = "select case relkind when 'v' then 'view' when 'm' then 'materialized view' when 'i' then 'index' \
                 when 'S' then 'sequence' when 'f' then 'foreign table' when 'c' then 'type' else 'table' end \
               from pg_class where relname = $1 and relnamespace = current_schema()::regnamespace";
    Ok(sqlx::query_scalar(sql).bind(name).fetch_optional(tx).await?)
}

/// What others may do with a view, as the statements that allow it.
async fn granted(tx: &mut PgConnection, view: &str) -> Result<Vec<String>, ApplyError> {
    let sql = "select format('grant %s on %I to %s%s', a.privilege_type, c.relname, \
                 case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end, \
                 case when a.is_grantable then ' with grant option' else '' end) \
               from pg_class as c, aclexplode(c.relacl) as a \
               where c.relname = $1 and c.relnamespace = current_schema()::regnamespace and a.grantee <> c.relowner";
    Ok(sqlx::query_scalar(sql).bind(view).fetch_all(tx).await?)
}

/// Runs a statement made of fixed words, of names that [`Tables::new`] has checked, and of names that the server quoted.
async fn run(tx: &mut PgConnection, sql: String) -> Result<(), ApplyError> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}
