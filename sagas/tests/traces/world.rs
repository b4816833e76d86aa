//! A small travel business: rooms and seats that may be full, a bank that may be busy, vouchers that may be broken; trips
//! as sagas over them. On one node, or on two that share a log.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use palinode::{
    Activity, Aggregate, Answer, Attempt, Client, Context, CountedIds, Failure, Log, NoUndo, Node,
    NodeBuilder, Perform, Service, Topic,
    codec::{Entry, decode},
    log::memory::MemoryCluster,
    node::Parts,
    store::memory::MemoryStore,
    testing::{Recorder, RuntimeClock},
};
use palinode_sagas::{
    Finished, GoOn, Retry, Saga, SagaClient, SagaService, Signal,
    client::{Instance, No},
    testing::Forest,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) enum Command {
    Hold,
    Release,
    Confirm,
}

macro_rules! thing {
    ($name:ident, $service:literal, $kind:literal) => {
        #[derive(Default, Serialize, Deserialize)]
        pub(crate) struct $name(u32);

        impl Aggregate for $name {
            const SERVICE: &'static str = $service;
            const KIND: &'static str = $kind;
            type Command = Command;
            type Event = u32;
            type Reply = u32;
            type Rejection = String;
            fn decide(&self, command: &Command, cx: &Context) -> Result<Vec<u32>, String> {
                match command {
                    Command::Hold if &*cx.entity.id == "full" => Err("full".into()),
                    Command::Hold | Command::Release | Command::Confirm => Ok(Vec::new()),
                }
            }
            fn evolve(&mut self, _: &u32) {}
            fn reply(&self, _: &Command) -> u32 {
                self.0
            }
        }
    };
}
thing!(Room, "hotel", "room");
thing!(Seat, "flight", "seat");

#[derive(Serialize, Deserialize)]
pub(crate) struct Pay {}
impl Activity for Pay {
    const NAME: &'static str = "pay";
    type Reply = ();
    type Undo = NoUndo;
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Voucher {}
impl Activity for Voucher {
    const NAME: &'static str = "voucher";
    type Reply = ();
    type Undo = NoUndo;
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Confirmed {}
impl Signal for Confirmed {
    const NAME: &'static str = "confirmed";
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Trip {
    pub(crate) seat: String,
}

/// The participants outside: how often each fails first, and what they were told of the trace.
#[derive(Clone, Default)]
pub(crate) struct Outside {
    pub(crate) busy: Arc<AtomicU32>,
    pub(crate) broken: Arc<AtomicU32>,
    pub(crate) told: Arc<Mutex<Vec<Option<Arc<str>>>>>,
}

fn fails(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

impl Perform<Pay> for Outside {
    async fn perform(&self, _: &Pay, cx: &Attempt) -> Result<(), Failure> {
        self.told.lock().unwrap().push(cx.traceparent.clone());
        cx.clock.pass(Duration::from_millis(7)).await;
        if fails(&self.busy) { Err(Failure::Transient("busy".into())) } else { Ok(()) }
    }
}

impl Perform<Voucher> for Outside {
    async fn perform(&self, _: &Voucher, _: &Attempt) -> Result<(), Failure> {
        if fails(&self.broken) { Err(Failure::Fatal("broken".into())) } else { Ok(()) }
    }
}

/// A room, a seat, a payment, and what follows it.
pub(crate) fn book() -> Saga<Trip> {
    Saga::define("book-trip", 1)
        .step("room", |_: &Trip| Room::at("12").ask(Command::Hold))
        .undo(|_, _| Command::Release)
        .step("seat", |t| Seat::at(&*t.seat).ask(Command::Hold))
        .undo(|_, _| Command::Release)
        .pivot("pay", |_| Pay {})
        .retry(Retry::step())
        .retriable("confirm", |_| Room::at("12").ask(Command::Confirm))
        .retriable("voucher", |_| Voucher {})
        .finish()
}

/// A room and a seat, and nothing outside the log.
pub(crate) fn inside() -> Saga<Trip> {
    Saga::define("inside-trip", 1)
        .step("room", |_: &Trip| Room::at("12").ask(Command::Hold))
        .undo(|_, _| Command::Release)
        .step("seat", |t| Seat::at(&*t.seat).ask(Command::Hold))
        .undo(|_, _| Command::Release)
        .finish()
}

/// A room, some time to think, the guest's word if it comes, and the payment.
pub(crate) fn patient() -> Saga<Trip> {
    Saga::define("patient-trip", 1)
        .step("room", |_: &Trip| Room::at("12").ask(Command::Hold))
        .undo(|_, _| Command::Release)
        .timer("think", Duration::from_secs(30))
        .wait::<Confirmed>("guest", Duration::from_secs(60))
        .on_timeout(GoOn)
        .pivot("pay", |_| Pay {})
        .finish()
}

pub(crate) struct World {
    pub(crate) cluster: MemoryCluster,
    pub(crate) store: MemoryStore,
    pub(crate) clock: RuntimeClock,
    pub(crate) ids: Arc<CountedIds>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) outside: Outside,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::observed_by(Recorder::default())
    }

    pub(crate) fn observed_by(recorder: Recorder) -> Self {
        Self {
            cluster: MemoryCluster::new(3),
            store: MemoryStore::default(),
            clock: RuntimeClock::begin(),
            ids: Arc::default(),
            recorder: Arc::new(recorder),
            outside: Outside::default(),
        }
    }

    pub(crate) fn parts(&self, log: Arc<dyn Log>) -> Parts {
        Parts {
            log,
            store: Arc::new(self.store.clone()),
            clock: Arc::new(self.clock),
            ids: Arc::clone(&self.ids) as _,
        }
    }

    fn stays() -> [Service; 2] {
        [Service::new("hotel").aggregate::<Room>(), Service::new("flight").aggregate::<Seat>()]
    }

    fn trips(&self) -> Service {
        Service::new("trip")
            .saga(&book())
            .saga(&patient())
            .saga(&inside())
            .perform::<Pay>(self.outside.clone())
            .perform::<Voucher>(self.outside.clone())
    }

    fn node(&self, name: &str) -> NodeBuilder {
        NodeBuilder::new(name).partitions(1).observe(Arc::clone(&self.recorder) as _)
    }

    /// Rooms and seats on a node that nobody observes.
    pub(crate) async fn unseen_stay_node(&self) -> Node {
        let [hotel, flight] = Self::stays();
        let node = NodeBuilder::new("unseen").partitions(1).inbox().service(hotel).service(flight);
        node.start(self.parts(self.cluster.member("unseen"))).await.unwrap()
    }

    /// Everything on one node, over this log.
    pub(crate) async fn whole(&self, log: Arc<dyn Log>) -> Node {
        let [hotel, flight] = Self::stays();
        let node = self.node("whole").inbox().service(hotel).service(flight).service(self.trips());
        node.start(self.parts(log)).await.unwrap()
    }

    /// Rooms and seats on a node of their own.
    pub(crate) async fn stay_node(&self, log: Arc<dyn Log>) -> Node {
        let [hotel, flight] = Self::stays();
        let node = self.node("stays").inbox().service(hotel).service(flight);
        node.start(self.parts(log)).await.unwrap()
    }

    /// Trips on a node of their own.
    pub(crate) async fn trip_node(&self, log: Arc<dyn Log>) -> Node {
        let node = self.node("trips").service(self.trips()).peer("hotel").peer("flight");
        node.start(self.parts(log)).await.unwrap()
    }

    /// Everything that was told so far.
    pub(crate) fn told(&self) -> Forest {
        Forest::told(&self.recorder)
    }

    /// The identity of the log of trips.
    pub(crate) fn log_id(&self) -> uuid::Uuid {
        let records = self.cluster.records(&Topic::events("trip"), 0);
        match decode(&records[0]) {
            Ok(Some(Entry::Genesis(genesis))) => genesis.log_id,
            other => panic!("{other:?}"),
        }
    }

    /// A client in a process of its own.
    pub(crate) async fn client(&self) -> Client {
        let parts = self.parts(self.cluster.member("client"));
        let services = ["hotel", "flight", "trip"];
        let client = Client::connect_with(parts.log, parts.clock, parts.ids, services).await.unwrap();
        client.of_service("desk").observe(Arc::clone(&self.recorder) as _)
    }
}

/// Starts a trip, however often that takes.
pub(crate) async fn start(client: &Client, saga: &Saga<Trip>, id: &str, seat: &str) -> Instance<Trip> {
    loop {
        match client.sagas("trip", saga).start(id, Trip { seat: seat.into() }).await {
            Answer::Accepted(receipt) => return receipt.reply,
            Answer::Unknown { .. } | Answer::Overloaded => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Asks until it is taken, however often that takes: what was taken already may be refused when it is asked again.
pub(crate) async fn taken<R: std::fmt::Debug>(ask: impl AsyncFn() -> Answer<R, No>) {
    let mut again = false;
    loop {
        match ask().await {
            Answer::Accepted(_) => return,
            Answer::Rejected(_) if again => return,
            Answer::Unknown { .. } | Answer::Overloaded => again = true,
            other => panic!("{other:?}"),
        }
    }
}

/// Waits for its end, and until whatever follows from it is told.
pub(crate) async fn end(trip: &Instance<Trip>) -> Finished<Trip> {
    let end = trip.finished().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    end
}
