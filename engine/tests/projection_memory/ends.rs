//! Ends of transactions that are not known, sets of events, stopping.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::journal::{Journal, deposited};
use palinode::{
    ManualClock, Token,
    commit::EventRecord,
    projection::{ApplyError, EventSet, Projection, ReadModel, Recorded, State, Tables, Waited, start},
    store::memory::{MemoryDb, MemoryTx, TxFault},
};

/// Every event of a saga, undecoded.
struct SagaEvent(EventRecord);

impl EventSet for SagaEvent {
    fn wants(name: &str) -> bool {
        name.starts_with("saga.")
    }

    fn decode(event: &EventRecord) -> Result<Self, String> {
        Ok(Self(event.clone()))
    }
}

/// One row an entity: the names and ids of its events, in order.
struct Journals;

impl Projection<MemoryDb> for Journals {
    const NAME: &'static str = "journals";
    const VERSION: u32 = 3;
    const TABLES: &'static [&'static str] = &["journal"];
    type Event = SagaEvent;
    type Batch = BTreeMap<String, String>;

    fn fold(&self, batch: &mut Self::Batch, e: &Recorded<SagaEvent>) -> Result<(), ApplyError> {
        assert_eq!(e.event.0.name, e.name);
        let line = format!("{}@{}v{} ", e.name, e.id(), e.version);
        batch.entry(e.entity.to_string()).or_default().push_str(&line);
        Ok(())
    }

    async fn write(&self, tx: &mut MemoryTx, tables: &Tables, batch: Self::Batch) -> Result<(), ApplyError> {
        let table = tables.name("journal");
        for (entity, lines) in batch {
            let before = tx.get(&table, &entity).unwrap_or_default().to_owned();
            tx.put(&table, &entity, before + &lines);
        }
        Ok(())
    }
}

fn saga_event(name: &str) -> EventRecord {
    EventRecord { name: name.into(), ..deposited(1) }
}

/// Waits while time passes, so that every backoff ends.
async fn reached(model: &ReadModel, clock: &ManualClock, token: &Token) {
    let wait = model.wait_for(token, Duration::from_secs(u64::from(u32::MAX)));
    let time = async {
        loop {
            clock.advance(Duration::from_millis(10));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        waited = wait => assert_eq!(waited, Waited::Reached),
        () = time => {}
    }
}

#[tokio::test]
async fn a_transaction_whose_end_is_not_known_counts_once() {
    let (journal, clock, db) = (Journal::new(), ManualClock::default(), MemoryDb::default());
    let model = start(Arc::new(Journals), journal.source(&clock), db.clone()).await.unwrap();
    let mut expected = String::new();
    for n in 1..=60_u64 {
        // given transactions that end unknown, having happened or not, or fail
        let faults = [TxFault::UnknownHappened, TxFault::UnknownNot, TxFault::Outage];
        for fault in faults.iter().cycle().skip(usize::try_from(n % 3).unwrap()).take(1 + (n % 4) as usize) {
            db.fail_next(*fault).await;
        }
        // when a commit is to be written
        let token = journal.commit(0, "a", vec![saga_event("saga.asked"), saga_event("saga.answered")]);
        reached(&model, &clock, &token).await;
        // then its events are in the table once, in order
        for (idx, name) in ["saga.asked", "saga.answered"].iter().enumerate() {
            expected += &format!("{name}@bank/0/{n}/{idx}v{} ", n + idx as u64);
        }
        assert_eq!(db.table("journal").await["account/a"], expected);
    }
}

#[tokio::test]
async fn a_set_of_events_is_chosen_by_name() {
    let (journal, clock, db) = (Journal::new(), ManualClock::default(), MemoryDb::default());
    let model = start(Arc::new(Journals), journal.source(&clock), db.clone()).await.unwrap();
    journal.commit(0, "a", vec![deposited(1), saga_event("saga.started"), saga_event("sagacious.thing")]);
    let token = journal.commit(0, "b", vec![deposited(1)]);
    reached(&model, &clock, &token).await;
    let expected = BTreeMap::from([("account/a".to_owned(), "saga.started@bank/0/1/1v2 ".to_owned())]);
    assert_eq!(db.table("journal").await, expected);
}

#[tokio::test]
async fn a_read_model_stops_when_told() {
    let (journal, clock, db) = (Journal::new(), ManualClock::default(), MemoryDb::default());
    let model = start(Arc::new(Journals), journal.source(&clock), db.clone()).await.unwrap();
    reached(&model, &clock, &journal.commit(0, "a", vec![saga_event("saga.started")])).await;
    let before = db.table("journal").await;
    // when it is told to stop
    model.stop().await;
    // then all its runners have ended and later commits are not written
    let stopped = State::Stopped { why: "it was stopped".into() };
    assert!(model.status().iter().all(|shard| shard.state == stopped), "{:?}", model.status());
    journal.commit(0, "a", vec![saga_event("saga.ended")]);
    assert_eq!(db.table("journal").await, before);
}

#[tokio::test]
async fn a_read_model_whose_last_handle_is_dropped_stops() {
    let (journal, clock, projection) = (Journal::new(), ManualClock::default(), Arc::new(Journals));
    let running = Arc::downgrade(&projection);
    let model = start(projection, journal.source(&clock), MemoryDb::default()).await.unwrap();
    model.wait_until(0, |shard| shard.state == State::Live).await.unwrap();
    let other = model.clone();
    drop(model);
    other.wait_until(1, |shard| shard.state == State::Live).await.unwrap();
    // when the last handle goes away
    drop(other);
    // then its runners end, and with them what they hold
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(running.upgrade().is_none());
}
