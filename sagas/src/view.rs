//! Saga rows: every instance of a service as one row of `palinode_saga`, to look at and to JOIN. A projection like any
//! other, in the node's `read.db`: it is fed by the journals alone and can be deleted and built again.
//!
//! Knows no definitions: what a journal does not say, a row does not say either.
//!
//! Late replies, signals that are kept, a cancel that waits for the pivot, and inputs kept for a parked instance change
//! nothing of where it stands, so they do not touch its row.

mod change;
pub mod rows;

use palinode::{
    commit::EventRecord,
    projection::{ApplyError, EventSet, Projection, Recorded, Tables},
    store::sqlite::SqliteDb,
};
use sqlx::SqliteConnection;

use crate::event::{Event, PREFIX};
pub use change::Changes;
pub use rows::{SagaRow, Standing};

/// Keeps the table `palinode_saga`: one row for each instance of every saga of a service.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir()?;
/// use palinode::{Node, Service};
/// use palinode_sagas::{SagaRows, view::{Standing, rows}};
///
/// let node = Node::embedded(folder.path()).service(Service::new("trip")).start().await?;
/// let sagas = node.project("trip", SagaRows).await?;
/// // after `sagas.wait_for(&receipt.token, within)` the rows show what the receipt answers for
/// let stuck = rows::list(node.read_db()?, Standing::Stuck, 100, None).await?;
/// assert_eq!(stuck, []);
/// # node.stop(std::time::Duration::from_secs(5)).await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SagaRows;

/// An entry of the journal of any saga.
#[derive(Debug, Clone)]
pub struct Entry(
    /// The entry.
    pub Event,
);

impl EventSet for Entry {
    fn wants(name: &str) -> bool {
        name.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('.'))
    }

    fn decode(event: &EventRecord) -> Result<Self, String> {
        Event::read(event).map(Self)
    }
}

impl Projection<SqliteDb> for SagaRows {
    const NAME: &'static str = "palinode-sagas";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["palinode_saga"];
    type Event = Entry;
    type Batch = Changes;

    async fn prepare(&self, tx: &mut SqliteConnection, tables: &Tables) -> Result<(), ApplyError> {
        sqlx::raw_sql(tables.sql(include_str!("view/schema.sql"))).execute(tx).await?;
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
        sqlx::query(tables.sql(include_str!("view/write.sql"))).bind(changes).execute(tx).await?;
        Ok(())
    }
}
