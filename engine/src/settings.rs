//! What a process is told: its name, where Kafka and PostgreSQL are and how they are spoken to. Read from a file, from
//! the environment, from flags; what comes later wins. Whatever is wrong is said with the place it came from and what is
//! allowed there, all of it at once. Secrets are never printed. Knows no server: it makes plain data, and `adapters` puts
//! that into the words of the adapters.
//!
//! ```
//! use palinode::settings::Sources;
//!
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("palinode.toml");
//! std::fs::write(&file, "node = \"hotel-1\"\n[kafka]\nbootstrap = \"127.0.0.1:9092\"\nprefix = \"test.\"\n")?;
//! let settings = Sources::new()
//!     .file(&file)
//!     .environment([("PALINODE_KAFKA_PREFIX", "staging.")])   // std::env::vars_os() in a program
//!     .flag("--kafka", "kafka.bootstrap", "127.0.0.1:9093")
//!     .settings()?;
//! let kafka = settings.kafka.ok_or("no Kafka")?;
//! assert_eq!((kafka.bootstrap.as_str(), kafka.prefix.as_str()), ("127.0.0.1:9093", "staging."));
//!
//! let wrong = Sources::new().environment([("PALINODE_KAFKA_SESION_TIMEOUT", "6s")]).settings();
//! assert_eq!(
//!     wrong.unwrap_err().to_string(),
//!     "the variable PALINODE_KAFKA_SESION_TIMEOUT: there is no such setting; \
//!      did you mean PALINODE_KAFKA_SESSION_TIMEOUT?"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every key with its variable, flag and default is in [`KEYS`], and in `docs/configuration.md`.

#[cfg(any(feature = "kafka", feature = "postgres"))]
mod adapters;
mod file;
mod given;
mod kafka;
mod keys;
mod origin;
mod postgres;
mod sources;

use std::time::Duration;

pub use kafka::{GroupProtocol, Kafka};
pub use keys::{KEYS, Key, Kind};
pub use origin::{Origin, Problem, SettingsError};
pub use postgres::{Postgres, Server, SslMode};
pub use secrecy::{ExposeSecret, SecretString};
pub use sources::Sources;

use self::given::Given;

/// What a process was told, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of this process in claims, logs and the sessions of databases.
    pub node: Option<String>,
    /// Where Kafka is; nothing when nobody said so.
    pub kafka: Option<Kafka>,
    /// Where PostgreSQL is; nothing when nobody said so.
    pub postgres: Option<Postgres>,
    /// How a service is created.
    pub create: Create,
}

/// How the topics of a service are created. Fixed from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Create {
    /// How many shards it has.
    pub shards: u32,
    /// Replicas of each partition.
    pub replication: u16,
    /// How many replicas must have a record before it is acknowledged.
    pub min_in_sync: u16,
}

impl Settings {
    /// What was given, once every single value is sound.
    fn of(given: &mut Given) -> Self {
        let create = Create {
            shards: given.number("create.shards"),
            replication: given.number("create.replication"),
            min_in_sync: given.number("create.min_in_sync"),
        };
        if create.min_in_sync > create.replication {
            let what =
                format!("{} replicas cannot be in sync out of {}", create.min_in_sync, create.replication);
            given.wrong("create.min_in_sync", what, "at most create.replication");
        }
        let (kafka, postgres) = (Kafka::of(given), Postgres::of(given));
        Self { node: given.text("node"), kafka, postgres, create }
    }
}

/// A span as people write it: `500ms`, `6s`, `2min`, `1h`.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "min" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}
