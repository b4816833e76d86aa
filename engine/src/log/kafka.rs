//! The log on Kafka (4.0 or newer): a topic for each stream of a service, a partition for each shard. What is
//! acknowledged is on every replica that is in sync, in their memory at least; `docs/kafka.md` says what that promises.
//!
//! | room | what |
//! |---|---|
//! | `settings` | what an operator says; every client's configuration |
//! | `topics`, `genesis` | creating a service, and refusing topics that would lose or reorder records |
//! | `producer` | appending, through a pool of idempotent producers |
//! | `reader` | reading, with a few consumers for all partitions |
//! | `group` | who is suggested to own which shard |
//!
//! Transactions are not used: one commit is one record, and the fence is in the log. A service is looked at when it is
//! first used (`service`), again every hour, and soon when something makes its topics doubtful (`watch`); one that is not
//! fit any more refuses everything (L10). The hour passes on the engine's clock. What waits for a broker waits in its own
//! time, tokio's: an answer, a leader, a thread of the driver; a test that moves a clock must not end such a wait.

mod context;
mod error;
mod genesis;
mod group;
mod lane;
mod producer;
mod reader;
mod row;
mod settings;
mod topics;
mod watch;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::{sync::Mutex, task::JoinSet, time::sleep};
use uuid::Uuid;

pub use self::settings::{GroupProtocol, KafkaSettings, TopicSettings};
use self::{
    genesis::{First, NotWritten},
    group::Member,
    lane::{Known, Lane, Served},
    producer::Pool,
    reader::Reader,
    topics::{Admin, Topics, unfit},
};
use crate::{
    address::{Stream, Topic, check_name},
    clock::Clock,
    codec,
    commit::{FORMAT, Genesis},
    log::{Append, Created, Log, LogError, Membership, Stored},
    record::Record,
};

/// The version of the driver's crate; it does not tell itself.
const CRATE: &str = "0.39";
/// How often new topics are looked at until every partition has a leader, and how many times.
const LEADERS: (Duration, u32) = (Duration::from_millis(50), 300);

/// The log on a Kafka cluster.
///
/// ```no_run
/// use std::sync::Arc;
/// use palinode::{SystemClock, log::kafka::{KafkaLog, KafkaSettings}};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let settings = KafkaSettings::new("localhost:9092");
/// let log = KafkaLog::connect(settings, Arc::new(SystemClock)).await?;
/// # Ok(()) }
/// ```
pub struct KafkaLog {
    shared: Arc<Shared>,
}

struct Shared {
    settings: KafkaSettings,
    clock: Arc<dyn Clock>,
    creates: bool,
    known: Known,
    /// One service at a time is looked at or created.
    opening: Mutex<()>,
    reader: Reader,
    pool: Pool,
    /// Those who look at known services again.
    watches: Mutex<JoinSet<()>>,
    me: Weak<Self>,
}

impl KafkaLog {
    /// Connects. Services are used as they are: [`create`](Log::create) answers with what is there and refuses a service
    /// that is not, or whose creation was not finished.
    ///
    /// # Errors
    /// Settings that cannot be used, or a cluster that does not answer or refuses this user.
    pub async fn connect(settings: KafkaSettings, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        Self::start(settings, clock, false).await
    }

    /// Connects, and creates services that are not there: topics and genesis. Meant for the one explicit act that creates
    /// them, and for tests.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn creating(settings: KafkaSettings, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        Self::start(settings, clock, true).await
    }

    async fn start(settings: KafkaSettings, clock: Arc<dyn Clock>, creates: bool) -> Result<Self, LogError> {
        settings.check()?;
        let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
        tracing::info!(rdkafka = CRATE, librdkafka, ?settings, "connecting to Kafka");
        let brokers = topics::answers(&settings).await?;
        let (reader, pool) = (Reader::start(&settings)?, Pool::start(&settings, brokers)?);
        let shared = Arc::new_cyclic(|me| Shared {
            creates,
            known: Known::default(),
            opening: Mutex::default(),
            reader,
            pool,
            clock,
            settings,
            watches: Mutex::default(),
            me: Weak::clone(me),
        });
        Ok(Self { shared })
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn settings(&self) -> &KafkaSettings {
        &self.shared.settings
    }
}

impl Shared {
    /// A service that is fit to be used, looked at when it is not known yet.
    async fn service(&self, service: &str) -> Result<Arc<Served>, LogError> {
        if let Some(known) = self.known.get(service) {
            return Ok(known);
        }
        check_name("service", service).map_err(|bad| LogError::stop(bad.to_string()))?;
        let _alone = self.opening.lock().await;
        match self.known.get(service) {
            Some(known) => Ok(known),
            None => Ok(self.keep(self.look(service, None).await?).await),
        }
    }

    /// Makes a service known, and has it looked at again.
    async fn keep(&self, served: Served) -> Arc<Served> {
        let (served, new) = self.known.add(served);
        if new {
            let watch = watch::watch(Weak::clone(&self.me), Arc::downgrade(&served));
            self.watches.lock().await.spawn(watch);
        }
        served
    }

    async fn lane(&self, topic: &Topic, partition: u32) -> Result<Arc<Lane>, LogError> {
        let place = || format!("{}/{partition}", self.settings.named(topic));
        let served = self.service(&topic.service).await;
        let served = served.map_err(|e| LogError { what: format!("{}: {e}", place()).into(), ..e })?;
        served.lane(topic.stream, partition)?.ok_or_else(|| no_partition(&place()))
    }

    /// Looks at a service that must be there.
    async fn look(&self, service: &str, expected: Option<&Genesis>) -> Result<Served, LogError> {
        let topics = Admin::new(&self.settings)?.look(service).await?;
        let run_create = |what: &str| {
            LogError::stop(format!(
                "service {service:?}{what} on {}: create it first",
                self.settings.bootstrap
            ))
        };
        if !topics.are_there() {
            return Err(run_create(" is not there"));
        }
        if let Some(expected) = expected {
            fit(&topics, Some(expected.partitions))?;
        }
        let served = self.seen(service, &topics, None)?;
        let genesis = match genesis::first(&self.reader, &served).await? {
            First::Everywhere(genesis) => genesis,
            First::Nothing => return Err(run_create(" has topics, but no genesis")),
            First::Partly(genesis) => {
                self.is_the_log(service, &topics, &genesis)?;
                return Err(run_create(" was not created to the end"));
            }
        };
        self.is_the_log(service, &topics, &genesis)?;
        match expected.filter(|expected| **expected != genesis) {
            Some(expected) => Err(LogError::stop(format!(
                "service {service:?}: its topics hold log {}, this process works with log {}: they were replaced",
                genesis.log_id, expected.log_id
            ))),
            None => Ok(Served::new(&self.settings, genesis)),
        }
    }

    /// The service as its topics show it, before its genesis is read; refused when they are not fit.
    fn seen(&self, service: &str, topics: &Topics, log_id: Option<Uuid>) -> Result<Served, LogError> {
        fit(topics, None)?;
        let partitions = topics.0.get(&Stream::Events).map_or(0, |found| found.partitions);
        let log_id = log_id.unwrap_or(Uuid::nil());
        let genesis = Genesis { log_id, service: service.into(), partitions, format: FORMAT };
        Ok(Served::new(&self.settings, genesis))
    }

    /// Whether this genesis is this service's, and its topics are as it says.
    fn is_the_log(&self, service: &str, topics: &Topics, genesis: &Genesis) -> Result<(), LogError> {
        if *genesis.service != *service {
            return Err(LogError::stop(format!(
                "{} holds the log of service {:?}: use another prefix",
                self.settings.named(Topic::events(service)),
                genesis.service
            )));
        }
        fit(topics, Some(genesis.partitions))
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Result<Created, LogError> {
        check_name("service", service).map_err(|bad| LogError::stop(bad.to_string()))?;
        if !(1..=1_024).contains(&partitions) {
            return Err(LogError::stop(format!(
                "service {service:?}: {partitions} partitions: use 1 to 1024"
            )));
        }
        let _alone = self.opening.lock().await;
        let topics = self.topics(service, partitions).await?;
        let there = topics.0.get(&Stream::Events).map_or(0, |found| found.partitions);
        if self.creates && there != partitions {
            return Err(other_number(service, there, partitions));
        }
        let served = self.seen(service, &topics, Some(log_id))?;
        match genesis::first(&self.reader, &served).await? {
            First::Everywhere(genesis) => {
                self.is_the_log(service, &topics, &genesis)?;
                if genesis.partitions != partitions {
                    return Err(other_number(service, genesis.partitions, partitions));
                }
                self.keep(Served::new(&self.settings, genesis.clone())).await;
                Ok(Created::Ready { genesis, fresh: false })
            }
            _ if !self.creates => Err(LogError::stop(format!(
                "service {service:?} has topics, but its genesis is missing: create it first"
            ))),
            first => self.begin(served, first).await,
        }
    }

    /// The topics of a service, made when they are missing and this log creates.
    async fn topics(&self, service: &str, partitions: u32) -> Result<Topics, LogError> {
        let admin = Admin::new(&self.settings)?;
        let mut topics = admin.look(service).await?;
        if !topics.are_there() {
            if !self.creates {
                let at = &self.settings.bootstrap;
                return Err(LogError::stop(format!("service {service:?} is not on {at}: create it first")));
            }
            admin.create(service, partitions).await?;
        }
        for _ in 0..LEADERS.1 {
            if topics.are_ready() {
                return Ok(topics);
            }
            sleep(LEADERS.0).await;
            topics = admin.look(service).await?;
        }
        Err(LogError::retry(format!("service {service:?}: some partitions have no leader: try again later")))
    }

    /// Writes genesis where it is missing.
    async fn begin(&self, served: Served, first: First) -> Result<Created, LogError> {
        let record = |genesis: &Genesis| {
            let made = codec::genesis_record(genesis, self.clock.now());
            made.map_err(|e| LogError::stop(format!("genesis cannot be written: {e}")))
        };
        let ours = served.genesis.clone();
        let genesis = match first {
            First::Partly(genesis) | First::Everywhere(genesis) => genesis,
            First::Nothing => genesis::elect(&self.pool, &self.reader, &served, record(&ours)?).await?,
        };
        if genesis.service != ours.service || genesis.partitions != ours.partitions {
            return Err(LogError::stop(format!(
                "service {:?}: somebody creates it with {} partitions now: ask again",
                ours.service, genesis.partitions
            )));
        }
        let written = genesis::write(&self.pool, &self.reader, &served, &genesis, &record(&genesis)?).await;
        Ok(match written {
            Ok(()) => {
                let fresh = genesis.log_id == ours.log_id;
                self.keep(Served::new(&self.settings, genesis.clone())).await;
                Created::Ready { genesis, fresh }
            }
            Err(NotWritten::Refused(error)) => Created::Refused(error),
            Err(NotWritten::Unknown(error)) => Created::Unknown(error),
        })
    }
}

/// Everything that is wrong with topics, in one sentence each.
fn fit(topics: &Topics, partitions: Option<u32>) -> Result<(), LogError> {
    let faults: Vec<String> = unfit(topics, partitions).iter().map(ToString::to_string).collect();
    if faults.is_empty() { Ok(()) } else { Err(LogError::stop(faults.join("; "))) }
}

fn no_partition(place: &str) -> LogError {
    LogError::stop(format!("there is no {place}: create the service first, and use a partition it has"))
}

fn other_number(service: &str, there: u32, asked: u32) -> LogError {
    LogError::stop(format!(
        "service {service:?} has {there} partitions for ever, {asked} were asked for: ask for {there}"
    ))
}

#[async_trait]
impl Log for KafkaLog {
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append> {
        let shared = &self.shared;
        let known = shared.known.get(&topic.service);
        let lane = known.map_or(Ok(None), |served| served.lane(topic.stream, partition));
        match lane {
            Ok(Some(lane)) => shared.pool.append(&lane, records),
            Ok(None) => {
                let place = format!("{}/{partition}", shared.settings.named(topic));
                Box::pin(std::future::ready(Append::Refused(no_partition(&place))))
            }
            Err(ended) => Box::pin(std::future::ready(Append::Refused(ended))),
        }
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        let lane = self.shared.lane(topic, partition).await?;
        self.shared.reader.read(&lane, from, limit).await
    }

    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError> {
        let lane = self.shared.lane(topic, partition).await?;
        self.shared.reader.end(&lane).await
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        self.shared.create(service, partitions, log_id).await.unwrap_or_else(Created::Refused)
    }

    async fn join(&self, service: &str) -> Result<Box<dyn Membership>, LogError> {
        let served = self.shared.service(service).await?;
        served.lane(Stream::Inbox, 0)?;
        Ok(Box::new(Member::join(&self.shared.settings, &served)?))
    }
}
