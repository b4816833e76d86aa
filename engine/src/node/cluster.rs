//! A node that shares its services with other processes: the log on Kafka, everything derived from it in PostgreSQL.

use std::sync::Arc;

use uuid::Uuid;

use super::{Node, NodeBuilder, Parts, StartError, definitions, patience::patiently};
use crate::{
    checkpoint::ApplyError,
    clock::{Clock, Ids, SystemClock, SystemIds},
    commit::Genesis,
    log::{
        Created, Log,
        kafka::{KafkaLog, KafkaSettings},
    },
    owner::Limits,
    service::Service,
    store::{
        observed,
        postgres::{PgDb, PgSettings, PgStore},
    },
    telemetry::Observe,
    trace::names::value,
};

/// A node on Kafka and PostgreSQL to be.
#[must_use = "a node does nothing until it is started"]
pub struct KafkaBuilder {
    kafka: KafkaSettings,
    postgres: PgSettings,
    node: NodeBuilder,
}

impl Node {
    /// A node whose log is on Kafka and whose snapshots and read models are in PostgreSQL. Any number of processes may run
    /// the same services: they share the shards among themselves, and a shard whose owner dies goes to another.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use palinode::{Node, Service, log::kafka::KafkaSettings, store::postgres::PgSettings};
    /// let kafka = KafkaSettings::new("127.0.0.1:9092");
    /// let postgres = PgSettings::url("postgres://palinode@127.0.0.1/palinode")?;
    /// let bank = || Node::kafka(kafka.clone(), postgres.clone()).service(Service::new("bank"));
    ///
    /// bank().create(32).await?;            // once, by whoever sets it up
    /// let node = bank().start().await?;    // in every process
    /// # Ok(()) }
    /// ```
    pub fn kafka(kafka: KafkaSettings, postgres: PgSettings) -> KafkaBuilder {
        let node = NodeBuilder::new(format!("pid {}", std::process::id()))
            .inbox()
            .existing()
            .carried_by(value::KAFKA);
        KafkaBuilder { kafka, postgres, node }
    }

    /// The node's own database, for queries and for [`Node::project_into`].
    ///
    /// # Errors
    /// On a node that was not made by [`Node::kafka`].
    pub fn postgres(&self) -> Result<&PgDb, ApplyError> {
        let none = || ApplyError::broken("this node has no PostgreSQL of its own: use project_into");
        self.database.as_ref().ok_or_else(none)
    }
}

impl NodeBuilder {
    /// Its log is carried by this system.
    fn carried_by(mut self, carrier: &'static str) -> Self {
        self.carrier = carrier;
        self.telemetry = self.telemetry.carried_by(carrier);
        self
    }
}

impl KafkaBuilder {
    /// Names the process, for people: in its claims and in the sessions of the database.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.node.name = name.into();
        self
    }

    /// Adds a service that this process runs.
    pub fn service(mut self, service: Service) -> Self {
        self.node = self.node.service(service);
        self
    }

    /// Names a service that other processes run and that this one sends to.
    pub fn peer(mut self, service: impl Into<Arc<str>>) -> Self {
        self.node = self.node.peer(service);
        self
    }

    /// Works within these limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.node = self.node.limits(limits);
        self
    }

    /// Tells this observer what happens: spans that have ended, and what metrics are counted from.
    pub fn observe(mut self, observer: Arc<dyn Observe>) -> Self {
        self.node = self.node.observe(observer);
        self
    }

    /// Creates the topics of its services, each with so many shards for ever, and their genesis; a service that is there
    /// stays as it is. To be done once, by whoever may create topics: a node that starts creates nothing.
    ///
    /// # Errors
    /// What Kafka refuses, topics that are not fit for a log, or a service with another number of shards.
    pub async fn create(self, shards: u32) -> Result<Vec<Genesis>, StartError> {
        let clock = Arc::new(SystemClock);
        let log = KafkaLog::creating(self.kafka, Arc::clone(&clock) as _).await.map_err(StartError::Log)?;
        let mut all = Vec::new();
        for service in &self.node.services {
            match log.create(&service.name, shards, SystemIds.fresh(clock.now())).await {
                Created::Ready { genesis, .. } => all.push(genesis),
                Created::Refused(error) | Created::Unknown(error) => return Err(StartError::Log(error)),
            }
        }
        Ok(all)
    }

    /// Connects to both and starts the node.
    ///
    /// # Errors
    /// Everything wrong with the definitions; a service that was not created, or whose topics are not fit any more; a
    /// server that does not answer; a database built from another log. Each says what to do.
    pub async fn start(self) -> Result<Node, StartError> {
        let Self { kafka, postgres, node } = self;
        let problems = definitions::problems(&node.services, Some(&node.peers));
        if !problems.is_empty() {
            return Err(StartError::Definitions(problems));
        }
        let database = |e: ApplyError| StartError::Database(e.what);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let log = KafkaLog::connect(kafka, Arc::clone(&clock)).await.map_err(StartError::Log)?;
        let db = PgDb::connect(postgres.name(&node.name)).await.map_err(database)?;
        let store = observed(PgStore::new(db.clone()), value::POSTGRESQL, &clock, &node.telemetry);
        let parts = Parts { log: Arc::new(log), store, clock, ids: Arc::new(SystemIds) };
        for (service, place) in &node.create(&parts).await?.1 {
            let look = || db.foreign(service, place.log_id);
            let foreign = patiently(&*parts.clock, service, look).await.map_err(database)?;
            if let Some(other) = foreign {
                return Err(StartError::Database(another_log(&db, service, place.log_id, other).into()));
            }
        }
        let mut node = node.start(parts).await?;
        node.database = Some(db);
        Ok(node)
    }
}

fn another_log(db: &PgDb, service: &str, log_id: Uuid, other: Uuid) -> String {
    let place = db.place();
    format!(
        "{place} belongs to log {other} of service {service:?}, and the log on Kafka is {log_id}: bring back the log it \
         was built from, or use another database or schema; everything in it is built again from the log"
    )
}
