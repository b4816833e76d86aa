//! How the tables of two versions differ: all rows, in one statement each, read beside the writer.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::SqliteDb;
use crate::checkpoint::{ApplyError, Difference, versioned};

impl SqliteDb {
    /// Compares the same table of two versions, at one moment.
    pub(super) async fn difference(
        &self,
        table: &str,
        left: u32,
        right: u32,
        examples: usize,
    ) -> Result<Difference, ApplyError> {
        let mut moment = self.readers().begin().await?;
        let (ours, theirs) = (versioned(table, left), versioned(table, right));
        let (a, b) = (columns(&mut moment, &ours).await?, columns(&mut moment, &theirs).await?);
        let both: Vec<&String> = a.iter().filter(|column| b.contains(column)).collect();
        let only = |mine: &[String], other: &[String]| {
            mine.iter().filter(|column| !other.contains(column)).cloned().collect()
        };
        let difference = Difference {
            table: table.to_owned(),
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
        };
        moment.rollback().await?;
        Ok(difference)
    }
}

async fn columns(conn: &mut SqliteConnection, table: &str) -> Result<Vec<String>, ApplyError> {
    let sql = "select name from pragma_table_info(?1) order by cid";
    Ok(sqlx::query_scalar(sql).bind(table).fetch_all(conn).await?)
}

async fn count(conn: &mut SqliteConnection, table: &str) -> Result<u64, ApplyError> {
    number(conn, format!("select count(*) from \"{table}\"")).await
}

/// How many rows of a table the other one does not have, in the columns that both have.
async fn rows(
    conn: &mut SqliteConnection,
    table: &str,
    other: &str,
    columns: &[&String],
) -> Result<u64, ApplyError> {
    if columns.is_empty() {
        return count(conn, table).await;
    }
    number(conn, format!("select count(*) from ({})", except(table, other, columns))).await
}

/// The first of these rows, as text.
async fn texts(
    conn: &mut SqliteConnection,
    table: &str,
    other: &str,
    columns: &[&String],
    examples: usize,
) -> Result<Vec<String>, ApplyError> {
    if columns.is_empty() || examples == 0 {
        return Ok(Vec::new());
    }
    let text = columns.iter().map(|column| format!("quote({})", quoted(column))).collect::<Vec<_>>();
    let sql = format!(
        "select {} as row from ({}) order by row limit {examples}",
        text.join(" || ', ' || "),
        except(table, other, columns)
    );
    // Names of columns, quoted as SQL wants them, and of tables that were checked.
    let found = sqlx::query(AssertSqlSafe(sql)).fetch_all(conn).await?;
    found.iter().map(|row| Ok(row.try_get("row")?)).collect()
}

fn except(table: &str, other: &str, columns: &[&String]) -> String {
    let columns = columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    format!("select {columns} from \"{table}\" except select {columns} from \"{other}\"")
}

fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

async fn number(conn: &mut SqliteConnection, sql: String) -> Result<u64, ApplyError> {
    // As in `texts`.
    let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await?;
    Ok(u64::try_from(found).unwrap_or_default())
}
