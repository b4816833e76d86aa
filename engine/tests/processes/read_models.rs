//! A read model of a service that several processes share: each writes the rows of what it owns, and knows how far the
//! others are.

use std::{collections::BTreeMap, time::Duration};

use palinode::{
    NodeBuilder,
    projection::{ApplyError, Class, Of, Projection, ReadModel, Recorded, State, Tables, Waited},
    receipt::Told,
    store::memory::{MemoryDb, MemoryTx, TxFault},
};

use crate::{
    kinds::{Counter, Event, desks},
    world::{World, clients, living_on},
};

/// How often each counter was added to.
struct Adds;

impl Projection<MemoryDb> for Adds {
    const NAME: &'static str = "adds";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &["adds"];
    type Event = Of<Counter>;
    type Batch = BTreeMap<String, u64>;

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<Of<Counter>>) -> Result<(), ApplyError> {
        if let Event::Added(_) = *e.event {
            *batch.entry(e.entity.id.to_string()).or_default() += 1;
        }
        Ok(())
    }

    async fn write(&self, tx: &mut MemoryTx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let table = tables.name("adds");
        for (counter, more) in batch {
            let before: u64 = tx.get(&table, &counter).and_then(|n| n.parse().ok()).unwrap_or(0);
            tx.put(&table, &counter, (before + more).to_string());
        }
        Ok(())
    }
}

fn states(model: &ReadModel) -> Vec<State> {
    model.status().into_iter().map(|status| status.state).collect()
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_at_the_start_is_waited_for() {
    let world = World::of_two_services(1);
    let node = world.node("a").await;
    let db = MemoryDb::default();
    for _ in 0..3 {
        db.fail_next(TxFault::Outage).await;
    }
    let (model, ()) = tokio::join!(node.project_into("bank", Adds, db), world.pass(Duration::from_secs(5)));
    assert_eq!(model.unwrap().status().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_stays_away_at_the_start_is_an_error_in_the_end() {
    let world = World::of_two_services(1);
    let node = world.node("a").await;
    let db = MemoryDb::default();
    for _ in 0..1_000 {
        db.fail_next(TxFault::Outage).await;
    }
    let (model, ()) = tokio::join!(node.project_into("bank", Adds, db), world.pass(Duration::from_secs(40)));
    let error = model.err().unwrap();
    assert_eq!(error.class, Class::Outage);
    assert!(error.what.contains("creating the tables of projection adds"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn each_process_writes_the_rows_of_its_shards_and_waits_for_the_others() {
    // Given two counters on two shards, owned by two processes
    let world = World::of_two_services(2);
    let (a, b) = (world.node("a").await, world.node("b").await);
    for (shard, node) in [(0, "a"), (1, "b")] {
        assert!(world.cluster.assign("bank", shard, node));
    }
    let claimed = |truth: &crate::check::Truth, shard: u32, node: &str| {
        truth.shard("bank", shard).claims.last().is_some_and(|c| &*c.owner == node)
    };
    world.until("they have them", |t| claimed(t, 0, "a") && claimed(t, 1, "b")).await;
    let db = MemoryDb::default();
    let one = a.project_into("bank", Adds, db.clone()).await.unwrap();
    let other = b.project_into("bank", Adds, db.clone()).await.unwrap();
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(states(&one), [State::Live, State::Elsewhere]);
    assert_eq!(states(&other), [State::Elsewhere, State::Live]);
    // When both are added to, while the shards change their owners and one of the processes dies
    let counters = [living_on("counter", 0, 2), living_on("counter", 1, 2)];
    let clients = clients(&[&a, &b]);
    let mut last = Vec::new();
    for round in 0..40 {
        for counter in &counters {
            let told = world.tell(&clients, &world.add(counter, 1)).await;
            let Told::Recorded { receipt, .. } = told else { panic!("{told:?}") };
            last.push(receipt.token);
        }
        if round % 10 == 5 {
            let (x, y) = if round % 20 == 5 { ("b", "a") } else { ("a", "b") };
            assert!(world.cluster.assign("bank", 0, x) && world.cluster.assign("bank", 1, y));
        }
        world.pass(Duration::from_millis(300)).await;
    }
    // Then whoever waits for a write sees it, whichever process wrote its row
    for token in &last[last.len() - 2..] {
        for model in [&one, &other] {
            assert_eq!(model.wait_for(token, Duration::from_secs(10)).await, Waited::Reached);
        }
    }
    let all: BTreeMap<String, String> = counters.iter().map(|c| (c.clone(), "40".to_owned())).collect();
    assert_eq!(db.table("adds").await, all);
    // And when one of them dies the other goes on with everything
    other.stop().await;
    b.crash().await;
    let (message, clients) = (world.add(&counters[1], 1), crate::world::clients(&[&a]));
    let Told::Recorded { receipt, .. } = world.tell(&clients, &message).await else { panic!() };
    assert_eq!(one.wait_for(&receipt.token, Duration::from_secs(10)).await, Waited::Reached);
    assert_eq!(db.table("adds").await[&counters[1]], "41");
    one.stop().await;
    world.finish(vec![a]).await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_owns_nothing_can_write_all_rows() {
    // Given a process that runs desks only, and follows the counters
    let world = World::of_two_services(2);
    let bank = NodeBuilder::new("b").partitions(2).inbox().service(crate::kinds::bank());
    let b = bank.start(world.parts("b")).await.unwrap();
    let desk = NodeBuilder::new("a").partitions(2).service(desks()).peer("bank");
    let a = desk.start(world.parts("a")).await.unwrap();
    let db = MemoryDb::default();
    let model = a.project_into("bank", Adds, db.clone()).await.unwrap();
    assert!(a.project_into("hotel", Adds, db.clone()).await.is_err());
    // When something happens over there
    for counter in ["x", "y", "z"] {
        let told = world.ask(&a.client(), &world.add(counter, 1)).await;
        let Told::Recorded { receipt, .. } = told else { panic!("{told:?}") };
        assert_eq!(model.wait_for(&receipt.token, Duration::from_secs(5)).await, Waited::Reached);
    }
    // Then it is in the rows here; and another one that writes all of them takes over
    assert_eq!(db.table("adds").await.len(), 3);
    let other = b.project_all_into("bank", Adds, db.clone()).await.unwrap();
    world.pass(Duration::from_secs(2)).await;
    world.tell(&clients(&[&b]), &world.add("x", 1)).await;
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(db.table("adds").await["x"], "2");
    assert!(other.status().iter().all(|status| status.state == State::Live), "{:?}", other.status());
    model.stop().await;
    other.stop().await;
    world.finish(vec![a, b]).await;
}
