//! A place on the cluster, nodes of a bank on it, and what is asked of them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use palinode::{
    Aggregate, Answer, Client, Clock, Context, EntityKey, Limits, Log, Micros, Node, NodeBuilder, Service,
    SystemClock, SystemIds, Topic,
    codec::{self, Entry},
    health::{ShardHealth, Stage},
    log::{
        Stored,
        kafka::{KafkaLog, KafkaSettings},
    },
    node::{Parts, StartError},
    store::sqlite::{SqliteDb, SqliteStore},
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    bank::{Account, Command},
    cluster::Cluster,
};

pub(crate) const SHARDS: u32 = 2;

/// A page that can be written over.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Page {
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Written {
    Text(String),
}

impl Aggregate for Page {
    const SERVICE: &'static str = "bank";
    const KIND: &'static str = "page";
    type Command = String;
    type Event = Written;
    type Reply = usize;
    type Rejection = String;

    fn decide(&self, command: &String, _cx: &Context) -> Result<Vec<Written>, String> {
        Ok(vec![Written::Text(command.clone())])
    }

    fn evolve(&mut self, event: &Written) {
        let Written::Text(text) = event;
        self.text.push_str(text);
    }

    fn reply(&self, _command: &String) -> usize {
        self.text.len()
    }
}

/// The machine's clock, only that it is so much ahead, and that an hour is over when somebody says so.
#[derive(Default)]
pub(crate) struct TestClock {
    pub(crate) ahead: Duration,
    pub(crate) hour: Arc<Notify>,
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Micros {
        SystemClock.now().plus(self.ahead)
    }

    async fn wait_until(&self, until: Micros) {
        SystemClock.pass(until.since(self.now())).await;
    }

    async fn pass(&self, span: Duration) {
        match span < Duration::from_secs(3_600) {
            true => SystemClock.pass(span).await,
            false => self.hour.notified().await,
        }
    }
}

/// A place on the cluster, and folders for snapshots.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) dir: TempDir,
    pub(crate) clock: Mutex<Arc<TestClock>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut cluster = Cluster::new();
        cluster.settings.session = Duration::from_secs(3);
        Self::at(cluster.settings)
    }

    /// On a broker of its own.
    pub(crate) fn at(settings: KafkaSettings) -> Self {
        Self { cluster: Cluster { settings }, dir: tempfile::tempdir().unwrap(), clock: Mutex::default() }
    }

    /// Returns when the broker answers.
    pub(crate) async fn ready(&self) {
        let clock = || Arc::new(SystemClock);
        while KafkaLog::connect(self.cluster.settings.clone(), clock()).await.is_err() {}
    }

    /// The bank as all processes but strange ones run it.
    pub(crate) fn bank() -> Service {
        Service::new("bank").aggregate::<Account>().aggregate::<Page>()
    }

    pub(crate) async fn node(&self, name: &str) -> Node {
        self.node_of(name, Self::bank()).await
    }

    pub(crate) async fn node_of(&self, name: &str, service: Service) -> Node {
        self.start(name, service).await.unwrap()
    }

    pub(crate) async fn try_node(&self, name: &str) -> Result<Node, StartError> {
        self.start(name, Self::bank()).await
    }

    async fn start(&self, name: &str, service: Service) -> Result<Node, StartError> {
        let clock = Arc::clone(&self.clock.lock().unwrap());
        let settings = self.cluster.settings.clone();
        let log = KafkaLog::creating(settings, Arc::clone(&clock) as _).await.unwrap();
        let db = SqliteDb::open(self.dir.path().join(format!("{name}.db"))).await.unwrap();
        let (store, ids) = (Arc::new(SqliteStore::new(db)), Arc::new(SystemIds));
        let limits = Limits { unable: Duration::from_secs(6), snapshot_commits: 5, ..Limits::default() };
        let builder = NodeBuilder::new(name).service(service).partitions(SHARDS).inbox().limits(limits);
        builder.start(Parts { log: Arc::new(log), store, clock, ids }).await
    }

    /// A client that owns nothing.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.cluster.connected().await, ["bank"]).await.unwrap()
    }

    /// All records of a shard.
    pub(crate) async fn events(&self, shard: u32) -> Vec<Stored> {
        let (log, topic) = (self.cluster.connected().await, Topic::events("bank"));
        let (mut all, end) = (Vec::new(), log.end(&topic, shard).await.unwrap());
        while u64::try_from(all.len()).unwrap() < end {
            all.extend(log.read(&topic, shard, u64::try_from(all.len()).unwrap(), 500).await.unwrap());
        }
        all
    }
}

/// How many of these records are claims, of those that this build can read.
pub(crate) fn claims(records: &[Stored]) -> usize {
    let is = |stored: &&Stored| matches!(codec::decode(&stored.record), Ok(Some(Entry::Claim(_))));
    records.iter().filter(is).count()
}

pub(crate) fn shard(node: &Node, nth: u32) -> ShardHealth {
    node.health().remove(usize::try_from(nth).unwrap())
}

pub(crate) fn serves(node: &Node, nth: u32) -> bool {
    shard(node, nth).stage == Stage::Serving
}

pub(crate) fn serves_all(node: &Node) -> bool {
    (0..SHARDS).all(|nth| serves(node, nth))
}

/// Whether it has stopped and says this.
pub(crate) fn stopped(node: &Node, nth: u32, says: &str) -> bool {
    matches!(shard(node, nth).stage, Stage::Stopped { why } if why.contains(says))
}

/// Whether it is in trouble and says this.
pub(crate) fn troubled(node: &Node, nth: u32, says: &str) -> bool {
    shard(node, nth).trouble.is_some_and(|what| what.contains(says))
}

/// Waits until this is so.
pub(crate) async fn until(what: &str, node: &Node, so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}; {:?}", node.health()));
}

/// The name of an account that lives on this shard.
pub(crate) fn account_on(nth: u32) -> String {
    let mut names = (0..).map(|n| format!("a{n}"));
    names.find(|id| EntityKey::new("account", id.as_str()).shard(SHARDS) == nth).unwrap()
}

/// The definite answer to a deposit of one.
pub(crate) async fn deposit(client: &Client, account: &str) -> i64 {
    deposit_as(client, account, client.fresh_id()).await
}

pub(crate) async fn deposit_as(client: &Client, account: &str, id: Uuid) -> i64 {
    loop {
        match client.execute(Account::at(account).ask(Command::Deposit(1))).with_id(id).await {
            Answer::Accepted(receipt) => return receipt.reply,
            Answer::Unknown { .. } | Answer::Overloaded => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What is said to a deposit within a few seconds.
pub(crate) async fn ask(client: &Client, account: &str) -> Answer<i64, crate::bank::NotEnough> {
    let client = client.clone().with_patience(Duration::from_secs(5));
    client.execute(Account::at(account).ask(Command::Deposit(1))).await
}
