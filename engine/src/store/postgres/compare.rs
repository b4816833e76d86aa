//! How the tables of two versions differ: all rows, in one statement each, at one moment, on a connection of its own.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::PgDb;
use crate::checkpoint::{ApplyError, Difference, versioned};

impl PgDb {
    /// Compares the same table of two versions, at one moment. In a task that nobody drops, like every transaction.
    pub(super) async fn difference(
        &self,
        table: &str,
        left: u32,
        right: u32,
        examples: usize,
    ) -> Result<Difference, ApplyError> {
        let (db, table) = (self.clone(), table.to_owned());
        let compared = tokio::spawn(async move {
            let mut session = db.0.writers.connect().await?;
            let found = compare(&mut session.conn, table, left, right, examples).await;
            session.conn.close().await?;
            found
        });
        compared.await.unwrap_or_else(|e| Err(ApplyError::outage(format!("comparing was given up: {e}"))))
    }
}

async fn compare(
    conn: &mut PgConnection,
    table: String,
    left: u32,
    right: u32,
    examples: usize,
) -> Result<Difference, ApplyError> {
    let mut moment = conn.begin_with("begin isolation level repeatable read, read only").await?;
    // However many rows there are.
    sqlx::raw_sql("set local statement_timeout = 0").execute(&mut *moment).await?;
    let (ours, theirs) = (versioned(&table, left), versioned(&table, right));
    let (a, b) = (columns(&mut moment, &ours).await?, columns(&mut moment, &theirs).await?);
    let both: Vec<&String> = a.iter().filter(|column| b.contains(column)).collect();
    let only = |mine: &[String], other: &[String]| {
        mine.iter().filter(|column| !other.contains(column)).cloned().collect()
    };
    let difference = Difference {
        rows: (count(&mut moment, &ours).await?, count(&mut moment, &theirs).await?),
        columns: (only(&a, &b), only(&b, &a)),
        only: (
            rows(&mut moment, &ours, &theirs, &both).await?,
            rows(&mut moment, &theirs, &ours, &both).await?,
        ),
        examples: (
            texts(&mut moment, &ours, &theirs, &both, examples).await?,
            texts(&mut moment, &theirs, &ours, &both, examples).await?,
        ),
        table,
    };
    moment.rollback().await?;
    Ok(difference)
}

async fn columns(conn: &mut PgConnection, table: &str) -> Result<Vec<String>, ApplyError> {
    let sql = "select a.attname::text from pg_attribute as a join pg_class as c on c.oid = a.attrelid \
               where c.relname = $1 and c.relnamespace = current_schema()::regnamespace \
               and a.attnum > 0 and not a.attisdropped order by a.attnum";
    Ok(sqlx::query_scalar(sql).bind(table).fetch_all(conn).await?)
}

async fn count(conn: &mut PgConnection, table: &str) -> Result<u64, ApplyError> {
    number(conn, format!("select count(*) from \"{table}\"")).await
}

/// How many rows of a table the other one does not have, in the columns that both have.
async fn rows(
    conn: &mut PgConnection,
    table: &str,
    other: &str,
    columns: &[&String],
) -> Result<u64, ApplyError> {
    if columns.is_empty() {
        return count(conn, table).await;
    }
    number(conn, format!("select count(*) from ({}) as only_here", except(table, other, columns))).await
}

/// The first of these rows, as text.
async fn texts(
    conn: &mut PgConnection,
    table: &str,
    other: &str,
    columns: &[&String],
    examples: usize,
) -> Result<Vec<String>, ApplyError> {
    if columns.is_empty() || examples == 0 {
        return Ok(Vec::new());
    }
    let text =
        columns.iter().map(|column| format!("quote_nullable({}::text)", quoted(column))).collect::<Vec<_>>();
    let sql = format!(
        "select {} as row from ({}) as only_here order by row limit {examples}",
        text.join(" || ', ' || "),
        except(table, other, columns)
    );
    // Names of columns, quoted as SQL wants them, and of tables that were checked.
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(conn).await?)
}

/// JSON has no equality of its own (`jsonb` has): it is compared as text.
fn except(table: &str, other: &str, columns: &[&String]) -> String {
    let columns = columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    format!("select {columns} from \"{table}\" except all select {columns} from \"{other}\"")
}

fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

async fn number(conn: &mut PgConnection, sql: String) -> Result<u64, ApplyError> {
    // As in `texts`.
    let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await?;
    Ok(u64::try_from(found).unwrap_or_default())
}
