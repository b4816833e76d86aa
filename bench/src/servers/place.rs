//! A place on both servers that nobody else uses: topics of its own, and a schema. Made for one measurement and removed
//! after it.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use palinode::{
    Clock as _, Ids as _, Node, Record, SystemClock, SystemIds,
    health::Stage,
    log::kafka::{KafkaLog, KafkaSettings, TopicSettings},
    node::KafkaBuilder,
    store::postgres::PgSettings,
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use super::work::Work;
use crate::{host, limit, setting::Setting};

/// How long processes may take until they share all shards.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place. Processes that take part are told it.
#[derive(Serialize, Deserialize)]
pub(super) struct Place {
    name: String,
    work: Work,
    shards: u32,
    producers: Option<usize>,
}

impl Place {
    /// A new one, with services of so many shards.
    pub(super) async fn create(work: Work, shards: u32, setting: &Setting) -> anyhow::Result<Self> {
        let name = format!("b{}", SystemIds.fresh(SystemClock.now()).simple());
        let place = Self { name, work, shards, producers: setting.producers };
        place.node()?.create(shards).await?;
        Ok(place)
    }

    /// What is done here.
    pub(super) fn work(&self) -> Work {
        self.work
    }

    /// Shards of each service.
    pub(super) fn shards(&self) -> u32 {
        self.shards
    }

    /// How Kafka is used here.
    pub(super) fn kafka(&self) -> anyhow::Result<KafkaSettings> {
        let mut kafka = KafkaSettings::new(address("PALINODE_KAFKA")?);
        kafka.producers = self.producers;
        kafka.prefix = format!("{}.", self.name);
        kafka.topics = TopicSettings { replication: 1, min_in_sync: 1, ..TopicSettings::default() };
        Ok(kafka)
    }

    /// A node of the services here.
    pub(super) fn node(&self) -> anyhow::Result<KafkaBuilder> {
        let postgres = PgSettings::url(&address("PALINODE_POSTGRES")?)?.schema(&self.name);
        let node = Node::kafka(self.kafka()?, postgres);
        Ok(self.work.services().into_iter().fold(node, KafkaBuilder::service))
    }

    /// The only process: a node that serves every shard.
    pub(super) async fn start(&self) -> anyhow::Result<Node> {
        let node = self.node()?.start().await?;
        let all = || node.health().iter().all(|shard| shard.stage == Stage::Serving);
        until("the node serves every shard", async || Ok(all())).await?;
        Ok(node)
    }

    /// The log, beside the nodes.
    pub(super) async fn log(&self) -> anyhow::Result<Arc<KafkaLog>> {
        Ok(Arc::new(KafkaLog::connect(self.kafka()?, Arc::new(SystemClock)).await?))
    }

    /// The records of one unit of the work, and the services whose logs they are of.
    pub(super) async fn sample(&self) -> anyhow::Result<Vec<(&'static str, Record)>> {
        let (log, mut found) = (self.log().await?, Vec::new());
        for &(service, commits) in self.work.commits() {
            let records = limit::records(&*log, service, commits).await?;
            found.extend(records.into_iter().map(|record| (service, record)));
        }
        Ok(found)
    }

    /// Somebody's own connection, whose tables are in the schema.
    pub(super) async fn connection(&self) -> anyhow::Result<PgConnection> {
        let options: PgConnectOptions = address("PALINODE_POSTGRES")?.parse()?;
        Ok(options.options([("search_path", &self.name)]).connect().await?)
    }

    /// Removes everything that was written here.
    pub(super) async fn remove(self) -> anyhow::Result<()> {
        let (kafka, mut admin) = (self.kafka()?, ClientConfig::new());
        admin.set("bootstrap.servers", &kafka.bootstrap);
        let admin: AdminClient<DefaultClientContext> = admin.create()?;
        let streams = ["events", "inbox", "replies"];
        let of = |service: &str| streams.map(|stream| format!("{}{service}.{stream}", kafka.prefix));
        let topics: Vec<String> = self.work.commits().iter().flat_map(|(service, _)| of(service)).collect();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for removed in admin.delete_topics(&topics, &options).await? {
            removed.map_err(|(topic, code)| anyhow::anyhow!("{topic} cannot be removed: {code}"))?;
        }
        let mut server = self.connection().await?;
        let drop = format!("drop schema {} cascade", self.name);
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut server).await?;
        Ok(server.close().await?)
    }
}

/// Where a server is.
fn address(variable: &str) -> anyhow::Result<String> {
    let missing = || format!("{variable} is not set: `cargo xtask bench --kafka` starts both servers");
    std::env::var(variable).with_context(missing)
}

/// Waits until this is so.
pub(super) async fn until(
    what: &str,
    mut so: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let begun = host::now();
    while !so().await? {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
