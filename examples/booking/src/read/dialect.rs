//! The databases that read models are kept in: what their SQL has of its own. Knows no read model.

use palinode::{
    checkpoint::Db,
    projection::{ApplyError, Sql},
    store::{postgres::PgDb, sqlite::SqliteDb},
};
use serde::Serialize;
use sqlx::{PgConnection, SqliteConnection};

/// A database, and how it is spoken to.
pub trait Dialect: Db {
    /// The text that is in its words.
    fn own(sqlite: &'static str, postgres: &'static str) -> &'static str;

    /// Runs statements without parameters.
    ///
    /// # Errors
    /// What the database says.
    fn run(tx: &mut Self::Tx, sql: Sql) -> impl Future<Output = Result<(), ApplyError>> + Send;

    /// Runs one statement whose parameter is a JSON array of rows.
    ///
    /// # Errors
    /// What the database says.
    fn put(tx: &mut Self::Tx, sql: Sql, rows: String) -> impl Future<Output = Result<(), ApplyError>> + Send;
}

impl Dialect for SqliteDb {
    fn own(sqlite: &'static str, _postgres: &'static str) -> &'static str {
        sqlite
    }

    async fn run(tx: &mut SqliteConnection, sql: Sql) -> Result<(), ApplyError> {
        sqlx::raw_sql(sql).execute(tx).await?;
        Ok(())
    }

    async fn put(tx: &mut SqliteConnection, sql: Sql, rows: String) -> Result<(), ApplyError> {
        sqlx::query(sql).bind(rows).execute(tx).await?;
        Ok(())
    }
}

impl Dialect for PgDb {
    fn own(_sqlite: &'static str, postgres: &'static str) -> &'static str {
        postgres
    }

    async fn run(tx: &mut PgConnection, sql: Sql) -> Result<(), ApplyError> {
        sqlx::raw_sql(sql).execute(tx).await?;
        Ok(())
    }

    async fn put(tx: &mut PgConnection, sql: Sql, rows: String) -> Result<(), ApplyError> {
        sqlx::query(sql).bind(rows).execute(tx).await?;
        Ok(())
    }
}

/// Writes all rows of a batch by one statement, which reads them as one JSON array.
pub(super) async fn add<D: Dialect>(
    tx: &mut D::Tx,
    sql: Sql,
    rows: &(impl Serialize + Sync),
) -> Result<(), ApplyError> {
    let rows = serde_json::to_string(rows).map_err(|e| ApplyError::broken(e.to_string()))?;
    D::put(tx, sql, rows).await
}
