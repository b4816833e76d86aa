//! Processes that share a service on a real Kafka and a real PostgreSQL: what one of them accepted outlives it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    dead_code,
    unreachable_pub,
    reason = "helpers of tests"
)]

#[path = "embedded/bank.rs"]
mod bank;
#[path = "kafka_support/cluster.rs"]
mod cluster;

use std::time::Duration;

use bank::{Account, Command, close};
use cluster::Cluster;
use palinode::{
    Aggregate, Answer, Client, Node, Receipt, Service, Token,
    health::Stage,
    node::KafkaBuilder,
    projection::{Entities, State, Waited},
    store::postgres::fresh::FreshDatabase,
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinSet;
use uuid::Uuid;

const SHARDS: u32 = 4;
const ACCOUNTS: usize = 40;

/// A place of its own on both servers.
struct Place {
    cluster: Cluster,
    database: FreshDatabase,
}

impl Place {
    async fn new() -> Self {
        let place = Self { cluster: Cluster::new(), database: FreshDatabase::new().await.unwrap() };
        let created = place.node("setup").create(SHARDS).await.unwrap();
        assert!(matches!(&created[..], [bank] if bank.partitions == SHARDS), "{created:?}");
        place
    }

    fn node(&self, name: &str) -> KafkaBuilder {
        let bank = Service::new("bank").aggregate::<Account>();
        Node::kafka(self.cluster.settings.clone(), self.database.settings()).name(name).service(bank)
    }

    /// A process that follows the entities of the shards it owns.
    async fn start(&self, name: &str) -> Node {
        let node = self.node(name).start().await.unwrap();
        node.project_into("bank", Entities, node.postgres().unwrap().clone()).await.unwrap();
        node
    }
}

fn serving(node: &Node) -> usize {
    node.health().iter().filter(|shard| shard.stage == Stage::Serving).count()
}

/// Waits until this is so.
async fn until(what: &str, so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// The definite answer.
async fn deposit(client: &Client, account: usize, id: Uuid) -> Receipt<i64> {
    loop {
        let ask = Account::at(format!("a{account}")).ask(Command::Deposit(1));
        match client.execute(ask).with_id(id).await {
            Answer::Accepted(receipt) => return receipt,
            Answer::Unknown { .. } | Answer::Overloaded => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn deposits(client: &Client, ids: &[Uuid]) -> Vec<Receipt<i64>> {
    let mut tasks = JoinSet::new();
    for (n, id) in ids.iter().copied().enumerate() {
        let client = client.clone();
        tasks.spawn(async move { (n, deposit(&client, n % ACCOUNTS, id).await) });
    }
    let mut all = tasks.join_all().await;
    all.sort_by_key(|(n, _)| *n);
    all.into_iter().map(|(_, receipt)| receipt).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn what_was_accepted_outlives_the_process_that_accepted_it() {
    // given two processes that share the shards, and a client that owns nothing
    let place = Place::new().await;
    let (first, second) = (place.start("first").await, place.start("second").await);
    until("each serves two", || serving(&first) == 2 && serving(&second) == 2).await;
    let client = Client::connect(place.cluster.connected().await, ["bank"]).await.unwrap();
    let ids: Vec<Uuid> = (0..400).map(|_| client.fresh_id()).collect();
    let before = deposits(&client, &ids[..200]).await;

    // when one of them dies while more is asked
    let asked = tokio::spawn({
        let (client, ids) = (client.clone(), ids.clone());
        async move { deposits(&client, &ids[200..]).await }
    });
    first.crash().await;
    let after = asked.await.unwrap();

    // then the other one serves everything, and every id has its one answer
    until("the second serves all", || serving(&second) == 4).await;
    let again = deposits(&client, &ids).await;
    let told: Vec<i64> = before.iter().chain(&after).map(|receipt| receipt.reply).collect();
    assert_eq!(again.iter().map(|receipt| receipt.reply).collect::<Vec<_>>(), told);
    let each = i64::try_from(ids.len() / ACCOUNTS).unwrap();
    for account in 0..ACCOUNTS {
        assert_eq!(told.iter().skip(account).step_by(ACCOUNTS).max(), Some(&each), "a{account}");
    }

    // and the rows hold what the tokens promise
    let tokens: Vec<Token> = again.into_iter().map(|receipt| receipt.token).collect();
    let entities = palinode::projection::Watch::new(
        second.postgres().unwrap().clone(),
        "palinode-entities",
        "bank",
        std::sync::Arc::new(palinode::SystemClock),
    );
    for token in &tokens {
        let waited = entities.wait_for(token, Duration::from_secs(30)).await;
        assert!(matches!(waited, Waited::Reached), "{waited:?}");
    }
    let versions: (i64, i64) = sqlx::query_as("select count(*), sum(version)::bigint from palinode_entity")
        .fetch_one(second.postgres().unwrap().readers())
        .await
        .unwrap();
    assert_eq!(versions, (40, 400));
    assert_eq!(second.halted(), Vec::<String>::new());
    close(second).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn a_service_that_was_not_created_is_refused_with_what_to_do() {
    let place = Place { cluster: Cluster::new(), database: FreshDatabase::new().await.unwrap() };
    let Err(error) = place.node("early").start().await else { panic!("it started") };
    assert!(error.to_string().contains("create it first"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn a_database_of_another_log_is_refused() {
    let place = Place::new().await;
    let node = place.start("first").await;
    until("it serves", || serving(&node) == 4).await;
    deposit(&node.client(), 0, node.client().fresh_id()).await;
    close(node).await;

    let other = Place { cluster: Cluster::new(), database: place.database };
    other.node("setup").create(SHARDS).await.unwrap();
    let Err(error) = other.node("second").start().await else { panic!("it started") };
    assert!(error.to_string().contains("belongs to log"), "{error}");
}

/// Lets nobody into the place's database, or lets them in again.
async fn open_to_all(place: &Place, open: bool) {
    let server = std::env::var("PALINODE_POSTGRES").unwrap();
    let mut conn = PgConnection::connect(&server).await.unwrap();
    let options = place.database.options();
    let name = options.get_database().unwrap();
    // One after the other: whoever is thrown out must find the door closed.
    for sql in [
        format!("alter database {name} with allow_connections {open}"),
        format!(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}' and not {open}"
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn a_database_that_goes_away_delays_what_needs_it_and_nothing_else() {
    // Given a process with a read model
    let place = Place::new().await;
    let node = place.node("first").start().await.unwrap();
    let rows = node.project_into("bank", Entities, node.postgres().unwrap().clone()).await.unwrap();
    until("it serves", || serving(&node) == 4).await;
    let client = node.client();
    let before = deposit(&client, 0, client.fresh_id()).await;
    assert!(matches!(rows.wait_for(&before.token, Duration::from_secs(30)).await, Waited::Reached));
    // When its database lets nobody in any more
    open_to_all(&place, false).await;
    // Then commands are answered, and the read model says that it waits, and for what
    let after = deposit(&client, 0, client.fresh_id()).await;
    assert_eq!(after.reply, before.reply + 1);
    let waits = || {
        let of = rows.status().into_iter().find(|status| status.shard == after.token.shard).unwrap();
        matches!(of.state, State::Retrying { why } if why.contains("not currently accepting connections"))
    };
    until("the read model waits", waits).await;
    // And a process that starts says so
    let Err(error) = place.node("second").start().await else { panic!("it started") };
    let error = error.to_string();
    assert!(
        error.contains("cannot use PostgreSQL at") && error.contains("not currently accepting"),
        "{error}"
    );
    // And when it is back, the rows are written once
    open_to_all(&place, true).await;
    let waited = rows.wait_for(&after.token, Duration::from_secs(60)).await;
    assert!(matches!(waited, Waited::Reached), "{waited:?}");
    let found: (i64, i64) = sqlx::query_as("select count(*), sum(version)::bigint from palinode_entity")
        .fetch_one(node.postgres().unwrap().readers())
        .await
        .unwrap();
    assert_eq!(found, (1, 2));
    close(node).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and PostgreSQL: cargo xtask test starts them"]
async fn a_shard_whose_snapshot_cannot_be_read_waits_for_the_database() {
    // Given two processes, of which one has shards whose snapshots the other one will need
    let place = Place::new().await;
    let (first, second) = (place.start("first").await, place.start("second").await);
    until("each serves two", || serving(&first) == 2 && serving(&second) == 2).await;
    let client = Client::connect(place.cluster.connected().await, ["bank"]).await.unwrap();
    let ids: Vec<Uuid> = (0..40).map(|_| client.fresh_id()).collect();
    let told = deposits(&client, &ids).await;
    // When the database is away, and that one dies
    open_to_all(&place, false).await;
    first.crash().await;
    // Then the other one says for what it waits
    let waits = || {
        let troubled = |shard: &palinode::health::ShardHealth| {
            shard.stage == Stage::Recovering
                && shard
                    .trouble
                    .as_ref()
                    .is_some_and(|what| what.contains("not currently accepting connections"))
        };
        second.health().iter().filter(|shard| troubled(shard)).count() == 2
    };
    until("two shards wait", waits).await;
    assert_eq!(serving(&second), 2);
    // And when it is back, it serves all of them, and nothing was lost
    open_to_all(&place, true).await;
    until("it serves all", || serving(&second) == 4).await;
    let again = deposits(&client, &ids).await;
    let replies = |all: &[Receipt<i64>]| all.iter().map(|receipt| receipt.reply).collect::<Vec<_>>();
    assert_eq!(replies(&again), replies(&told));
    close(second).await;
}
