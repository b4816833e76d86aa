//! A place of its own for one disaster: topics with a prefix that nobody else has, and a database. What a process needs to
//! come there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use palinode::{
    Client, Clock as _, Ids as _, Node, SystemClock, SystemIds,
    log::kafka::{KafkaLog, KafkaSettings, TopicSettings},
    store::postgres::{PgDb, PgSettings},
};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::{
    domain::{self, SERVICES, SHARDS},
    servers::Servers,
};

/// After how long without a sign of life a process loses its shards: the floor of our broker.
pub(crate) const SESSION: Duration = Duration::from_secs(3);

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
    settings.producers = 2;
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
            kafka: servers.kafka()?.to_owned(),
            prefix: format!("c{id}-"),
            server: server.disable_statement_logging(),
            database: format!("chaos_{id}"),
        };
        place.admin(&[format!("create database {}", place.database)]).await?;
        let postgres = PgSettings::url(&place.url())?;
        let setup = Node::kafka(kafka(&place.kafka, &place.prefix), postgres.clone());
        setup.service(domain::left()).service(domain::right()).create(SHARDS).await?;
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

    /// How the checker reaches the cluster.
    pub(crate) fn properties(&self) -> BTreeMap<String, String> {
        [("bootstrap.servers".to_owned(), self.kafka.clone())].into()
    }

    /// Drops the database. The topics stay with the servers, which end soon.
    pub(crate) async fn leave(self) -> anyhow::Result<()> {
        self.admin(&[format!("drop database if exists {} with (force)", self.database)]).await
    }
}
