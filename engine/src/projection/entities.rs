//! A ready-made read model: one row for each entity of a service, whatever it is. Reads where events stand, not what
//! they say.

use std::collections::BTreeMap;

use super::{ApplyError, EventSet, Projection, Recorded, Tables};
use crate::{
    address::EntityKey,
    checkpoint::{EntityRow, EntityTable},
    commit::EventRecord,
};

/// Keeps the table `palinode_entity`: one row for each entity of a service that has events, sagas among them.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir()?;
/// use palinode::{Node, Service, projection::Entities};
/// let node = Node::embedded(folder.path()).service(Service::new("bank")).start().await?;
/// node.project("bank", Entities).await?;
/// let accounts = "select count(*) from palinode_entity where service = 'bank' and kind = 'account'";
/// let accounts: i64 = sqlx::query_scalar(accounts).fetch_one(node.read_db()?.readers()).await?;
/// assert_eq!(accounts, 0);
/// # node.stop(std::time::Duration::from_secs(5)).await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Entities;

/// Any event, unread.
#[derive(Debug, Clone, Copy)]
pub struct Any;

impl EventSet for Any {
    fn wants(_name: &str) -> bool {
        true
    }

    fn decode(_event: &EventRecord) -> Result<Self, String> {
        Ok(Self)
    }
}

impl<D: EntityTable> Projection<D> for Entities {
    const NAME: &'static str = "palinode-entities";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["palinode_entity"];
    type Event = Any;
    type Batch = BTreeMap<EntityKey, EntityRow>;

    async fn prepare(&self, tx: &mut D::Tx, tables: &Tables) -> Result<(), ApplyError> {
        D::prepare_entities(tx, tables).await
    }

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Any>) -> Result<(), ApplyError> {
        let row = EntityRow {
            service: e.service.clone(),
            kind: e.entity.kind.clone(),
            id: e.entity.id.clone(),
            shard: e.shard,
            version: e.version,
            pseq: e.pseq,
            since: e.time,
        };
        batch.insert(e.entity.clone(), row);
        Ok(())
    }

    async fn write(&self, tx: &mut D::Tx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let rows: Vec<EntityRow> = batch.into_values().collect();
        D::put_entities(tx, tables, &rows).await
    }
}
