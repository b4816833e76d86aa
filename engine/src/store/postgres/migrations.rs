//! Brings the tables up to date: each numbered file once, all in one transaction, one process at a time. What was applied
//! is remembered with its digest, in a table of our own name (a user of sqlx has `_sqlx_migrations`).

use palinode_migrations::{Migration, POSTGRES_READ};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::writers::Session;
use crate::{checkpoint::ApplyError, digest::Digest};

/// Whoever holds this lock changes tables; nobody else uses the number.
const LOCK: i64 = 0x7061_6c69_6e6f_6465; // "palinode"

/// In a task of its own, like every transaction, on a connection that nobody uses after it.
pub(super) async fn run(mut session: Session, schema: &str) -> Result<(), ApplyError> {
    let schema = schema.to_owned();
    let done = tokio::spawn(async move {
        apply(&mut session.conn, &schema).await?;
        Ok(session.conn.close().await?)
    });
    done.await
        .unwrap_or_else(|e| Err(ApplyError::outage(format!("the task of the migrations was lost: {e}"))))
}

async fn apply(conn: &mut PgConnection, schema: &str) -> Result<(), ApplyError> {
    let mut tx = conn.begin().await?;
    sqlx::raw_sql("set local statement_timeout = 0; set local lock_timeout = 0").execute(&mut *tx).await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
    let there = "select exists (select from pg_namespace where nspname = $1)";
    let there: bool = sqlx::query_scalar(there).bind(schema).fetch_one(&mut *tx).await?;
    if !there {
        // A name that the settings have checked.
        sqlx::raw_sql(AssertSqlSafe(format!("create schema \"{schema}\""))).execute(&mut *tx).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create table if not exists \"{schema}\".palinode_migrations \
         (number integer primary key, name text not null, digest text not null)"
    )))
    .execute(&mut *tx)
    .await?;
    let sql = "select number, digest from palinode_migrations order by number";
    let applied: Vec<(i32, String)> = sqlx::query_as(sql).fetch_all(&mut *tx).await?;
    check(&applied)?;
    for migration in POSTGRES_READ {
        let number = super::integer(migration.number)?;
        if applied.iter().any(|(applied, _)| *applied == number) {
            continue;
        }
        sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
        sqlx::query("insert into palinode_migrations (number, name, digest) values ($1, $2, $3)")
            .bind(number)
            .bind(migration.name)
            .bind(digest(migration))
            .execute(&mut *tx)
            .await?;
    }
    Ok(tx.commit().await?)
}

fn check(applied: &[(i32, String)]) -> Result<(), ApplyError> {
    for (number, found) in applied {
        let Some(known) = POSTGRES_READ.iter().find(|m| u32::try_from(*number) == Ok(m.number)) else {
            return Err(ApplyError::broken(format!(
                "the database has migration {number}, which this build does not know: run a newer build, or drop the \
                 tables and let them be built again from the log"
            )));
        };
        if digest(known) != *found {
            return Err(ApplyError::broken(format!(
                "migration {number} ({}) of this build is not the one applied to the database: a migration never changes \
                 after a release; run the build that fits, or drop the tables and let them be built again from the log",
                known.name
            )));
        }
    }
    Ok(())
}

fn digest(migration: &Migration) -> String {
    Digest::of(migration.sql.as_bytes()).to_string()
}
