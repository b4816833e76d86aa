//! A saga that crosses services of different processes: trips in one, hotels in another, and whoever asks in a third. All on
//! one memory log, under virtual time on one thread.

#![allow(clippy::unwrap_used, reason = "a test may be blunt")]

use std::{sync::Arc, time::Duration};

use palinode::{
    Aggregate, Answer, Client, Context, CountedIds, Node, NodeBuilder, Service, log::memory::MemoryCluster,
    node::Parts, store::memory::MemoryStore, testing::RuntimeClock,
};
use palinode_sagas::{End, Saga, SagaClient, SagaService};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Room {
    held: u32,
}

#[derive(Serialize, Deserialize)]
enum Command {
    Hold,
    Release,
    Count,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Event {
    Held,
    Released,
}

impl Aggregate for Room {
    const SERVICE: &'static str = "hotel";
    const KIND: &'static str = "room";
    type Command = Command;
    type Event = Event;
    type Reply = u32;
    type Rejection = String;

    fn decide(&self, command: &Command, _: &Context) -> Result<Vec<Event>, String> {
        match command {
            Command::Hold if self.held == 8 => Err("it is full".into()),
            Command::Hold => Ok(vec![Event::Held]),
            Command::Release => Ok(vec![Event::Released]),
            Command::Count => Ok(Vec::new()),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Held => self.held += 1,
            Event::Released => self.held -= 1,
        }
    }

    fn reply(&self, _: &Command) -> u32 {
        self.held
    }
}

/// A room in one hotel, then one in another, which may be full.
#[derive(Clone, Serialize, Deserialize)]
struct Trip {
    first: String,
    second: String,
}

fn book() -> Saga<Trip> {
    Saga::define("book-trip", 1)
        .step("first", |t: &Trip| Room::at(&*t.first).ask(Command::Hold))
        .undo(|_, _| Command::Release)
        .step("second", |t: &Trip| Room::at(&*t.second).ask(Command::Hold))
        .undo(|_, _| Command::Release)
        .finish()
}

struct World {
    cluster: MemoryCluster,
    store: MemoryStore,
    clock: RuntimeClock,
    ids: Arc<CountedIds>,
}

impl World {
    fn new() -> Self {
        let (store, ids) = (MemoryStore::default(), Arc::default());
        Self { cluster: MemoryCluster::new(3), store, clock: RuntimeClock::begin(), ids }
    }

    fn parts(&self, name: &str) -> Parts {
        Parts {
            log: self.cluster.member(name),
            store: Arc::new(self.store.clone()),
            clock: Arc::new(self.clock),
            ids: Arc::clone(&self.ids) as _,
        }
    }

    async fn hotel(&self, name: &str) -> Node {
        let service = Service::new("hotel").aggregate::<Room>();
        NodeBuilder::new(name).partitions(2).inbox().service(service).start(self.parts(name)).await.unwrap()
    }

    async fn trips(&self, name: &str) -> Node {
        let service = Service::new("trip").saga(&book());
        let node = NodeBuilder::new(name).partitions(2).service(service).peer("hotel");
        node.start(self.parts(name)).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn sagas_cross_processes_that_die_and_move_and_each_ends_as_it_should() {
    // Given hotels in one process, trips in another, and a client in a third
    let world = World::new();
    let b = world.hotel("b").await;
    let a = world.trips("a").await;
    let parts = world.parts("c");
    let client = Client::connect_with(parts.log, parts.clock, parts.ids, ["hotel", "trip"]).await.unwrap();
    let trips = client.sagas("trip", &book());
    let start = |n: u32| {
        let (trips, second) = (trips.clone(), if n.is_multiple_of(3) { "small" } else { "large" });
        let trip = Trip { first: format!("r{}", n % 5), second: format!("{second}{}", n % 2) };
        tokio::spawn(async move {
            let started = loop {
                match trips.start(format!("t{n}"), trip.clone()).await {
                    Answer::Accepted(receipt) => break receipt.reply,
                    Answer::Unknown { .. } | Answer::Overloaded => {}
                    other => panic!("{other:?}"),
                }
            };
            started.finished().await.unwrap().unwrap().outcome
        })
    };
    let mut running: Vec<_> = (0..10).map(start).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    // When the process of the hotels dies and comes back, and then they move to another one
    b.crash().await;
    running.extend((10..20).map(start));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let b = world.hotel("b").await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    let c = world.hotel("d").await;
    running.extend((20..30).map(start));
    tokio::time::sleep(Duration::from_millis(15)).await;
    b.crash().await;
    // And the trips move too
    let other = world.trips("e").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(a.stop(Duration::from_secs(30)).await);
    // Then each ends, and what was not booked in full was given back
    let mut completed = 0;
    for trip in running {
        completed += u32::from(trip.await.unwrap() == End::Completed);
    }
    let mut held = 0;
    for room in ["r0", "r1", "r2", "r3", "r4"] {
        held += client.execute(Room::at(room).ask(Command::Count)).await.accepted().unwrap().reply;
    }
    let mut second = 0;
    for room in ["small0", "small1", "large0", "large1"] {
        second += client.execute(Room::at(room).ask(Command::Count)).await.accepted().unwrap().reply;
    }
    assert_eq!((held, second), (completed, completed));
    assert_eq!(completed, 26, "eight fit into each");
    for node in [other, c] {
        assert_eq!(node.halted(), Vec::<String>::new());
        assert!(node.stop(Duration::from_secs(30)).await);
    }
}
