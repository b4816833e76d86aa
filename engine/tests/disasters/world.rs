//! A world: a log shared by several nodes, a snapshot store, a clock that is the runtime's paused time, and a memory of
//! everything that was acknowledged.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use palinode::{
    Address, Client, Clock, CountedIds, EntityKey, Ids, Limits, Node, NodeBuilder, Topic,
    log::memory::{Faults, MemoryCluster},
    message::ClientMessage,
    node::Parts,
    receipt::Told,
    store::memory::MemoryStore,
    telemetry::Observe,
    testing::Recorder,
};
use serde_json::value::to_raw_value;
use uuid::Uuid;

use crate::{
    check::Truth,
    kinds::{Command, Order, bank, desks},
    ports::{Freezer, WorldClock},
};

/// The longest time, in the world, that a caller waits for an answer of any kind.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is shared, and what is remembered. Cheap to clone.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) cluster: MemoryCluster,
    pub(crate) store: MemoryStore,
    pub(crate) clock: WorldClock,
    pub(crate) limits: Limits,
    /// What all nodes tell.
    pub(crate) heard: Arc<Recorder>,
    /// Whom they tell instead.
    pub(crate) instead: Option<Arc<dyn Observe>>,
    ids: Arc<CountedIds>,
    shards: u32,
    with_desks: bool,
    told: Arc<Mutex<Vec<(Uuid, Told)>>>,
}

impl World {
    fn new(shards: u32, with_desks: bool) -> Self {
        Self {
            cluster: MemoryCluster::new(0),
            store: MemoryStore::default(),
            clock: WorldClock::new(),
            limits: Limits::default(),
            heard: Arc::default(),
            instead: None,
            ids: Arc::default(),
            shards,
            with_desks,
            told: Arc::default(),
        }
    }

    /// One service on one shard: what a script says of the next append is then easy to see.
    pub(crate) fn of_one_shard() -> Self {
        Self::new(1, false)
    }

    /// Counters, and desks that send to them: two services with so many shards each.
    pub(crate) fn of_two_services(shards: u32) -> Self {
        Self::new(shards, true)
    }

    /// The same, with another seed for its faults.
    pub(crate) fn seeded(self, seed: u64) -> Self {
        Self { cluster: MemoryCluster::new(seed), ..self }
    }

    pub(crate) fn parts(&self, name: &str) -> Parts {
        Parts {
            log: self.cluster.member(name),
            store: Arc::new(self.store.clone()),
            clock: Arc::new(self.clock.clone()),
            ids: Arc::clone(&self.ids) as Arc<dyn Ids>,
        }
    }

    /// Starts a node; those of one name are incarnations of one node.
    pub(crate) async fn node(&self, name: &str) -> Node {
        self.node_with(name, self.parts(name)).await
    }

    /// A node that can be stopped where it stands.
    pub(crate) async fn frozen_node(&self, name: &str) -> (Freezer, Node) {
        let (freezer, parts) = Freezer::around(self.parts(name));
        (freezer, self.node_with(name, parts).await)
    }

    pub(crate) async fn node_with(&self, name: &str, parts: Parts) -> Node {
        let builder =
            NodeBuilder::new(name).partitions(self.shards).limits(self.limits).inbox().service(bank());
        let builder = builder.observe(self.instead.clone().unwrap_or(self.heard.clone()));
        let builder = if self.with_desks { builder.service(desks()) } else { builder };
        builder.start(parts).await.unwrap()
    }

    /// Two nodes: the first has all desks, the second all counters.
    pub(crate) async fn apart(&self) -> (Node, Node) {
        let (a, b) = (self.node("a").await, self.node("b").await);
        self.split().await;
        (a, b)
    }

    /// Gives the desks to `a` and the counters to `b`.
    pub(crate) async fn split(&self) {
        for shard in 0..self.shards {
            assert!(self.cluster.assign("desk", shard, "a") && self.cluster.assign("bank", shard, "b"));
        }
        let owned_by = |truth: &Truth, service, owner: &str| {
            let shards = truth.0.iter().filter(|p| &*p.me.service == service);
            shards.into_iter().all(|p| p.claims.last().is_some_and(|c| &*c.owner == owner))
        };
        let so = |truth: &Truth| owned_by(truth, "desk", "a") && owned_by(truth, "bank", "b");
        self.until("a has the desks and b the counters", so).await;
    }

    /// A node dies, and the group misses it only after a long session.
    pub(crate) async fn dies_unnoticed(&self, node: Node) {
        self.cluster.set_faults(Faults {
            left_unnoticed: 1_000,
            session: Duration::from_secs(20),
            ..Faults::none()
        });
        node.crash().await;
        self.cluster.set_faults(Faults::none());
    }

    /// A command to a counter, with an id of its own.
    pub(crate) fn command(&self, counter: &str, command: &Command) -> ClientMessage {
        ClientMessage {
            id: self.ids.fresh(self.clock.now()),
            to: Address::new("bank", "counter", counter),
            name: "counter".into(),
            data: to_raw_value(command).unwrap(),
            expect_version: None,
            traceparent: None,
        }
    }

    pub(crate) fn add(&self, counter: &str, n: i64) -> ClientMessage {
        self.command(counter, &Command::Add(n))
    }

    /// An order to a desk: send this counter so many messages.
    pub(crate) fn order(&self, desk: &str, counter: &str, messages: u32) -> ClientMessage {
        ClientMessage {
            to: Address::new("desk", "desk", desk),
            name: "desk".into(),
            data: to_raw_value(&Order { counter: counter.into(), messages }).unwrap(),
            ..self.command(counter, &Command::Add(0))
        }
    }

    /// Asks one of them; what it says is remembered.
    pub(crate) async fn ask(&self, client: &Client, message: &ClientMessage) -> Told {
        let told = tokio::time::timeout(PATIENCE, client.tell(message.clone())).await;
        let told = told.unwrap_or_else(|_| panic!("no answer at all to {message:?}"));
        self.told.lock().unwrap().push((message.id, told.clone()));
        told
    }

    /// Asks one of them in a task of its own.
    pub(crate) fn asking(&self, client: &Client, message: &ClientMessage) -> tokio::task::JoinHandle<Told> {
        let (world, client, message) = (self.clone(), client.clone(), message.clone());
        tokio::spawn(async move { world.ask(&client, &message).await })
    }

    /// Asks each of these until one gives an answer that is not "unknown"; it is remembered.
    pub(crate) async fn tell(&self, clients: &[Client], message: &ClientMessage) -> Told {
        for _ in 0..50 {
            for client in clients {
                match self.ask(client, message).await {
                    Told::Unknown | Told::Overloaded => {}
                    told => return told,
                }
            }
        }
        panic!("nobody answers {message:?}; the log says: {:?}", self.truth().of_id(message.id));
    }

    /// The same, in a task of its own.
    pub(crate) fn send(&self, clients: &[Client], message: ClientMessage) -> tokio::task::JoinHandle<Told> {
        let (world, clients) = (self.clone(), clients.to_vec());
        tokio::spawn(async move { world.tell(&clients, &message).await })
    }

    /// Tells and expects it to be accepted: the reply.
    pub(crate) async fn accepted(&self, clients: &[Client], message: &ClientMessage) -> i64 {
        count(&self.tell(clients, message).await)
    }

    /// How many times a commit was given as the answer.
    pub(crate) fn acknowledged(&self) -> usize {
        self.told.lock().unwrap().iter().filter(|(_, told)| matches!(told, Told::Recorded { .. })).count()
    }

    pub(crate) fn truth(&self) -> Truth {
        let services: &[_] = &[("bank", self.shards), ("desk", self.shards)];
        Truth::read(&self.cluster, if self.with_desks { services } else { &services[..1] })
    }

    /// Lets time pass, in the runtime's clock.
    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until something is so; at most two minutes of the world's time.
    pub(crate) async fn until(&self, what: &str, mut so: impl FnMut(&Truth) -> bool) {
        for _ in 0..1_200 {
            if so(&self.truth()) {
                return;
            }
            self.pass(Duration::from_millis(100)).await;
        }
        panic!("still not so: {what}; missing on channels:\n{}", self.truth().check_channels());
    }

    /// Waits until every message sent was accepted.
    pub(crate) async fn settle(&self) {
        self.until("every channel is complete", |truth| truth.check_channels().is_empty()).await;
    }

    /// Everything that must always be so.
    pub(crate) fn check(&self) -> Truth {
        let truth = self.truth();
        truth.check_shards();
        truth.check_acknowledged(&self.told.lock().unwrap());
        truth.check_channels();
        truth
    }

    /// Waits until the channels are complete, stops the nodes in order, and checks everything.
    pub(crate) async fn finish(&self, nodes: Vec<Node>) -> Truth {
        self.settle().await;
        for node in nodes {
            assert_eq!(node.halted(), Vec::<String>::new());
            assert!(node.stop(Duration::from_secs(30)).await, "a node ends in order");
        }
        let truth = self.check();
        assert_eq!(truth.check_channels(), "");
        assert!(truth.0.iter().all(|p| p.violation.is_none()), "a healthy log has no violation");
        let violated = self.heard.told().into_iter().find(|told| told.what.starts_with("violated"));
        assert_eq!(violated, None, "nobody calls a healthy log broken");
        truth
    }

    /// What is in a shard's inbox, as keys of the messages; a control message has none.
    pub(crate) fn inbox(&self, service: &str, shard: u32) -> Vec<String> {
        let records = self.cluster.records(&Topic::inbox(service), shard);
        records.iter().map(|record| record.key.to_string()).collect()
    }
}

/// The clients of these nodes.
pub(crate) fn clients(nodes: &[&Node]) -> Vec<Client> {
    nodes.iter().map(|node| node.client()).collect()
}

/// The count an accepted command was answered with.
pub(crate) fn count(told: &Told) -> i64 {
    match told {
        Told::Recorded { outcome: palinode::commit::Outcome::Accepted, answer, .. } => {
            serde_json::from_str(answer.get()).unwrap_or(0)
        }
        other => panic!("expected it to be accepted, got {other:?}"),
    }
}

/// The name of an entity of this kind that lives on this shard.
pub(crate) fn living_on(kind: &str, shard: u32, shards: u32) -> String {
    let names = (0..).map(|n| format!("{}{n}", &kind[..1]));
    names.into_iter().find(|id| EntityKey::new(kind, id.as_str()).shard(shards) == shard).unwrap()
}
