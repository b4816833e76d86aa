//! A place of its own for one disaster: topics with a prefix that nobody else has, and a database. What a process needs to
//! come there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use palinode::{
    Client, Clock as _, Ids as _, Node, SystemClock, SystemIds,
    log::kafka::{KafkaLog, KafkaSettings, TopicSettings},
    store::postgres::{PgDb, PgSettings},
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::Instant;

use crate::{
    domain::{self, SERVICES, SHARDS},
    scene::PATIENCE,
    servers::Servers,
};

/// After how long without a sign of life a process loses its shards: the floor of our broker.
pub(crate) const SESSION: Duration = Duration::from_secs(3);

/// How often it is tried to be alone with a database.
const ALONE: u32 = 50;

/// Topics and a database.
pub(crate) struct Place {
    pub(crate) kafka: String,
    pub(crate) prefix: String,
    server: PgConnectOptions,
    pub(crate) database: String,
}

/// How the log is reached.
pub(crate) fn kafka(bootstrap: &str, prefix: &str) -> KafkaSettings {
    let mut settings = KafkaSettings::new(bootstrap);
    settings.prefix = prefix.to_owned();
    settings.session = SESSION;
    settings.producers = Some(2);
    settings.topics = TopicSettings { replication: 1, min_in_sync: 1, ..TopicSettings::default() };
    settings
}

impl Place {
    /// Makes one.
    ///
    /// # Errors
    /// What a server refuses.
    pub(crate) async fn make(servers: &Servers) -> anyhow::Result<Self> {
        let id = SystemIds.fresh(SystemClock.now()).simple().to_string();
        let server: PgConnectOptions = servers.postgres()?.parse()?;
        let place = Self {
            kafka: servers.kafka()?,
            prefix: format!("c{id}-"),
            server: server.disable_statement_logging(),
            database: format!("chaos_{id}"),
        };
        place.admin(&[format!("create database {}", place.database)]).await?;
        let postgres = PgSettings::url(&place.url())?;
        let until = Instant::now() + PATIENCE;
        loop {
            let setup = Node::kafka(kafka(&place.kafka, &place.prefix), postgres.clone());
            match setup.service(domain::left()).service(domain::right()).create(SHARDS).await {
                Ok(_) => break,
                // A broker that has just begun may take its time; what is half created is finished by the next try.
                Err(e) => ensure!(Instant::now() < until, "the topics cannot be created: {e}"),
            }
        }
        // The tables are there before the first disaster.
        PgDb::connect(postgres).await?.close().await;
        Ok(place)
    }

    /// The URL of its database.
    pub(crate) fn url(&self) -> String {
        let (user, port) = (self.server.get_username(), self.server.get_port());
        format!("postgres://{user}@127.0.0.1:{port}/{}", self.database)
    }

    /// Runs statements one after another in the server's own database.
    pub(crate) async fn admin(&self, statements: &[String]) -> anyhow::Result<()> {
        let mut conn = self.server.connect().await.context("PostgreSQL")?;
        for sql in statements {
            sqlx::raw_sql(AssertSqlSafe(sql.as_str()))
                .execute(&mut conn)
                .await
                .with_context(|| sql.clone())?;
        }
        Ok(conn.close().await?)
    }

    /// A connection to its database.
    pub(crate) async fn connect(&self) -> anyhow::Result<PgConnection> {
        self.server.clone().database(&self.database).connect().await.context("PostgreSQL")
    }

    /// A client that owns nothing.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let settings = kafka(&self.kafka, &self.prefix);
        let log = KafkaLog::connect(settings, Arc::new(SystemClock)).await?;
        Ok(Client::connect(Arc::new(log), SERVICES).await?.with_patience(Duration::from_secs(15)))
    }

    /// Ends all sessions of its database but this one: how many.
    pub(crate) async fn terminate(&self) -> anyhow::Result<i64> {
        let mut conn = self.server.connect().await.context("PostgreSQL")?;
        let sql = "select count(pg_terminate_backend(pid, 2000)) from pg_stat_activity where datname = $1";
        let ended = sqlx::query_scalar(sql).bind(&self.database).fetch_one(&mut conn).await?;
        conn.close().await?;
        Ok(ended)
    }

    /// Keeps a copy of the database as it is now.
    pub(crate) async fn copy(&self) -> anyhow::Result<()> {
        let name = &self.database;
        self.alone(&format!("create database {name}_old template {name}")).await?;
        self.admin(&[format!("alter database {name} allow_connections true")]).await
    }

    /// Puts the copy into the place of the database.
    pub(crate) async fn set_back(&self) -> anyhow::Result<()> {
        let name = &self.database;
        self.alone(&format!("drop database {name}")).await?;
        self.admin(&[format!("alter database {name}_old rename to {name}")]).await
    }

    /// Runs this while nobody is connected to the database, or can be.
    async fn alone(&self, sql: &str) -> anyhow::Result<()> {
        let shut = format!("alter database {} allow_connections false", self.database);
        self.admin(&[shut]).await?;
        let mut tries = 0;
        loop {
            self.terminate().await?;
            // Who was just let in is still there.
            match self.admin(&[sql.to_owned()]).await {
                Err(e) if tries == ALONE => return Err(e),
                Err(_) => tries += 1,
                Ok(()) => return Ok(()),
            }
        }
    }

    /// How far the snapshots are, all shards together.
    pub(crate) async fn snapshots(&self) -> anyhow::Result<i64> {
        let sql = "select coalesce(sum(pseq), 0)::bigint from palinode_snapshot";
        let mut conn = self.connect().await?;
        Ok(sqlx::query_scalar(sql).fetch_one(&mut conn).await?)
    }

    /// How the checker reaches the cluster.
    pub(crate) fn properties(&self) -> BTreeMap<String, String> {
        [("bootstrap.servers".to_owned(), self.kafka.clone())].into()
    }

    /// Drops the database. The topics stay with the servers, which end soon.
    pub(crate) async fn leave(self) -> anyhow::Result<()> {
        self.admin(&[format!("drop database if exists {} with (force)", self.database)]).await
    }
}
