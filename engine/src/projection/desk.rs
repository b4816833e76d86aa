//! What a handle on a read model asks its database, whichever it is. Reads only, but for what people do to versions.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Source, footing::settled};
use crate::{
    checkpoint::{Act, ApplyError, Board, Difference, Key, Parked, ReadDb, Said, Version},
    clock::Clock,
};

/// The database of a read model, without its type.
#[async_trait]
pub(super) trait Desk: Send + Sync {
    /// The parked keys of all shards.
    async fn parked(&self) -> Result<Vec<Parked>, ApplyError>;

    /// A key that holds back events of this commit, in this version.
    async fn holder(&self, version: u32, shard: u32, pseq: u64) -> Result<Option<String>, ApplyError>;

    /// What was done to the projection.
    async fn acts(&self) -> Result<Vec<Act>, ApplyError>;

    /// The versions of the projection.
    async fn versions(&self) -> Result<Vec<Version>, ApplyError>;

    /// How the tables of two versions differ.
    async fn diff(&self, left: u32, right: u32, examples: usize) -> Result<Vec<Difference>, ApplyError>;

    /// Moves readers.
    async fn swap(&self, clock: &dyn Clock, to: u32, within: Duration, said: &Said)
    -> Result<(), ApplyError>;

    /// Takes a version away.
    async fn remove(&self, clock: &dyn Clock, version: u32, said: &Said) -> Result<(), ApplyError>;

    /// What this process knows of the database's read models.
    fn board(&self) -> &Board;
}

/// One version of a projection in one database.
pub(super) struct Files<D> {
    pub(super) db: D,
    pub(super) projection: Arc<str>,
    version: u32,
    pub(super) service: Arc<str>,
    shards: u32,
}

impl<D: ReadDb> Files<D> {
    pub(super) fn new(db: D, projection: &str, version: u32, source: &Source) -> Self {
        Self {
            db,
            projection: projection.into(),
            version,
            service: Arc::clone(&source.service),
            shards: source.partitions,
        }
    }

    fn key(&self, shard: u32) -> Key {
        Key {
            projection: Arc::clone(&self.projection),
            version: self.version,
            service: Arc::clone(&self.service),
            shard,
        }
    }
}

#[async_trait]
impl<D: ReadDb> Desk for Files<D> {
    async fn parked(&self) -> Result<Vec<Parked>, ApplyError> {
        let keys: Vec<Key> = (0..self.shards).map(|shard| self.key(shard)).collect();
        let found = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                let mut all = Vec::new();
                for key in &keys {
                    all.extend(D::parked(tx, key).await?);
                }
                Ok(all)
            })
        }));
        settled(found.await)
    }

    async fn holder(&self, version: u32, shard: u32, pseq: u64) -> Result<Option<String>, ApplyError> {
        let key = Key { version, ..self.key(shard) };
        let found =
            self.db.transact(Box::new(move |tx| Box::pin(async move { D::holder(tx, &key, pseq).await })));
        settled(found.await)
    }

    async fn acts(&self) -> Result<Vec<Act>, ApplyError> {
        let projection = Arc::clone(&self.projection);
        let found =
            self.db.transact(Box::new(move |tx| Box::pin(async move { D::acts(tx, &projection).await })));
        settled(found.await)
    }

    async fn versions(&self) -> Result<Vec<Version>, ApplyError> {
        self.all_versions().await
    }

    async fn diff(&self, left: u32, right: u32, examples: usize) -> Result<Vec<Difference>, ApplyError> {
        self.difference(left, right, examples).await
    }

    async fn swap(
        &self,
        clock: &dyn Clock,
        to: u32,
        within: Duration,
        said: &Said,
    ) -> Result<(), ApplyError> {
        self.move_readers(clock, to, within, said).await
    }

    async fn remove(&self, clock: &dyn Clock, version: u32, said: &Said) -> Result<(), ApplyError> {
        self.take_away(clock, version, said).await
    }

    fn board(&self) -> &Board {
        self.db.board()
    }
}
