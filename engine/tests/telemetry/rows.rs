//! Read models: batches, and how far they are behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use palinode::{
    projection::{ApplyError, Of, Projection, Recorded, State, Tables},
    store::memory::{MemoryDb, MemoryTx},
};

use crate::{
    kinds::Counter,
    world::{World, clients},
};

/// Counts events; cannot take those of the counter `bad`, nor write while the database is away.
#[derive(Default)]
struct Adds<const VERSION: u32> {
    away: Arc<AtomicBool>,
}

impl<const V: u32> Projection<MemoryDb> for Adds<V> {
    const NAME: &'static str = "adds";
    const VERSION: u32 = V;
    const TABLES: &'static [&'static str] = &["adds"];
    type Event = Of<Counter>;
    type Batch = u64;

    fn fold(&self, batch: &mut u64, e: &Recorded<Of<Counter>>) -> Result<(), ApplyError> {
        if &*e.entity.id == "bad" {
            return Err(ApplyError::poison("bad"));
        }
        *batch += 1;
        Ok(())
    }

    async fn write(&self, tx: &mut MemoryTx, tables: &Tables, batch: u64) -> Result<(), ApplyError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(ApplyError::outage("the database is away"));
        }
        let table = tables.name("adds");
        let before: u64 = tx.get(&table, "all").and_then(|n| n.parse().ok()).unwrap_or(0);
        tx.put(&table, "all", (before + batch).to_string());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_model_says_how_far_it_is_behind_and_what_it_wrote() {
    // Given a read model of one shard
    let world = World::of_one_shard();
    let node = world.node("a").await;
    let client = clients(&[&node]);
    world.accepted(&client, &world.add("c", 1)).await;
    let adds = Adds::<1>::default();
    let away = Arc::clone(&adds.away);
    let model = node.project_into("bank", adds, MemoryDb::default()).await.unwrap();
    model.wait_until(0, |status| status.state == State::Live).await.unwrap();
    let level = |what: &str| world.heard.level("bank", what).unwrap();
    // Then it is not behind, and all of the log is in it
    assert_eq!(level("events behind: adds/0"), 0.0);
    assert!(level("time behind: adds/0") <= 0.5, "so long it trusts that nothing new is there");
    assert_eq!((level("built: adds"), level("parked: adds")), (1.0, 0.0));
    assert_eq!(world.heard.values("bank", "projected adds written").iter().sum::<f64>(), 1.0);
    // When its database is away
    away.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        world.accepted(&client, &world.add("c", 1)).await;
    }
    world.pass(Duration::from_secs(60)).await;
    // Then it is behind by these events, and by the time since it held everything
    assert_eq!(level("events behind: adds/0"), 5.0);
    assert!((59.0..61.0).contains(&level("time behind: adds/0")), "{}", level("time behind: adds/0"));
    assert_eq!(level("built: adds"), 1.0, "it was built; what is missing is a lag");
    assert!(world.heard.count("bank", "projected adds refused") > 0);
    // And no more, when it is back
    away.store(false, Ordering::SeqCst);
    world.until("it has caught up", |_| level("events behind: adds/0") == 0.0).await;
    world.until("and knows it", |_| level("time behind: adds/0") <= 0.5).await;
    assert_eq!(world.heard.values("bank", "projected adds written").iter().sum::<f64>(), 6.0);
    world.finish(vec![node]).await;
}

#[tokio::test(start_paused = true)]
async fn parked_keys_are_counted() {
    let world = World::of_one_shard();
    let node = world.node("a").await;
    let client = clients(&[&node]);
    let model = node.project_into("bank", Adds::<1>::default(), MemoryDb::default()).await.unwrap();
    world.accepted(&client, &world.add("bad", 1)).await;
    world.accepted(&client, &world.add("good", 1)).await;
    model.wait_until(0, |status| status.parked == 1).await.unwrap();
    assert_eq!(world.heard.level("bank", "parked: adds"), Some(1.0));
    world.finish(vec![node]).await;
}

#[tokio::test(start_paused = true)]
async fn a_version_being_built_shows_how_far_it_is_and_is_no_lag() {
    // Given a version that readers see, and a log of many commits
    let world = World::of_one_shard();
    let node = world.node("a").await;
    let client = clients(&[&node]);
    let db = MemoryDb::default();
    let first = node.project_into("bank", Adds::<1>::default(), db.clone()).await.unwrap();
    for _ in 0..50 {
        world.accepted(&client, &world.add("c", 1)).await;
    }
    first.wait_until(0, |status| status.position.as_ref().is_some_and(|p| p.pseq == 50)).await.unwrap();
    // When another one begins beside it
    let second = node.project_into("bank", Adds::<2>::default(), db.clone()).await.unwrap();
    second.wait_until(0, |status| status.position.is_some()).await.unwrap();
    // Then what it lacks is no lag of what readers see
    let level = |what: &str| world.heard.level("bank", what).unwrap();
    assert!(level("built: adds") <= 1.0);
    assert_eq!(level("events behind: adds/0"), 0.0);
    second.wait_until(0, |status| status.state == State::Live).await.unwrap();
    assert_eq!(level("built: adds"), 1.0);
    world.finish(vec![node]).await;
}
