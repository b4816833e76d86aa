//! The port of a ready-made table: one row for each entity. Knows names and numbers of entities, none of their events.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{ApplyError, Db, Tables};
use crate::time::Micros;

/// What is known of an entity from where its events stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRow {
    /// The service it lives in.
    pub service: Arc<str>,
    /// Its kind.
    pub kind: Arc<str>,
    /// Its id.
    pub id: Arc<str>,
    /// Its shard.
    pub shard: u32,
    /// Its version: how many events it has.
    pub version: u64,
    /// Number of the commit of its last event.
    pub pseq: u64,
    /// Time of that commit.
    pub since: Micros,
}

/// A database that keeps entities in the table behind `palinode_entity`.
pub trait EntityTable: Db {
    /// Makes the table where it is not there.
    fn prepare_entities<'t>(
        tx: &'t mut Self::Tx,
        tables: &'t Tables,
    ) -> BoxFuture<'t, Result<(), ApplyError>>;

    /// Puts these rows into it, over those of the same entities. No entity comes twice.
    fn put_entities<'t>(
        tx: &'t mut Self::Tx,
        tables: &'t Tables,
        rows: &'t [EntityRow],
    ) -> BoxFuture<'t, Result<(), ApplyError>>;
}
