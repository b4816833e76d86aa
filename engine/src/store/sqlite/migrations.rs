//! Brings the tables of a read database up to date: each numbered file once, all in one transaction. What was applied
//! is remembered with its digest, in a table of our own name (a user of sqlx has `_sqlx_migrations`).

use palinode_migrations::{Migration, SQLITE_READ};
use sqlx::{Connection, SqliteConnection};

use crate::{checkpoint::ApplyError, digest::Digest};

pub(super) async fn run(conn: &mut SqliteConnection) -> Result<(), ApplyError> {
    let mut tx = conn.begin_with("begin immediate").await?;
    sqlx::query(
        "create table if not exists palinode_migrations \
         (number integer primary key, name text not null, digest text not null) strict",
    )
    .execute(&mut *tx)
    .await?;
    let sql = "select number, digest from palinode_migrations order by number";
    let applied: Vec<(u32, String)> = sqlx::query_as(sql).fetch_all(&mut *tx).await?;
    check(&applied)?;
    for migration in SQLITE_READ.iter().filter(|m| applied.iter().all(|(number, _)| *number != m.number)) {
        sqlx::raw_sql(migration.sql).execute(&mut *tx).await?;
        sqlx::query("insert into palinode_migrations (number, name, digest) values (?1, ?2, ?3)")
            .bind(migration.number)
            .bind(migration.name)
            .bind(digest(migration))
            .execute(&mut *tx)
            .await?;
    }
    Ok(tx.commit().await?)
}

fn check(applied: &[(u32, String)]) -> Result<(), ApplyError> {
    for (number, found) in applied {
        let Some(known) = SQLITE_READ.iter().find(|m| m.number == *number) else {
            return Err(ApplyError::broken(format!(
                "the read database has migration {number}, which this build does not know: run a newer build, or \
                 delete the file and let it be built again from the log"
            )));
        };
        if digest(known) != *found {
            return Err(ApplyError::broken(format!(
                "migration {number} ({}) of this build is not the one applied to the read database: a migration never \
                 changes after a release; run the build that fits, or delete the file and let it be built again from \
                 the log",
                known.name
            )));
        }
    }
    Ok(())
}

fn digest(migration: &Migration) -> String {
    Digest::of(migration.sql.as_bytes()).to_string()
}
