//! Saga rows in SQLite.

use palinode::{
    projection::{ApplyError, Projection, Recorded, Tables},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;

use super::{Changes, Entry, SagaRows};

impl Projection<SqliteDb> for SagaRows {
    const NAME: &'static str = SagaRows::NAME;
    const VERSION: u32 = SagaRows::VERSION;
    const TABLES: &'static [&'static str] = SagaRows::TABLES;
    type Event = Entry;
    type Batch = Changes;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        sqlx::raw_sql(tables.sql(include_str!("sqlite/schema.sql"))).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Changes, event: &Recorded<Entry>) -> Result<(), ApplyError> {
        batch.take(event);
        Ok(())
    }

    /// One statement, which reads the changes as one JSON array and the rows they change by their key.
    async fn write(
        &self,
        tx: &mut SqliteConnection,
        tables: &Tables,
        batch: Changes,
    ) -> Result<(), ApplyError> {
        let changes = serde_json::to_string(&batch)?;
        sqlx::query(tables.sql(include_str!("sqlite/write.sql"))).bind(changes).execute(tx).await?;
        Ok(())
    }
}
