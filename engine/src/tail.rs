//! How far each shard of a service is known to be effective: what wakes the projections. A hint; the fold decides.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

/// The ends of the shards of one service, as far as this process knows them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tail(Arc<BTreeMap<u32, watch::Sender<u64>>>);

impl Tail {
    /// Nothing known of any of `partitions` shards.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self(Arc::new((0..partitions).map(|shard| (shard, watch::Sender::new(0))).collect()))
    }

    /// Everything before `offset` is effective.
    pub fn advance(&self, shard: u32, offset: u64) {
        if let Some(at) = self.0.get(&shard) {
            at.send_if_modified(|known| {
                let news = offset > *known;
                *known = (*known).max(offset);
                news
            });
        }
    }

    /// To wait on one shard; `None` for a shard that does not exist.
    #[must_use]
    pub fn follow(&self, shard: u32) -> Option<watch::Receiver<u64>> {
        self.0.get(&shard).map(watch::Sender::subscribe)
    }
}
