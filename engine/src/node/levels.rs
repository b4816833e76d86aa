//! What of a node goes up and down, told when it is asked for: its shards, and the read models that run in it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Follows, Node};
use crate::{
    commit::Peer,
    health::{Health, Stage},
    owner::Gauges,
    projection::ReadModel,
    telemetry::{Level, Levels},
};

/// The shards of a node and its read models.
pub(super) struct Board {
    pub(super) health: Arc<Health>,
    pub(super) gauges: BTreeMap<Peer, Gauges>,
    read_models: Mutex<BTreeMap<Follows, ReadModel>>,
    /// Those of what stands above the engine; the observer asks them itself.
    others: Mutex<Vec<Arc<dyn Levels>>>,
}

impl Board {
    /// Of these shards, without read models yet.
    pub(super) fn new(shards: impl Iterator<Item = Peer>) -> Self {
        let gauges: BTreeMap<Peer, Gauges> = shards.map(|shard| (shard, Gauges::default())).collect();
        Self {
            health: Arc::new(Health::of(gauges.keys().cloned())),
            gauges,
            read_models: Mutex::default(),
            others: Mutex::default(),
        }
    }

    pub(super) fn read_models(&self) -> MutexGuard<'_, BTreeMap<Follows, ReadModel>> {
        self.read_models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps this one as long as the node is there.
    fn keep(&self, levels: Arc<dyn Levels>) {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(levels);
    }

    fn of_shards(&self, tell: &mut dyn FnMut(&str, &Level<'_>)) {
        let (mut shards, mut owned) =
            (BTreeMap::<Arc<str>, usize>::new(), BTreeMap::<Arc<str>, usize>::new());
        for shard in self.health.shards() {
            let owns = matches!(shard.stage, Stage::Serving | Stage::Draining);
            *owned.entry(Arc::clone(&shard.service)).or_default() += usize::from(owns);
            *shards.entry(shard.service).or_default() += 1;
        }
        let mut sums = BTreeMap::new();
        for (Peer { service, .. }, gauges) in &self.gauges {
            let sum = sums.entry(service).or_insert_with(crate::owner::Readings::default);
            *sum = sum.with(gauges.read());
        }
        for (service, sum) in sums {
            let count = |of: &BTreeMap<Arc<str>, usize>| of.get(service).copied().unwrap_or_default() as u64;
            tell(service, &Level::Shards(count(&shards)));
            tell(service, &Level::Owned(count(&owned)));
            tell(service, &Level::Queue(sum.queue));
            tell(service, &Level::Pipeline(sum.pipeline));
            tell(service, &Level::Relay(sum.relay));
            tell(service, &Level::Held(sum.held));
            tell(service, &Level::Snapshot(sum.snapshot));
        }
    }

    fn of_read_models(&self, tell: &mut dyn FnMut(&str, &Level<'_>)) {
        let running: Vec<ReadModel> = self.read_models().values().cloned().collect();
        let mut built: BTreeMap<(Arc<str>, &'static str), f64> = BTreeMap::new();
        for model in running {
            model.levels(tell);
            if let Some(done) = model.built() {
                let least = built.entry((Arc::clone(model.service()), model.name())).or_insert(done);
                *least = least.min(done);
            }
        }
        for ((service, projection), done) in built {
            tell(&service, &Level::Rebuilt { projection, done });
        }
    }
}

impl Node {
    /// Tells these levels to the node's observer too, as long as the node is there.
    pub fn tell_levels(&self, levels: Arc<dyn Levels>) {
        self.telemetry.levels(Arc::downgrade(&levels));
        self.board.keep(levels);
    }
}

impl Levels for Board {
    fn levels(&self, tell: &mut dyn FnMut(&str, &Level<'_>)) {
        self.of_shards(tell);
        self.of_read_models(tell);
    }
}
