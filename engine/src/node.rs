//! A node is a value: started with ports and services, stopped in order, or dropped, which is a crash. It supervises one
//! owner a shard and is the gate for its clients.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{
    activity::Performers,
    client::{self, Client},
    clock::{Clock, Ids},
    commit::{Genesis, Peer},
    health::{ShardHealth, Stage},
    log::{Created, Log, LogError},
    machine::Directory,
    owner::{Counts, Limits, Ports},
    relay::Router,
    remote::line::Lines,
    service::Service,
    snapshots::SnapshotStore,
    tail::Tail,
    telemetry::{Observe, Telemetry},
    trace::names::value,
};

mod activities;
#[cfg(all(feature = "kafka", feature = "postgres"))]
mod cluster;
mod definitions;
mod doors;
#[cfg(feature = "sqlite")]
mod embedded;
mod levels;
mod patience;
mod projections;
mod reader;
mod shard;
mod supervise;

#[cfg(all(feature = "kafka", feature = "postgres"))]
pub use cluster::KafkaBuilder;
#[cfg(feature = "sqlite")]
pub use embedded::EmbeddedBuilder;

pub use activities::ActivityTraffic;
use doors::Doors;
use levels::Board;

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Mistakes in the definitions, all of them.
    #[error("the services cannot be started:\n  {}", .0.join("\n  "))]
    Definitions(Vec<String>),
    /// The log cannot be opened or created.
    #[error("the log cannot be used: {0}")]
    Log(LogError),
    /// The embedded folder cannot be used.
    #[error("{0}")]
    Folder(String),
    /// The database of everything derived cannot be used.
    #[error("the database cannot be used: {0}")]
    Database(Arc<str>),
}

/// Everything a node works through.
#[derive(Clone)]
pub struct Parts {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The snapshot store.
    pub store: Arc<dyn SnapshotStore>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
}

/// A node to be: services and limits, before anything is opened.
#[must_use = "a node does nothing until it is started"]
pub struct NodeBuilder {
    name: Arc<str>,
    services: Vec<Service>,
    limits: Limits,
    partitions: u32,
    inbox: bool,
    peers: Vec<Arc<str>>,
    existing: bool,
    telemetry: Telemetry,
    carrier: &'static str,
}

/// A running node.
pub struct Node {
    client: Client,
    counts: Arc<Counts>,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
    services: BTreeMap<Arc<str>, Place>,
    directory: Arc<Directory>,
    clock: Arc<dyn Clock>,
    log: Arc<dyn Log>,
    name: Arc<str>,
    telemetry: Telemetry,
    board: Arc<Board>,
    /// Tells clients that outlive the node that nobody answers any more.
    _gone: DropGuard,
    #[cfg(feature = "sqlite")]
    embedded: Option<embedded::Files>,
    #[cfg(all(feature = "kafka", feature = "postgres"))]
    database: Option<crate::store::postgres::PgDb>,
}

/// Service, name and version of a projection: one each.
type Follows = (Arc<str>, &'static str, u32);

/// A service of a running node: what a projection of it needs to know.
#[derive(Clone)]
pub struct Place {
    /// The identity of its log.
    pub log_id: Uuid,
    /// How many shards it has.
    pub partitions: u32,
    /// How far its shards are effective.
    pub tail: Tail,
    performers: Performers,
}

impl NodeBuilder {
    /// A node of this name (for people: it stands in its claims), without services.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            services: Vec::new(),
            limits: Limits::default(),
            partitions: 4,
            inbox: false,
            peers: Vec::new(),
            existing: false,
            telemetry: Telemetry::default(),
            carrier: value::PALINODE,
        }
    }

    /// Adds a service.
    pub fn service(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Works within these limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many shards a service gets that is created by this start (4 when not said); a service that exists keeps its
    /// number.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions.max(1);
        self
    }

    /// Shares the work with other processes: the inboxes of its services are read, and a message for a shard that this
    /// process does not own goes through the inbox to whichever does.
    pub fn inbox(mut self) -> Self {
        self.inbox = true;
        self
    }

    /// Names a service that other processes run and that this one sends to: its entities are asked through its inbox.
    /// Its log must have been created. Implies [`NodeBuilder::inbox`].
    pub fn peer(mut self, service: impl Into<Arc<str>>) -> Self {
        self.peers.push(service.into());
        self.inbox()
    }

    /// Tells this observer what happens: spans that have ended, and what metrics are counted from.
    pub fn observe(mut self, observer: Arc<dyn Observe>) -> Self {
        self.telemetry = Telemetry::to(observer).carried_by(self.carrier);
        self
    }

    /// Creates nothing: the logs of its services must be there, and have as many shards as they have.
    pub fn existing(mut self) -> Self {
        self.existing = true;
        self
    }

    /// Creates the logs that are not there, and starts to own what is suggested.
    ///
    /// # Errors
    /// Everything wrong with the definitions, together; or what the log refuses.
    pub async fn start(self, parts: Parts) -> Result<Node, StartError> {
        let problems = definitions::problems(&self.services, Some(&self.peers));
        if !problems.is_empty() {
            return Err(StartError::Definitions(problems));
        }
        let (directory, services) = self.create(&parts).await?;
        let (log, clock, telemetry) =
            (Arc::clone(&parts.log), Arc::clone(&parts.clock), self.telemetry.clone());
        let router = Arc::new(Router::new(log, clock, telemetry));
        let counts = Arc::new(Counts::default());
        let shards = services.iter().flat_map(|(name, place)| {
            let peer = |shard| Peer { service: Arc::clone(name), log_id: place.log_id, shard };
            (0..place.partitions).map(peer)
        });
        let board = Arc::new(Board::new(shards));
        let watched: Weak<Board> = Arc::downgrade(&board);
        self.telemetry.levels(watched);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for service in self.services {
            let Some(place) = services.get(&service.name) else { continue };
            let membership = parts.log.join(&service.name).await.map_err(StartError::Log)?;
            let ports = Ports {
                log: Arc::clone(&parts.log),
                store: Arc::clone(&parts.store),
                clock: Arc::clone(&parts.clock),
                ids: Arc::clone(&parts.ids),
                router: Arc::clone(&router),
                tail: place.tail.clone(),
                counts: Arc::clone(&counts),
                telemetry: self.telemetry.clone(),
            };
            let member = supervise::Member {
                service,
                log_id: place.log_id,
                node: Arc::clone(&self.name),
                directory: Arc::clone(&directory),
                ports,
                limits: self.limits,
                inbox: self.inbox,
                board: Arc::clone(&board),
                stop: stop.clone(),
            };
            tasks.spawn(member.run(membership));
        }
        let clock = Arc::clone(&parts.clock);
        let gone = CancellationToken::new();
        let lines = self.inbox.then(|| {
            let (log, ids) = (Arc::clone(&parts.log), Arc::clone(&parts.ids));
            Lines::new(log, Arc::clone(&clock), ids, Arc::clone(&directory), gone.clone())
        });
        let gate = Doors {
            directory: Arc::clone(&directory),
            router,
            clock: Arc::clone(&clock),
            gone: gone.clone(),
            lines,
        };
        let client = Client::new(Arc::new(gate), parts.clock, parts.ids).telling(self.telemetry.clone());
        Ok(Node {
            client,
            counts,
            stop,
            tasks: Mutex::new(tasks),
            services,
            directory,
            clock,
            log: parts.log,
            name: self.name,
            telemetry: self.telemetry,
            board,
            _gone: gone.drop_guard(),
            #[cfg(feature = "sqlite")]
            embedded: None,
            #[cfg(all(feature = "kafka", feature = "postgres"))]
            database: None,
        })
    }

    async fn create(&self, parts: &Parts) -> Result<(Arc<Directory>, BTreeMap<Arc<str>, Place>), StartError> {
        let mut directory = Directory::default();
        let mut services = BTreeMap::new();
        for service in &self.services {
            let genesis = self.genesis(parts, &service.name).await.map_err(StartError::Log)?;
            directory.add(Arc::clone(&service.name), genesis.log_id, genesis.partitions);
            let place = Place {
                log_id: genesis.log_id,
                partitions: genesis.partitions,
                tail: if self.inbox {
                    Tail::shared(genesis.partitions)
                } else {
                    Tail::new(genesis.partitions)
                },
                performers: service.performers.clone(),
            };
            services.insert(Arc::clone(&service.name), place);
        }
        for peer in &self.peers {
            let genesis = client::genesis(&*parts.log, &*parts.clock, peer).await.map_err(StartError::Log)?;
            directory.add(Arc::clone(peer), genesis.log_id, genesis.partitions);
        }
        Ok((Arc::new(directory), services))
    }

    /// What the log of one of its services begins with.
    async fn genesis(&self, parts: &Parts, service: &str) -> Result<Genesis, LogError> {
        if self.existing {
            return client::genesis(&*parts.log, &*parts.clock, service).await;
        }
        let log_id = parts.ids.fresh(parts.clock.now());
        match parts.log.create(service, self.partitions, log_id).await {
            Created::Ready { genesis, .. } => Ok(genesis),
            Created::Refused(error) | Created::Unknown(error) => Err(error),
        }
    }
}

impl Node {
    /// A client of this node. Cheap to clone.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// A service it runs.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Place> {
        self.services.get(name)
    }

    /// The shards that had to stop, each with the reason: empty on a healthy node.
    #[must_use]
    pub fn halted(&self) -> Vec<String> {
        let why = |shard: ShardHealth| match shard.stage {
            Stage::Stopped { why } => Some(why.to_string()),
            _ => None,
        };
        self.health().into_iter().filter_map(why).collect()
    }

    /// What every shard of its services is doing here. It takes commands for all of them when all are
    /// [`Stage::Serving`].
    #[must_use]
    pub fn health(&self) -> Vec<ShardHealth> {
        self.board.health.shards()
    }

    /// Ends as a crash would, only that it returns when everything is gone: nothing is finished, nothing is closed.
    pub async fn crash(self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        #[cfg(feature = "sqlite")]
        if let Some(files) = &self.embedded {
            files.abandon().await;
        }
    }

    /// Stops in order: what is in flight is finished, snapshots are stored. Waits at most `within` for that; what has
    /// not ended by then is dropped, as in a crash, and nothing is lost. True when everything ended in order.
    pub async fn stop(self, within: Duration) -> bool {
        self.stop.cancel();
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let deadline = self.clock.pass(within);
        tokio::pin!(deadline);
        let orderly = loop {
            tokio::select! {
                biased;
                ended = tasks.join_next() => if ended.is_none() { break true },
                () = &mut deadline => break false,
            }
        };
        drop(tasks);
        let read_models = std::mem::take(&mut *self.board.read_models());
        for read_model in read_models.into_values() {
            read_model.stop().await;
        }
        #[cfg(feature = "sqlite")]
        if let Some(files) = &self.embedded {
            files.close().await;
        }
        #[cfg(all(feature = "kafka", feature = "postgres"))]
        if let Some(db) = &self.database {
            db.close().await;
        }
        orderly
    }
}
