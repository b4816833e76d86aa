//! A snapshot store whose questions are told: how long each took, as its database is called. Put around an adapter only when
//! somebody observes.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    clock::Clock,
    log::{Advice, LogError},
    position::Position,
    snapshots::{Head, Row, Save, Saved, SnapshotStore},
    telemetry::{Fact, Query, Telemetry},
    time::Micros,
};

const LOAD: Query = Query::of("SELECT", "palinode_snapshot");
const ENTITIES: Query = Query::of("SELECT", "palinode_snapshot_row");
const SAVE: Query = Query::batch("palinode_snapshot_row");

/// This store, or this store observed.
pub(crate) fn observed(
    store: impl SnapshotStore,
    system: &'static str,
    clock: &Arc<dyn Clock>,
    telemetry: &Telemetry,
) -> Arc<dyn SnapshotStore> {
    if telemetry.is_on() {
        Arc::new(Observed { store, system, clock: Arc::clone(clock), telemetry: telemetry.clone() })
    } else {
        Arc::new(store)
    }
}

struct Observed<S> {
    store: S,
    system: &'static str,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
}

impl<S> Observed<S> {
    fn tell(&self, service: &str, query: Query, begun: Micros, error: Option<&'static str>) {
        let (system, took) = (self.system, || self.clock.now().since(begun));
        self.telemetry.fact(service, || Fact::Queried { system, query, took: took(), error });
    }
}

#[async_trait]
impl<S: SnapshotStore> SnapshotStore for Observed<S> {
    async fn load(&self, service: &str, shard: u32) -> Result<Option<(Head, Vec<Row>)>, LogError> {
        let begun = self.clock.now();
        let loaded = self.store.load(service, shard).await;
        self.tell(service, LOAD, begun, loaded.as_ref().err().map(word));
        loaded
    }

    async fn entities(
        &self,
        service: &str,
        shard: u32,
        keys: &[String],
    ) -> Result<(Option<Position>, Vec<Option<Row>>), LogError> {
        let begun = self.clock.now();
        let loaded = self.store.entities(service, shard, keys).await;
        self.tell(service, ENTITIES, begun, loaded.as_ref().err().map(word));
        loaded
    }

    async fn save(&self, service: &str, shard: u32, base: Option<&Position>, save: Save) -> Saved {
        let begun = self.clock.now();
        let saved = self.store.save(service, shard, base, save).await;
        let error = match &saved {
            Saved::Saved => None,
            Saved::Lost => Some("superseded"),
            Saved::Unknown(_) => Some("unknown"),
            Saved::Refused(e) => Some(word(e)),
        };
        self.tell(service, SAVE, begun, error);
        saved
    }
}

/// As the class of an [`ApplyError`](crate::checkpoint::ApplyError) is called.
fn word(error: &LogError) -> &'static str {
    match error.advice {
        Advice::Retry => "outage",
        Advice::Stop => "broken",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::ManualClock,
        store::{conformance, memory::MemoryStore},
        testing::Recorder,
        trace::names::value,
    };

    fn told(recorder: &Recorder) -> Vec<String> {
        recorder.told().into_iter().map(|told| format!("{}: {}", told.service, told.what)).collect()
    }

    #[tokio::test]
    async fn what_a_store_is_asked_is_told_with_its_outcome() {
        // Given a store that somebody observes
        let recorder = Arc::new(Recorder::default());
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Micros(0)));
        let telemetry = Telemetry::to(recorder.clone());
        let store = observed(MemoryStore::default(), value::SQLITE, &clock, &telemetry);
        // When it is asked, and asked in vain
        assert_eq!(store.save("bank", 0, None, conformance::save(1, &[])).await, Saved::Saved);
        assert_eq!(store.save("bank", 0, None, conformance::save(2, &[])).await, Saved::Lost);
        assert!(store.load("bank", 0).await.unwrap().is_some());
        assert_eq!(store.entities("bank", 0, &["account/a".into()]).await.unwrap().1, [None]);
        // Then each question is told, and its answer is the store's own
        let expected = [
            "bank: queried sqlite BATCH palinode_snapshot_row",
            "bank: queried sqlite BATCH palinode_snapshot_row superseded",
            "bank: queried sqlite SELECT palinode_snapshot",
            "bank: queried sqlite SELECT palinode_snapshot_row",
        ];
        assert_eq!(told(&recorder), expected);
    }

    #[tokio::test]
    async fn what_nobody_observes_is_the_store_itself() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Micros(0)));
        let store = MemoryStore::default();
        let (plain, none) = (store.clone(), Telemetry::default());
        let same = observed(store, value::SQLITE, &clock, &none);
        assert_eq!(same.save("bank", 0, None, conformance::save(1, &[])).await, Saved::Saved);
        assert!(plain.load("bank", 0).await.unwrap().is_some());
    }
}
