//! The services of the example on a memory log, with ids and a time that are the same in every run: on one node alone, on one
//! that others can reach, and on two.

use std::{sync::Arc, time::Duration};

use booking::{
    domain::{Car, Flight, RoomType},
    payment::{CapturePayment, IssueVoucher},
    saga::book_trip,
    trips::Trip,
};
use palinode::{
    Answer, Client, CountedIds, Log, Node, NodeBuilder, Service,
    log::memory::MemoryCluster,
    node::Parts,
    store::memory::MemoryStore,
    testing::{Recorder, RuntimeClock},
};
use palinode_sagas::{Saga, SagaService, testing::Forest};

use crate::outside::Outside;

/// How long a trip waits for its guest.
const HOLD: Duration = Duration::from_secs(20);

/// Everything that nodes share, and what is told of them.
pub(crate) struct World {
    pub(crate) cluster: MemoryCluster,
    pub(crate) outside: Outside,
    store: MemoryStore,
    clock: RuntimeClock,
    ids: Arc<CountedIds>,
    recorder: Arc<Recorder>,
}

/// The saga of all nodes and callers.
pub(crate) fn saga() -> Saga<Trip> {
    book_trip(HOLD)
}

impl World {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self {
            cluster: MemoryCluster::new(5),
            outside: Outside::new(),
            store: MemoryStore::default(),
            clock: RuntimeClock::begin(),
            ids: Arc::default(),
            recorder: Arc::new(recorder),
        }
    }

    /// Everything that was told so far.
    pub(crate) fn told(&self) -> Forest {
        Forest::told(&self.recorder)
    }

    fn parts(&self, log: Arc<dyn Log>) -> Parts {
        let (store, clock) = (Arc::new(self.store.clone()), Arc::new(self.clock));
        Parts { log, store, clock, ids: Arc::clone(&self.ids) as _ }
    }

    fn node(&self, name: &str) -> NodeBuilder {
        NodeBuilder::new(name).partitions(1).observe(Arc::clone(&self.recorder) as _)
    }

    fn stock() -> [Service; 3] {
        [
            Service::new("hotel").aggregate::<RoomType>(),
            Service::new("flight").aggregate::<Flight>(),
            Service::new("car").aggregate::<Car>(),
        ]
    }

    fn trips(&self) -> Service {
        Service::new("trip")
            .saga(&saga())
            .perform::<CapturePayment>(self.outside.clone())
            .perform::<IssueVoucher>(self.outside.clone())
    }

    fn everything(&self) -> NodeBuilder {
        Self::stock().into_iter().fold(self.node("whole"), NodeBuilder::service).service(self.trips())
    }

    /// Everything on one node that is alone: its callers are inside it.
    pub(crate) async fn alone(&self) -> Node {
        self.everything().start(self.parts(self.cluster.member("alone"))).await.unwrap()
    }

    /// Everything on one node, over this log.
    pub(crate) async fn whole(&self, log: Arc<dyn Log>) -> Node {
        self.everything().inbox().start(self.parts(log)).await.unwrap()
    }

    /// What can be booked, on a node of its own.
    pub(crate) async fn stock_node(&self, log: Arc<dyn Log>) -> Node {
        let node = Self::stock().into_iter().fold(self.node("stock"), NodeBuilder::service);
        node.inbox().start(self.parts(log)).await.unwrap()
    }

    /// Trips on a node of their own.
    pub(crate) async fn trip_node(&self, log: Arc<dyn Log>) -> Node {
        let node = self.node("trips").service(self.trips()).peer("hotel").peer("flight").peer("car");
        node.start(self.parts(log)).await.unwrap()
    }

    /// A caller inside of this node.
    pub(crate) fn inside(node: &Node) -> Client {
        node.client().of_service("desk")
    }

    /// A caller in a process of its own.
    pub(crate) async fn caller(&self) -> Client {
        let Parts { log, clock, ids, .. } = self.parts(self.cluster.member("caller"));
        let services = ["hotel", "flight", "car", "trip"];
        let client = Client::connect_with(log, clock, ids, services).await.unwrap();
        client.of_service("desk").observe(Arc::clone(&self.recorder) as _)
    }
}

/// Asks until it is taken, however often that takes: what was taken already may be refused when it is asked again.
pub(crate) async fn taken<R, N: std::fmt::Debug>(ask: impl AsyncFn() -> Answer<R, N>) -> Option<R> {
    let mut again = false;
    loop {
        match ask().await {
            Answer::Accepted(receipt) => return Some(receipt.reply),
            Answer::Rejected(_) if again => return None,
            Answer::Unknown { .. } | Answer::Overloaded => again = true,
            Answer::Rejected(no) => panic!("{:?}", no.reply),
            _ => panic!("it cannot be asked"),
        }
    }
}
