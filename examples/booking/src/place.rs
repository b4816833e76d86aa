//! Where everything lies that a command works on: the log and the read models, in a folder or on servers, and the bank.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use palinode::{
    Attempt, Failure, Perform,
    log::kafka::KafkaSettings,
    settings::{Create, Settings},
    store::postgres::{PgDb, PgSettings},
};
use palinode_verify::{CannotRead, KafkaLog, Log, Source};

use crate::{
    payment::{Bank, CapturePayment, Captured, Ledger, RemoteBank},
    read::tables::Tables,
    services::Name,
    telemetry::Seen,
};

/// The bank's file, in its folder.
pub(crate) const PAYMENTS: &str = "payments.db";

/// A way to open a log on Kafka: what leads there, the prefix of topics, the services.
type OpenKafka = fn(&BTreeMap<String, String>, &str, &[&str]) -> Result<KafkaLog, CannotRead>;

/// Where everything lies.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    folder: PathBuf,
    bank: Option<RemoteBank>,
    servers: Option<Servers>,
    seen: Seen,
}

/// The servers that processes share.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    /// The log.
    pub(crate) kafka: KafkaSettings,
    /// The read models.
    pub(crate) postgres: PgSettings,
    /// How a service is created.
    pub(crate) create: Create,
}

/// The bank of a place, wherever it works.
#[derive(Clone)]
pub(crate) enum Payments {
    /// In this process.
    Here(Bank),
    /// In another one.
    There(RemoteBank),
}

impl Servers {
    /// Those that the settings name, if they name any.
    ///
    /// # Errors
    /// One of the two is missing, or cannot be used.
    pub(crate) fn of(settings: &Settings) -> anyhow::Result<Option<Self>> {
        match (settings.kafka_settings(), settings.postgres_settings()?) {
            (None, None) => Ok(None),
            (Some(kafka), Some(postgres)) => Ok(Some(Self { kafka, postgres, create: settings.create })),
            (Some(_), None) => anyhow::bail!("Kafka is named and PostgreSQL is not: say --postgres URL too"),
            (None, Some(_)) => {
                anyhow::bail!("PostgreSQL is named and Kafka is not: say --kafka HOST:PORT too")
            }
        }
    }
}

impl Place {
    /// In this folder, but the bank if it is another process, and log and read models if they are on servers.
    pub(crate) fn new(folder: PathBuf, bank: Option<RemoteBank>, servers: Option<Servers>) -> Self {
        Self { folder, bank, servers, seen: Seen::default() }
    }

    /// The same, and who is told what happens in it.
    pub(crate) fn seen_by(self, seen: Seen) -> Self {
        Self { seen, ..self }
    }

    /// Who is told what happens, and where it is looked at.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The servers, if log and read models are there.
    pub(crate) fn servers(&self) -> Option<&Servers> {
        self.servers.as_ref()
    }

    /// The folder, for what works in one only.
    ///
    /// # Errors
    /// When log and read models are on servers.
    pub(crate) fn only_folder(&self, what: &str) -> anyhow::Result<&Path> {
        if let Some(servers) = &self.servers {
            anyhow::bail!(
                "`booking {what}` works on the log of a folder only, and this one is on {}",
                servers.kafka.bootstrap
            );
        }
        Ok(&self.folder)
    }

    /// Makes the folder where it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("{} cannot be made", self.folder.display()))
    }

    /// The log as it is now, to read. Of servers that others work on it shows no single moment: a commit may be there
    /// whose cause is not.
    ///
    /// # Errors
    /// When it cannot be read. Blocks while servers are asked.
    pub(crate) fn log(&self) -> anyhow::Result<Box<dyn Source + Send>> {
        self.read_by(KafkaLog::open_busy)
    }

    /// The log at rest.
    ///
    /// # Errors
    /// When it cannot be read, or somebody writes to it on servers. Blocks while these are asked.
    pub(crate) fn log_at_rest(&self) -> anyhow::Result<Box<dyn Source + Send>> {
        self.read_by(KafkaLog::open)
    }

    fn read_by(&self, on_servers: OpenKafka) -> anyhow::Result<Box<dyn Source + Send>> {
        let Some(servers) = &self.servers else { return Ok(Box::new(Log::open(&self.folder)?)) };
        let (properties, prefix) = servers.log();
        Ok(Box::new(on_servers(&properties, prefix, &Name::ALL.map(Name::as_str))?))
    }

    /// The tables of the read models, to read beside their processes; none when there are none yet.
    ///
    /// # Errors
    /// When the server cannot be used.
    pub(crate) async fn tables(&self) -> anyhow::Result<Option<Tables>> {
        Ok(match &self.servers {
            None => self.folder.join("read.db").exists().then(|| Tables::of_folder(&self.folder)),
            Some(servers) => {
                let db = PgDb::connect(servers.postgres.clone()).await?;
                Some(Tables::Postgres(db.readers().clone()))
            }
        })
    }

    /// The bank to pay by.
    ///
    /// # Errors
    /// When its file cannot be opened.
    pub(crate) fn payments(&self) -> anyhow::Result<Payments> {
        Ok(match &self.bank {
            Some(bank) => Payments::There(bank.clone()),
            None => Payments::Here(Bank::open(&self.folder.join(PAYMENTS))?),
        })
    }

    /// What the bank's book says now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn ledger(&self) -> anyhow::Result<Ledger> {
        match &self.bank {
            Some(bank) => bank.ledger().await,
            None => Ledger::read(&self.folder.join(PAYMENTS)),
        }
    }
}

impl Servers {
    /// What a reader of the log needs: the way to the cluster, and what stands before the names of topics.
    pub(crate) fn log(&self) -> (BTreeMap<String, String>, &str) {
        let mut properties = self.kafka.passed.clone();
        properties.insert("bootstrap.servers".into(), self.kafka.bootstrap.clone());
        (properties, &self.kafka.prefix)
    }
}

/// Where log and read models are, for people.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.servers {
            None => write!(f, "{}", self.folder.display()),
            Some(servers) => {
                write!(f, "Kafka at {}", servers.kafka.bootstrap)?;
                if servers.kafka.prefix.is_empty() {
                    Ok(())
                } else {
                    write!(f, ", {}*", servers.kafka.prefix)
                }
            }
        }
    }
}

impl Perform<CapturePayment> for Payments {
    async fn perform(&self, payment: &CapturePayment, cx: &Attempt) -> Result<Captured, Failure> {
        match self {
            Self::Here(bank) => bank.perform(payment, cx).await,
            Self::There(bank) => bank.perform(payment, cx).await,
        }
    }
}
