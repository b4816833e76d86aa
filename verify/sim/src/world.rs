//! A world: what all nodes share, the nodes themselves, and who keeps them running. A node is a value; its death is
//! dropping it, at whatever call of a port it stands.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use palinode::{
    Client, CountedIds, Ids, Limits, Node, NodeBuilder, Service, StartError, Topic,
    log::memory::MemoryCluster, machine::ids::WindowSize, node::Parts, projection::ReadModel,
};
use palinode_sagas::{Policy, Saga, SagaService};

use crate::{
    booking::{self, Booking},
    clock::{NodeClock, Time},
    control::{Control, Side},
    db::SimDb,
    definition::{Order, saga},
    domain::{bank, stock},
    history::History,
    participants::{Effect, Once, Participants, TIMEOUT, Uneffect},
    ports::{SimClock, SimLog, SimStore},
    post::Post,
    readers::{self, Readers},
    script::Script,
    spans::{Spans, observed},
    store::SharedStore,
};

mod notes;

/// How long a node may take to stop in order.
const STOP: Duration = Duration::from_secs(20);
/// How long a new process takes to begin.
const REBIRTH: Duration = Duration::from_millis(100);
/// The services of every world.
pub(crate) const SERVICES: [&str; 3] = ["bank", "stock", "trip"];

/// A world. Cheap to clone.
#[derive(Clone)]
pub(crate) struct World(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) script: Script,
    pub(crate) time: Time,
    pub(crate) cluster: MemoryCluster,
    pub(crate) store: SharedStore,
    pub(crate) db: SimDb,
    pub(crate) post: Post,
    pub(crate) participants: Participants,
    pub(crate) sagas: Vec<Saga<Order>>,
    pub(crate) booking: Option<Booking>,
    pub(crate) history: History,
    pub(crate) readers: Readers,
    pub(crate) ids: Arc<CountedIds>,
    pub(crate) spans: Spans,
    places: Mutex<Vec<Place>>,
    /// The clients that are in no node.
    remotes: Mutex<Vec<Client>>,
    counts: Mutex<BTreeMap<String, u64>>,
    wrong: Mutex<Vec<String>>,
    /// Shards that stopped for good; none until such a stop may be right.
    halts: Mutex<Option<Vec<String>>>,
}

/// Where a node of some name runs, when it does.
struct Place {
    clock: NodeClock,
    lives: Vec<Life>,
    wanted: bool,
    projector: bool,
    down_until: Duration,
    storm: Option<(Duration, u64, Side)>,
    incarnations: u64,
}

struct Life {
    number: u64,
    control: Control,
    client: Option<Client>,
    models: Vec<ReadModel>,
}

impl std::ops::Deref for World {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The name of a saga's kind.
pub(crate) fn kind(program: usize) -> String {
    format!("p{program}")
}

impl World {
    pub(crate) fn new(script: &Script) -> Self {
        let time = Time::begin();
        let place = |n| Place {
            clock: NodeClock::right(time),
            lives: Vec::new(),
            wanted: true,
            projector: n == 0,
            down_until: Duration::ZERO,
            storm: None,
            incarnations: 0,
        };
        let seed = script.seed;
        let sagas = script.programs.iter().enumerate().map(|(n, program)| saga(&kind(n), program)).collect();
        let participants = Participants::new(seed ^ 4);
        Self(Arc::new(Shared {
            script: script.clone(),
            time,
            cluster: MemoryCluster::new(seed ^ 1),
            store: SharedStore::new(seed ^ 2),
            db: SimDb::new(seed ^ 3),
            post: Post::default(),
            booking: Booking::new(script, &participants),
            participants,
            sagas,
            history: History::default(),
            readers: Readers::new(script.desk.mistake),
            ids: Arc::default(),
            spans: Spans::default(),
            places: Mutex::new((0..script.nodes).map(place).collect()),
            remotes: Mutex::default(),
            counts: Mutex::default(),
            wrong: Mutex::default(),
            halts: Mutex::default(),
        }))
    }

    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place<T>(&self, node: usize, with: impl FnOnce(&mut Place) -> T) -> T {
        let mut places = self.places();
        let count = places.len();
        with(&mut places[node % count])
    }

    pub(crate) fn name(node: usize) -> String {
        format!("n{node}")
    }

    /// The clients of the nodes that run, and those that are in none.
    pub(crate) fn clients(&self) -> Vec<Client> {
        let places = self.places();
        let here = places.iter().flat_map(|p| p.lives.iter().filter_map(|life| life.client.clone()));
        let remotes = self.remotes.lock().unwrap_or_else(PoisonError::into_inner);
        here.chain(remotes.iter().cloned()).collect()
    }

    /// A process that is nothing but a client.
    pub(crate) async fn remote(self, number: usize) {
        let (name, control) = (format!("c{number}"), Control::new());
        let clock = Arc::new(SimClock { clock: NodeClock::right(self.time), control: control.clone() });
        let log = Arc::new(SimLog {
            log: self.cluster.member(&name),
            control,
            time: self.time,
            post: self.post.clone(),
        });
        loop {
            let (log, clock, ids) = (Arc::clone(&log), Arc::clone(&clock), Arc::clone(&self.ids));
            match Client::connect_with(log, clock, ids, self.names()).await {
                Ok(client) => break self.remotes.lock().unwrap_or_else(PoisonError::into_inner).push(client),
                Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
    }

    /// The running versions of a projection, in all processes.
    pub(crate) fn models(&self, projection: &str) -> Vec<ReadModel> {
        let places = self.places();
        let all = places.iter().flat_map(|p| &p.lives).flat_map(|life| &life.models);
        all.filter(|model| model.name() == projection).cloned().collect()
    }

    /// These read models run in an incarnation of a node.
    pub(crate) fn set_models(&self, node: usize, number: u64, models: Vec<ReadModel>) {
        let old = self.place(node, |p| {
            let life = p.lives.iter_mut().find(|life| life.number == number);
            life.map(|life| std::mem::replace(&mut life.models, models))
        });
        drop(old);
    }

    /// Whether the read models run on this node.
    pub(crate) fn projects(&self, node: usize) -> bool {
        self.place(node, |p| p.projector)
    }

    /// The controls of all incarnations of a node.
    pub(crate) fn controls(&self, node: usize) -> Vec<Control> {
        self.place(node, |p| p.lives.iter().map(|life| life.control.clone()).collect())
    }

    pub(crate) fn clock(&self, node: usize) -> NodeClock {
        self.place(node, |p| p.clock.clone())
    }

    /// The node will not come back before this time.
    pub(crate) fn down_until(&self, node: usize, until: Duration) {
        self.place(node, |p| p.down_until = p.down_until.max(until));
    }

    pub(crate) fn storm(&self, node: usize, until: Duration, calls: u64, side: Side) {
        self.place(node, |p| p.storm = Some((until, calls, side)));
    }

    pub(crate) fn set_projector(&self, node: usize, projects: bool) {
        self.place(node, |p| p.projector = projects);
    }

    /// Only these many nodes are left; the read models run on the first.
    pub(crate) fn keep_core(&self, core: usize) {
        let mut places = self.places();
        for (n, place) in places.iter_mut().enumerate() {
            place.wanted = n < core;
            place.projector = n == 0;
            place.down_until = Duration::ZERO;
            place.storm = None;
        }
    }

    /// How many records the logs hold, and how many are on their way.
    pub(crate) fn size(&self) -> (usize, usize) {
        let shards = 0..self.script.shards;
        let places =
            self.names().into_iter().flat_map(|s| shards.clone().map(move |shard| (Topic::events(s), shard)));
        let records = places.map(|(topic, shard)| self.cluster.records(&topic, shard).len()).sum();
        (records, self.cluster.in_flight())
    }

    fn limits(&self) -> Limits {
        let script = &self.script;
        Limits {
            queue: script.queue,
            pipeline: script.pipeline,
            window: script.window,
            snapshot_commits: script.snapshot_commits,
            look: Duration::from_millis(script.look_ms),
            ids: WindowSize { most: script.ids, ..WindowSize::default() },
            ..Limits::default()
        }
    }

    fn services(&self) -> Vec<Service> {
        let policy = Policy::default().timeout(TIMEOUT);
        let mut trip = Service::new("trip")
            .perform_with::<Effect>(self.participants.clone(), policy.clone())
            .perform_with::<Uneffect>(self.participants.clone(), policy.clone())
            .perform_with::<Once>(self.participants.clone(), policy);
        for saga in &self.sagas {
            trip = trip.saga(saga);
        }
        let mut all = vec![bank(), stock()];
        if let Some(booking) = &self.booking {
            trip = booking.join(trip);
            all.extend(Booking::services());
        }
        all.push(trip);
        all
    }

    async fn start(&self, node: usize, control: &Control) -> Node {
        let clock = self.clock(node);
        let name = Self::name(node);
        let parts = Parts {
            log: Arc::new(SimLog {
                log: self.cluster.member(&name),
                control: control.clone(),
                time: self.time,
                post: self.post.clone(),
            }),
            store: Arc::new(SimStore { store: Arc::new(self.store.clone()), control: control.clone() }),
            clock: Arc::new(SimClock { clock, control: control.clone() }),
            ids: Arc::clone(&self.ids) as Arc<dyn Ids>,
        };
        loop {
            let mut builder =
                NodeBuilder::new(name.as_str()).partitions(self.script.shards).limits(self.limits()).inbox();
            for service in self.services() {
                builder = builder.service(service);
            }
            if observed(self.script.seed) {
                builder = builder.observe(Arc::new(self.spans.clone()));
            }
            match builder.start(parts.clone()).await {
                Ok(node) => return node,
                Err(StartError::Definitions(why)) => {
                    self.complain(format!("a program is no saga: {why:?}"));
                    std::future::pending::<()>().await;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
            }
        }
    }

    /// Keeps a node of this name running as long as it is wanted; a twin is not begun again.
    pub(crate) async fn keep(self, node: usize, twin: bool) {
        loop {
            let down = self.place(node, |p| p.down_until);
            self.time.reach(down).await;
            if !self.place(node, |p| p.wanted) {
                return;
            }
            let (number, control) = self.born(node);
            let started = tokio::select! {
                biased;
                () = control.died() => None,
                started = self.start(node, &control) => Some(started),
            };
            if let Some(running) = started {
                self.place(node, |p| {
                    let life = p.lives.iter_mut().find(|life| life.number == number);
                    if let Some(life) = life {
                        life.client = Some(running.client());
                    }
                });
                let in_order = tokio::select! {
                    biased;
                    () = control.died() => false,
                    () = control.asked_to_stop() => true,
                    () = self.project(node, number, &running, &control) => false,
                };
                self.place(node, |p| {
                    p.lives.iter_mut().for_each(|life| {
                        if life.number == number {
                            life.client = None;
                        }
                    })
                });
                if in_order {
                    tokio::select! {
                        biased;
                        () = control.died() => {}
                        _ = running.stop(STOP) => {}
                    }
                } else {
                    running.crash().await;
                }
            }
            self.place(node, |p| p.lives.retain(|life| life.number != number));
            self.count("deaths");
            if twin {
                return;
            }
            tokio::time::sleep(REBIRTH).await;
        }
    }

    fn born(&self, node: usize) -> (u64, Control) {
        let passed = self.time.passed();
        self.place(node, |p| {
            p.incarnations += 1;
            let number = p.incarnations;
            let control = Control::new();
            if let Some((_, calls, side)) = p.storm.filter(|(until, ..)| passed < *until) {
                control.fuse(calls + number % 7, side);
            }
            p.lives.push(Life { number, control: control.clone(), client: None, models: Vec::new() });
            (number, control)
        })
    }

    /// Runs the read models whenever this node is to; never returns.
    async fn project(&self, node: usize, number: u64, running: &Node, control: &Control) {
        let db = self.db.of_process(control.clone());
        let example = booking::project(self, node, running, &db);
        let read_models = readers::keep(self, node, number, running, db.clone());
        futures_util::future::join3(read_models, example, self.watch(node, running)).await;
    }

    /// A shard that stops for good is wrong whatever was done to it; never returns.
    async fn watch(&self, node: usize, running: &Node) {
        let mut known = 0;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let halted = running.halted();
            for halted in halted.iter().skip(known) {
                self.halted(node, halted);
            }
            known = halted.len().max(known);
        }
    }

    /// How many incarnations there are.
    pub(crate) fn alive(&self) -> usize {
        self.places().iter().map(|p| p.lives.len()).sum()
    }
}
