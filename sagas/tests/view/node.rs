//! Rows on a real node: each end, a wait, a stuck undo, after a token and after a restart; and two hundred at random.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use palinode::{
    Address, Answer, EntityKey, Log, Micros, Receipt, SystemClock,
    log::{Created, sqlite::SqliteLog},
    projection::{ApplyError, Projection, Recorded, Source, State, Tables, start as follow},
    store::sqlite::SqliteDb,
    tail::Tail,
};
use palinode_sagas::{
    Event, SagaClient, SagaRows,
    client::No,
    view::{Entry, Standing, rows},
};
use sqlx::SqliteConnection;

use crate::{
    reference::{Instance, Row},
    shop::{Go, HOUR, asking, once, order, plain, reached, row, start},
};

const GRACE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_row_says_how_an_instance_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (node, model) = start(folder.path()).await;
    let orders = node.client().sagas("shop", &plain());
    // given one that is completed, and one that is refused a payment
    for (id, fault) in [("good", ""), ("poor", "no-pay"), ("shy", "shaky-pay")] {
        let started = orders.start(id, order(id, fault)).await.accepted().unwrap();
        started.reply.finished().await.unwrap().unwrap();
        // when the token of an answer that came after the end is reached
        let Answer::Rejected(Receipt { reply: No::Ended, token, .. }) =
            started.reply.cancel("ada", "late").await
        else {
            panic!("{id} has not ended")
        };
        reached(&model, &token).await;
        // then the row shows the beginning and the end
        let row = row(&node, id).await.unwrap().unwrap();
        assert_eq!(row.address(), *started.reply.address());
        assert_eq!(
            (row.version, row.started_at, row.ended_at),
            (Some(1), Some(started.time), Some(row.since))
        );
        assert_eq!((row.node, row.waiting_for, row.waiting_since, row.parked), (None, None, None, None));
        assert!(row.pseq > started.token.pseq && row.pseq < token.pseq && row.shard == token.shard);
        let why = row.why.as_deref().zip(row.why_node.as_deref());
        let seen = (row.status, row.attempts, row.retries, row.last_error.as_deref(), why, row.exceptions);
        let expected = match id {
            "good" => (Standing::Completed, 3, 0, None, None, 0),
            "poor" => (Standing::Compensated, 3, 0, Some("no money"), Some(("declined", "pay")), 0),
            _ => (Standing::Completed, 4, 1, Some("the line broke"), None, 0),
        };
        assert_eq!(seen, expected, "{id}");
    }
    node.stop(GRACE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_says_what_is_waited_for_and_goes_on_after_a_restart() {
    // given an instance that waits for its guest
    let folder = tempfile::tempdir().unwrap();
    let (node, model) = start(folder.path()).await;
    let orders = node.client().sagas("shop", &asking());
    let started = orders.start("w", order("w", "")).await.accepted().unwrap();
    reached(&model, &started.token).await;
    assert_eq!(row(&node, "w").await.unwrap().unwrap().started_at, Some(started.time));
    let waiting =
        once(&node, &model, started.reply.address(), |row| row.node.as_deref() == Some("guest")).await;
    assert_eq!((waiting.status, waiting.version), (Standing::Forward, Some(2)));
    assert_eq!(waiting.waiting_for.as_deref(), Some("signal go"));
    assert_eq!(waiting.waiting_since, Some(waiting.since));
    assert_eq!(waiting.waiting_until, Some(waiting.since.plus(HOUR)));
    drop((orders, started));
    assert!(node.stop(GRACE).await);

    // when the node is started again
    let (node, model) = start(folder.path()).await;
    assert_eq!(row(&node, "w").await.unwrap().unwrap(), waiting);
    // and the guest speaks
    let order = node.client().sagas("shop", &asking()).at("w");
    let told = order.signal_once("s1", Go).await.accepted().unwrap();
    reached(&model, &told.token).await;
    // then the row has moved, and at the end it has ended
    assert_ne!(row(&node, "w").await.unwrap().unwrap().node, waiting.node);
    let ended = once(&node, &model, order.address(), |row| row.ended_at.is_some()).await;
    assert_eq!((ended.status, ended.node, ended.attempts), (Standing::Completed, None, 3));
    assert_eq!(ended.started_at, waiting.started_at);
    node.stop(GRACE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_says_that_an_undo_is_stuck() {
    // given an instance whose undo is refused for ever, with a budget of two rounds
    let folder = tempfile::tempdir().unwrap();
    let (node, model) = start(folder.path()).await;
    let orders = node.client().sagas("shop", &plain());
    let started = orders.start("s", order("s", "closed-no-pay")).await.accepted().unwrap();
    // when it is stuck
    let stuck = once(&node, &model, started.reply.address(), |row| row.status == Standing::Stuck).await;
    // then the row says where, since when and why, and is in the list of those
    assert_eq!(stuck.node.as_deref().zip(stuck.waiting_for.as_deref()), Some(("take", "a person")));
    assert_eq!((stuck.waiting_since, stuck.waiting_until, stuck.ended_at), (Some(stuck.since), None, None));
    assert_eq!(stuck.last_error.as_deref(), Some("the shelf is closed"));
    assert_eq!(stuck.why.as_deref().zip(stuck.why_node.as_deref()), Some(("declined", "pay")));
    assert_eq!((stuck.attempts, stuck.retries), (4, 1));
    let db = node.read_db().unwrap();
    assert_eq!(rows::list(db, Standing::Stuck, 10, None).await.unwrap(), std::slice::from_ref(&stuck));
    // and once it is killed it is not stuck any more
    let killed = started.reply.kill("ada", "given up").await.accepted().unwrap();
    reached(&model, &killed.token).await;
    assert_eq!(rows::list(db, Standing::Stuck, 10, None).await.unwrap(), []);
    let row = row(&node, "s").await.unwrap().unwrap();
    assert_eq!((row.status, row.node, row.ended_at), (Standing::Killed, None, Some(killed.time)));
    node.stop(GRACE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_two_hundred_sagas_equal_the_fold_of_the_log() {
    // given a node that ran two hundred sagas of all fates, restarted after the first half
    let folder = tempfile::tempdir().unwrap();
    let faults = [
        "",
        "sold-out",
        "no-pay",
        "away-pay",
        "shaky-pay",
        "odd-pay",
        "closed-no-pay",
        "no-wrap",
        "away-wrap",
        "shaky-wrap",
        "odd-wrap",
        "no-ticket",
        "shaky-ticket",
        "away-ticket",
    ];
    let mut dice = 1_u64;
    let mut roll = move |sides: usize| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (dice >> 33) as usize % sides
    };
    for half in 0..2 {
        let (node, _model) = start(folder.path()).await;
        for n in half * 100..(half + 1) * 100 {
            let saga = if n % 2 == 0 { plain() } else { asking() };
            let (id, fault) = (format!("o{n}"), faults[roll(faults.len())]);
            let sagas = node.client().sagas("shop", &saga);
            let started = sagas.start(id.as_str(), order(&id, fault)).await.accepted().unwrap().reply;
            match roll(8) {
                0 => drop(started.cancel("tester", "a test").await),
                1 if roll(3) == 0 => drop(started.kill("tester", "a test").await),
                2..6 => drop(started.signal_once("s1", Go).await),
                _ => {}
            }
        }
        assert!(node.halted().is_empty());
        node.stop(GRACE).await;
    }
    // when nobody writes any more, and the read model has come to the end of the log
    let db = SqliteDb::open(folder.path().join("read.db")).await.unwrap();
    let journals = Journals::default();
    read_to_the_end(folder.path(), &db, &journals).await;
    // then the rows are those of the journals
    let expected: BTreeMap<String, Row> =
        journals.instances().into_iter().map(|i| (i.address.to_string(), i.row())).collect();
    let (mut found, mut standings) = (BTreeMap::new(), Vec::new());
    for name in
        ["forward", "committing", "finishing", "undoing", "stuck", "completed", "compensated", "killed"]
    {
        let list = rows::list(&db, name.parse().unwrap(), 1_000, None).await.unwrap();
        standings.push((name, list.len()));
        found.extend(list.iter().map(|row| (row.address().to_string(), Row::of(row))));
    }
    assert_eq!(found, expected);
    assert_eq!(found.len(), 200);
    for (name, n) in standings.iter().filter(|(name, _)| ["completed", "compensated", "stuck"].contains(name))
    {
        assert!(*n > 0, "none is {name}: {standings:?}");
    }
    db.close().await;
}

/// Follows the log of a stopped node with the rows and with a copy of the journals, until both are at its end.
async fn read_to_the_end(folder: &Path, db: &SqliteDb, journals: &Journals) {
    let clock = Arc::new(SystemClock);
    let log = Arc::new(SqliteLog::open(folder, Arc::clone(&clock) as _).unwrap());
    let Created::Ready { genesis, .. } = log.create("shop", 4, uuid::Uuid::nil()).await else {
        panic!("the log is gone")
    };
    let source = Source {
        service: "shop".into(),
        log_id: genesis.log_id,
        partitions: genesis.partitions,
        log: Arc::clone(&log) as _,
        tail: Tail::new(genesis.partitions),
        clock,
        reader: "a test".into(),
        telemetry: palinode::telemetry::Telemetry::default(),
    };
    let models = [
        follow(Arc::new(SagaRows), source.clone(), db.clone()).await.unwrap(),
        follow(Arc::new(journals.clone()), source, db.clone()).await.unwrap(),
    ];
    for model in models {
        for shard in 0..genesis.partitions {
            let status =
                model.wait_until(shard, |s| matches!(s.state, State::Live | State::Stopped { .. })).await;
            assert_eq!(status.unwrap().state, State::Live);
        }
        model.stop().await;
    }
    log.close().await.unwrap();
}

/// A projection that keeps every journal as it is.
#[derive(Clone, Default)]
struct Journals(Arc<Mutex<Vec<Kept>>>);

struct Kept {
    entity: EntityKey,
    shard: u32,
    pseq: u64,
    time: Micros,
    event: Event,
}

impl Projection<SqliteDb> for Journals {
    const NAME: &'static str = "journals";
    const VERSION: u32 = 1;
    const TABLES: &'static [&'static str] = &[];
    type Event = Entry;
    type Batch = Vec<Kept>;

    fn fold(&self, batch: &mut Vec<Kept>, recorded: &Recorded<Entry>) -> Result<(), ApplyError> {
        let Recorded { event: Entry(event), shard, pseq, time, entity, .. } = recorded.clone();
        batch.push(Kept { entity, shard, pseq, time, event });
        Ok(())
    }

    async fn write(&self, _: &mut SqliteConnection, _: &Tables, batch: Vec<Kept>) -> Result<(), ApplyError> {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Journals {
    fn instances(&self) -> Vec<Instance> {
        let mut instances: BTreeMap<EntityKey, Instance> = BTreeMap::new();
        for kept in self.0.lock().unwrap().iter() {
            let (kind, id) = (Arc::clone(&kept.entity.kind), Arc::clone(&kept.entity.id));
            let saga = if &*kind == "plain" { plain() } else { asking() };
            let instance = instances.entry(kept.entity.clone()).or_insert_with(|| {
                Instance::new(Address::new("shop", kind, id), kept.shard, saga.definition())
            });
            instance.take(&kept.event, kept.time, kept.pseq);
        }
        instances.into_values().collect()
    }
}
