//! Every key there is, in one table: what it is called in a file, in the environment and as a flag, what may be said,
//! and what holds when nothing is said. The page and all sources are made of it.

use std::time::Duration;

use super::duration;

/// Something that a process can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name in a file, with its section.
    pub name: &'static str,
    /// What may be said.
    pub kind: Kind,
    /// What holds when nothing is said; empty: nothing.
    pub default: &'static str,
    /// What it is for.
    pub what: &'static str,
}

/// What may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// What may stand before the name of a topic.
    Prefix,
    /// The name of a schema.
    Schema,
    /// A text that is never printed. By itself it has no flag, since flags are seen by everybody on a machine; its name
    /// with `_file` behind it names a file that holds it.
    Secret,
    /// A URL that may hold a password: never printed.
    Url,
    /// A file that is there.
    File,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Number {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// A number with `ms`, `s`, `min` or `h`.
    Duration {
        /// The least.
        min: Duration,
    },
    /// One of these.
    Choice(&'static [&'static str]),
    /// `host:port`, more of them separated by commas; a list in a file.
    Hosts,
}

const fn number(min: u32, max: u32) -> Kind {
    Kind::Number { min, max }
}

const fn key(name: &'static str, kind: Kind, default: &'static str, what: &'static str) -> Key {
    Key { name, kind, default, what }
}

const PROTOCOLS: Kind = Kind::Choice(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]);
const MECHANISMS: Kind = Kind::Choice(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);
const SSLMODES: Kind = Kind::Choice(&["disable", "require", "verify-ca", "verify-full"]);
const SECOND: Kind = Kind::Duration { min: Duration::from_secs(1) };

/// Every key, in the order of the page.
pub const KEYS: &[Key] = &[
    key("node", Kind::Text, "", "the name of this process in claims, logs and the sessions of databases"),
    key("kafka.bootstrap", Kind::Hosts, "", "brokers to begin with"),
    key("kafka.prefix", Kind::Prefix, "", "stands before the name of every topic and group"),
    key("kafka.security_protocol", PROTOCOLS, "plaintext", "how brokers are spoken to"),
    key("kafka.sasl_mechanism", MECHANISMS, "", "how we say who we are, with sasl_plaintext and sasl_ssl"),
    key("kafka.sasl_username", Kind::Text, "", "who we are"),
    key("kafka.sasl_password", Kind::Secret, "", "the proof of it"),
    key("kafka.ssl_ca", Kind::File, "", "the authorities to believe (PEM); otherwise those of the system"),
    key("kafka.ssl_certificate", Kind::File, "", "our certificate (PEM), with its key"),
    key("kafka.ssl_key", Kind::File, "", "the key of our certificate (PEM)"),
    key("kafka.ssl_key_password", Kind::Secret, "", "what the key is encrypted with"),
    key("kafka.insecure", Kind::Bool, "false", "speak clear text to brokers beyond this machine"),
    key(
        "kafka.group_protocol",
        Kind::Choice(&["classic", "consumer"]),
        "classic",
        "who decides about shards",
    ),
    key(
        "kafka.session_timeout",
        SECOND,
        "6s",
        "after how long in silence a process loses its shards (classic)",
    ),
    key(
        "kafka.producers",
        number(1, 64),
        "",
        "connections that commits are spread over; when nothing is said: 1 for a single broker, 8 for a cluster",
    ),
    key("postgres.url", Kind::Url, "", "postgres://user@host:port/database, instead of the four parts"),
    key(
        "postgres.host",
        Kind::Text,
        "",
        "where the server is; with / at its beginning the folder of a socket",
    ),
    key("postgres.port", number(1, 65_535), "5432", "its port"),
    key("postgres.user", Kind::Text, "palinode", "who we are"),
    key("postgres.database", Kind::Text, "palinode", "the database"),
    key("postgres.password", Kind::Secret, "", "the proof of who we are; wins over one in the URL"),
    key(
        "postgres.sslmode",
        SSLMODES,
        "",
        "when nothing is said: disable on this machine, verify-full beyond it",
    ),
    key("postgres.ssl_ca", Kind::File, "", "the authorities to believe (PEM); otherwise those of the system"),
    key("postgres.ssl_certificate", Kind::File, "", "our certificate (PEM), with its key"),
    key("postgres.ssl_key", Kind::File, "", "the key of our certificate (PEM)"),
    key("postgres.insecure", Kind::Bool, "false", "less than verify-full to a server beyond this machine"),
    key("postgres.schema", Kind::Schema, "public", "where everything is kept; made when it is not there"),
    key("postgres.writers", number(1, 256), "4", "transactions at the same time, a connection each"),
    key("postgres.readers", number(1, 1_024), "8", "connections for queries"),
    key("create.shards", number(1, 4_096), "32", "shards of a service that is created; fixed from then on"),
    key("create.replication", number(1, 32), "3", "replicas of its topics; 1 is for one broker alone"),
    key("create.min_in_sync", number(1, 32), "2", "replicas that have a record before it is acknowledged"),
];

impl Key {
    /// Its variable in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("PALINODE_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// Its flag; a secret has one for its file only.
    #[must_use]
    pub fn flag(&self) -> String {
        let file = if self.kind == Kind::Secret { "-file" } else { "" };
        format!("--{}{file}", self.name.replace(['.', '_'], "-"))
    }

    /// Whether its value must not be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Url)
    }

    /// What may be said, for people.
    #[must_use]
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Text | Kind::Secret => "a text".into(),
            Kind::Prefix => "at most 100 of a-z, A-Z, 0-9, `.`, `-` and `_`".into(),
            Kind::Schema => "1 to 63 of a-z, 0-9 and `_`, beginning with a letter, not with pg_".into(),
            Kind::Url => "postgres://user@host:port/database".into(),
            Kind::File => "a file".into(),
            Kind::Bool => "true or false".into(),
            Kind::Number { min, max } => format!("a number from {min} to {max}"),
            Kind::Duration { min } => format!("a time like 500ms, 6s, 2min or 1h, at least {min:?}"),
            Kind::Choice(all) => format!("one of {}", all.join(", ")),
            Kind::Hosts => "host:port, more of them separated by commas".into(),
        }
    }

    /// What is wrong with a value, without saying a secret.
    pub(super) fn wrong(&self, value: &str) -> Option<String> {
        let sound = match self.kind {
            Kind::Text | Kind::Secret => !value.is_empty(),
            Kind::Prefix => {
                value.len() <= 100 && value.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
            }
            Kind::Schema => is_schema(value),
            Kind::Url => ["postgres://", "postgresql://"].iter().any(|scheme| value.starts_with(scheme)),
            Kind::File => match std::fs::File::open(value) {
                Ok(_) => true,
                Err(why) => return Some(format!("{value:?} cannot be read: {why}")),
            },
            Kind::Bool => ["true", "false"].contains(&value),
            Kind::Number { min, max } => value.parse().is_ok_and(|number| (min..=max).contains(&number)),
            Kind::Duration { min } => duration(value).is_some_and(|span| span >= min),
            Kind::Choice(all) => all.contains(&value),
            Kind::Hosts => value.split(',').all(is_address),
        };
        match (sound, value) {
            (true, _) => None,
            (false, "") => Some("there is nothing".into()),
            (false, _) if self.is_secret() => {
                Some("this is none (it is not shown, there may be a secret in it)".into())
            }
            (false, value) => Some(format!("{value:?} is not allowed")),
        }
    }
}

fn is_address(text: &str) -> bool {
    text.trim()
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0))
}

fn is_schema(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.starts_with("pg_");
    begins && name.len() <= 63 && name.chars().all(plain)
}

/// The key of this name.
pub(super) fn named(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The one of these that somebody may have meant.
pub(super) fn nearest(said: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let near = names.into_iter().map(|name| (strsim::damerau_levenshtein(said, &name), name)).min()?;
    (near.0 <= 2.max(said.len() / 5)).then_some(near.1)
}
