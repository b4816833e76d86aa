//! Saga rows: every instance of a service as one row of `palinode_saga`, to look at and to JOIN. A projection like any
//! other, in a node's `read.db` or in PostgreSQL: it is fed by the journals alone and can be deleted and built again.
//!
//! Knows no definitions: what a journal does not say, a row does not say either.
//!
//! Late replies that are no leaks, signals that are kept, a cancel that waits for the pivot, and inputs kept for a parked instance change
//! nothing of where it stands, so they do not touch its row.

mod change;
#[cfg(feature = "postgres")]
mod postgres;
pub mod rows;
#[cfg(feature = "sqlite")]
mod sqlite;
mod standings;

use palinode::{commit::EventRecord, projection::EventSet};

use crate::event::{Event, PREFIX};
pub use change::Changes;
pub use rows::{SagaRow, Standing};
pub use standings::Standings;

/// Keeps the table `palinode_saga`: one row for each instance of every saga of a service.
///
/// ```
/// # #[cfg(feature = "sqlite")]
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

impl SagaRows {
    /// The name of the projection.
    pub const NAME: &'static str = "palinode-sagas";
    /// The version of its tables.
    pub const VERSION: u32 = 2;
    /// The tables.
    pub const TABLES: &'static [&'static str] = &["palinode_saga"];
}

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
