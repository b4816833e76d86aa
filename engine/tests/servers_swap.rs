//! A new version of a read model is built by two processes beside the one that readers see, and takes its place, while
//! others write and read all the time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    dead_code,
    reason = "helpers of tests"
)]

#[path = "embedded/bank.rs"]
mod bank;
#[path = "kafka_support/cluster.rs"]
mod cluster;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use bank::{Account, Command, Event, close};
use cluster::Cluster;
use palinode::{
    Aggregate, Answer, Client, Node, Receipt, Service, SystemClock,
    checkpoint::Said,
    node::KafkaBuilder,
    projection::{ApplyError, Of, Projection, ReadModel, Recorded, Tables, Waited, Watch},
    store::postgres::{PgDb, fresh::FreshDatabase},
};
use sqlx::PgConnection;
use tokio::task::JoinHandle;

const ACCOUNTS: usize = 12;
const LONG: Duration = Duration::from_secs(60);

/// A row an account: its balance and how many deposits made it. The versions differ in what they are called.
struct Balances<const V: u32>;

#[derive(Default)]
struct Changes(BTreeMap<String, (i64, i64)>);

impl<const V: u32> Projection<PgDb> for Balances<V> {
    const NAME: &'static str = "balances";
    const VERSION: u32 = V;
    const TABLES: &'static [&'static str] = &["balance"];
    type Event = Of<Account>;
    type Batch = Changes;

    async fn prepare(&self, tx: &mut PgConnection, tables: &Tables) -> Result<(), ApplyError> {
        let sql = "create table if not exists {balance} (account text primary key, cents bigint not null, \
                   deposits bigint not null)";
        sqlx::raw_sql(tables.sql(sql)).execute(tx).await?;
        Ok(())
    }

    fn fold(&self, batch: &mut Changes, e: &Recorded<Of<Account>>) -> Result<(), ApplyError> {
        if let Event::Deposited(cents) = *e.event {
            let row = batch.0.entry(e.entity.id.to_string()).or_default();
            *row = (row.0 + cents, row.1 + 1);
        }
        Ok(())
    }

    async fn write(&self, tx: &mut PgConnection, tables: &Tables, batch: Changes) -> Result<(), ApplyError> {
        for (account, (cents, deposits)) in batch.0 {
            let sql = "insert into {balance} as b values ($1, $2, $3) on conflict (account) do update set \
                       cents = b.cents + excluded.cents, deposits = b.deposits + excluded.deposits";
            let insert = sqlx::query(tables.sql(sql)).bind(account).bind(cents).bind(deposits);
            insert.execute(&mut *tx).await?;
        }
        Ok(())
    }
}

async fn follow<const V: u32>(node: &Node) -> ReadModel {
    node.project_into("bank", Balances::<V>, node.postgres().unwrap().clone()).await.unwrap()
}

/// Both processes share a service of four shards.
struct Place {
    cluster: Cluster,
    database: FreshDatabase,
}

impl Place {
    fn node(&self, name: &str) -> KafkaBuilder {
        let bank = Service::new("bank").aggregate::<Account>();
        Node::kafka(self.cluster.settings.clone(), self.database.settings()).name(name).service(bank)
    }
}

async fn deposit(client: &Client, account: usize) -> Receipt<i64> {
    let id = client.fresh_id();
    loop {
        let ask = Account::at(format!("a{account}")).ask(Command::Deposit(3));
        match client.execute(ask).with_id(id).await {
            Answer::Accepted(receipt) => return receipt,
            Answer::Unknown { .. } | Answer::Overloaded => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What readers see of all accounts at one moment.
async fn sum(db: &PgDb) -> (i64, i64) {
    let sql = "select coalesce(sum(cents), 0)::bigint, coalesce(sum(deposits), 0)::bigint from balance";
    sqlx::query_as(sql).fetch_one(db.readers()).await.expect("readers are never refused")
}

/// Asks until it is told to stop: what is seen belongs together and never goes back. How often it asked.
fn reader(db: PgDb, stop: Arc<AtomicBool>) -> JoinHandle<u64> {
    tokio::spawn(async move {
        let (mut last, mut times) = (0, 0);
        while !stop.load(SeqCst) {
            let (cents, deposits) = sum(&db).await;
            assert_eq!(cents, 3 * deposits, "rows of two moments, or of two versions");
            assert!(deposits >= last, "readers went back from {last} to {deposits}");
            (last, times) = (deposits, times + 1);
        }
        times
    })
}

/// Writes to its accounts until it is told to stop, and reads what it wrote each time. How often it wrote.
fn writer(
    client: Client,
    db: PgDb,
    accounts: std::ops::Range<usize>,
    stop: Arc<AtomicBool>,
) -> JoinHandle<i64> {
    tokio::spawn(async move {
        let balances = Watch::new(db.clone(), "balances", "bank", Arc::new(SystemClock));
        let mut written = 0;
        for account in accounts.cycle() {
            if stop.load(SeqCst) {
                break;
            }
            let receipt = deposit(&client, account).await;
            written += 1;
            let waited = balances.wait_for(&receipt.token, LONG).await;
            assert!(matches!(waited, Waited::Reached), "{waited:?}");
            let sql = "select cents from balance where account = $1";
            let seen: i64 =
                sqlx::query_scalar(sql).bind(format!("a{account}")).fetch_one(db.readers()).await.unwrap();
            assert_eq!(seen, receipt.reply, "one's own writes are read");
        }
        written
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn a_version_that_two_processes_build_takes_its_place_under_readers_and_writers() {
    // Given two processes that share a service and its read model
    let place = Place { cluster: Cluster::new(), database: FreshDatabase::new().await.unwrap() };
    place.node("setup").create(4).await.unwrap();
    let (first, second) =
        (place.node("first").start().await.unwrap(), place.node("second").start().await.unwrap());
    let (old, _also) = (follow::<1>(&first).await, follow::<1>(&second).await);
    // And others who write and read all the time
    let (db, stop) = (place.database.open().await.unwrap(), Arc::new(AtomicBool::new(false)));
    let client = Client::connect(place.cluster.connected().await, ["bank"]).await.unwrap();
    let half = ACCOUNTS / 2;
    let writers =
        [0..half, half..ACCOUNTS].map(|of| writer(client.clone(), db.clone(), of, Arc::clone(&stop)));
    let readers = [0, 1].map(|_| reader(db.clone(), Arc::clone(&stop)));
    while sum(&db).await.1 < 20 {}
    // When both build the next version, and readers are moved to it, back, and to it again
    let (new, _also) = (follow::<2>(&first).await, follow::<2>(&second).await);
    let said = Said::new("test", "a new version");
    for to in [2, 1, 2] {
        let before = sum(&db).await.1;
        new.swap(to, LONG, &said).await.unwrap();
        let active = old.versions().await.unwrap().into_iter().find(|version| version.active);
        assert_eq!(active.map(|version| version.version), Some(to));
        while sum(&db).await.1 < before + 10 {}
    }
    // And one of them dies
    second.crash().await;
    let before = sum(&db).await.1;
    while sum(&db).await.1 < before + 20 {}
    // Then everything that was written is there once, in both versions
    stop.store(true, SeqCst);
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    assert_eq!(sum(&db).await, (3 * written, written));
    new.swap(1, LONG, &said).await.unwrap();
    assert_eq!(sum(&db).await, (3 * written, written));
    let differences = new.diff(1, 3).await.unwrap();
    assert!(differences.len() == 1 && differences[0].is_none(), "{differences:?}");
    close(first).await;
}
