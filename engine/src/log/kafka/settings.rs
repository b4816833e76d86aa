//! What an operator says about a Kafka cluster, and what every client of ours is configured with. One table holds every
//! setting that differs from librdkafka's default; a client's configuration is made here and nowhere else.

use std::{collections::BTreeMap, fmt, time::Duration};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};

use crate::{
    log::LogError,
    network::{exposed, host_of},
};

/// The largest record that is sent, with its key and headers: above the largest commit, below what topics take.
pub(super) const MAX_RECORD: usize = 1_310_720;
/// How long librdkafka tries to deliver a record.
pub(super) const DELIVERY: Duration = Duration::from_secs(10);

/// How long a member may go without a poll.
const POLLS: Duration = Duration::from_secs(30);

/// A Kafka cluster, and how its log is used. Nothing in it is a type of the driver.
///
/// ```
/// use palinode::log::kafka::KafkaSettings;
/// let mut settings = KafkaSettings::new("kafka-1.internal:9093,kafka-2.internal:9093");
/// settings.prefix = "prod.".into();
/// settings.passed.insert("security.protocol".into(), "sasl_ssl".into());
/// settings.passed.insert("sasl.mechanism".into(), "SCRAM-SHA-512".into());
/// settings.passed.insert("sasl.username".into(), "palinode".into());
/// settings.passed.insert("sasl.password".into(), "secret".into());
/// assert!(settings.check().is_ok());
/// assert!(!format!("{settings:?}").contains("secret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// Brokers to begin with: `host:port`, separated by commas.
    pub bootstrap: String,
    /// Stands before the name of every topic and group: several systems can share a cluster.
    pub prefix: String,
    /// Properties of librdkafka for security and the network, passed through: `security.protocol`, `sasl.*`, `ssl.*`,
    /// `client.rack`, `broker.address.family`, `socket.keepalive.enable`, `compression.type`. Never printed.
    pub passed: BTreeMap<String, String>,
    /// Talks to brokers beyond this machine without TLS. Whoever can listen can then read and forge.
    pub clear_text: bool,
    /// Who says which member owns what: the classic protocol, or that of KIP-848.
    pub protocol: GroupProtocol,
    /// After how long without a sign of life a member's shards are given away (classic protocol only; the broker has a
    /// floor, 6 s when it was not changed).
    pub session: Duration,
    /// Producers of commits; shards are spread over them, at about three threads each. A request holds one partition, and a
    /// broker answers those of a connection one after the other, when the followers have them: with more connections they
    /// wait side by side. When nothing is said: one for a single broker, which waits for nobody and works less when
    /// requests are few and full; eight for a cluster.
    pub producers: Option<usize>,
    /// How long an append waits for its outcome before that is unknown. Longer than librdkafka itself tries (10 s).
    pub deadline: Duration,
    /// How long a rebalance waits for the owners of the shards that are taken away to end. Zero: not at all, so an owner
    /// may serve on until it meets the next claim.
    pub hand_over: Duration,
    /// Of what kind topics are that are created.
    pub topics: TopicSettings,
}

/// The protocol of the consumer group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// The members decide (cooperative-sticky).
    Classic,
    /// The broker decides (KIP-848): its own timeouts hold.
    Consumer,
}

/// How topics are created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// Replicas of each partition. One is for tests: a broker that loses power loses acknowledged commits.
    pub replication: i32,
    /// How many replicas must have a record before it is acknowledged.
    pub min_in_sync: i32,
    /// How long a message may lie in the inbox.
    pub inbox_retention: Duration,
    /// How long an answer can be fetched.
    pub replies_retention: Duration,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self {
            replication: 3,
            min_in_sync: 2,
            inbox_retention: Duration::from_secs(14 * 24 * 3600),
            replies_retention: Duration::from_secs(6 * 3600),
        }
    }
}

impl KafkaSettings {
    /// The defaults, for these brokers.
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            prefix: String::new(),
            passed: BTreeMap::new(),
            clear_text: false,
            protocol: GroupProtocol::Classic,
            session: Duration::from_secs(6),
            producers: None,
            deadline: DELIVERY + Duration::from_secs(2),
            hand_over: Duration::ZERO,
            topics: TopicSettings::default(),
        }
    }

    /// Whether they can be used.
    ///
    /// # Errors
    /// No brokers; a prefix that cannot be part of a topic's name; a passed property that is ours to decide; a deadline
    /// below librdkafka's own; clear text to brokers beyond this machine that was not asked for.
    pub fn check(&self) -> Result<(), LogError> {
        let stop = |what: String| Err(LogError::stop(format!("kafka settings: {what}")));
        if self.bootstrap.trim().is_empty() {
            return stop("there is no broker: name at least one host:port".into());
        }
        let good = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
        if self.prefix.len() > 100 || !self.prefix.bytes().all(good) {
            return stop(format!(
                "prefix {:?}: use at most 100 of a-z, A-Z, 0-9, '.', '-' and '_'",
                self.prefix
            ));
        }
        if let Some(key) = self.passed.keys().find(|key| !may_pass(key)) {
            return stop(format!(
                "{key} cannot be passed through: only properties of security and the network are"
            ));
        }
        if self.deadline <= DELIVERY || self.producers == Some(0) {
            return stop(format!("use at least one producer, and a deadline above {} s", DELIVERY.as_secs()));
        }
        if self.session < Duration::from_secs(1) {
            return stop("a session shorter than a second throws out members that only paused".into());
        }
        self.check_clear_text()
    }

    /// Clear text is for this machine only, unless it was asked for.
    fn check_clear_text(&self) -> Result<(), LogError> {
        let protocol = self.passed.get("security.protocol").map_or("plaintext", String::as_str);
        let protected = protocol.to_ascii_lowercase().ends_with("ssl");
        match exposed(self.bootstrap.split(',').map(host_of), protected, self.clear_text) {
            Some(host) => Err(LogError::stop(format!(
                "kafka settings: {host} is not this machine and security.protocol is {protocol}: use ssl or \
                 sasl_ssl (docs/kafka.md), or say that clear text is meant"
            ))),
            None => Ok(()),
        }
    }

    /// What librdkafka is told of the producers of commits, by its own names: to be looked at, or to have another producer
    /// like them. What was passed through is in it, secrets too.
    ///
    /// ```
    /// use palinode::log::kafka::KafkaSettings;
    /// let producer = KafkaSettings::new("localhost:9092").producer();
    /// assert_eq!(producer.get("enable.idempotence").map(String::as_str), Some("true"));
    /// ```
    #[must_use]
    pub fn producer(&self) -> BTreeMap<String, String> {
        let config = self.client(&Role::Commits);
        config.config_map().iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// How many producers of commits there are on a cluster of so many brokers.
    ///
    /// ```
    /// use palinode::log::kafka::KafkaSettings;
    /// let mut settings = KafkaSettings::new("localhost:9092");
    /// assert_eq!((settings.producers_on(1), settings.producers_on(3)), (1, 8));
    /// settings.producers = Some(4);
    /// assert_eq!((settings.producers_on(1), settings.producers_on(3)), (4, 4));
    /// ```
    #[must_use]
    pub fn producers_on(&self, brokers: usize) -> usize {
        self.producers.unwrap_or(if brokers > 1 { 8 } else { 1 })
    }

    /// The name of a topic or group on the cluster.
    pub(super) fn named(&self, name: impl fmt::Display) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The configuration of a client.
    pub(super) fn client(&self, role: &Role) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Warning);
        for (key, value) in &self.passed {
            config.set(key, value);
        }
        config.set("bootstrap.servers", &self.bootstrap);
        config.set("client.id", format!("palinode-{}", role.name()));
        for (_, key, value) in TABLE.iter().filter(|(of, ..)| of.contains(&role.kind())) {
            config.set(*key, *value);
        }
        match role {
            Role::Reader | Role::Gap => {
                config.set("group.id", self.named("palinode.readers"));
            }
            Role::Member { group } => {
                config.set("group.id", group);
                self.group(&mut config);
            }
            Role::Commits | Role::Post | Role::Idle | Role::Admin => {}
        }
        config
    }

    fn group(&self, config: &mut ClientConfig) {
        // The polling thread does nothing else: one that is stuck is thrown out, though its heart beats on.
        let polls = self.session.max(POLLS).max(self.hand_over.saturating_mul(2));
        config.set("max.poll.interval.ms", polls.as_millis().to_string());
        match self.protocol {
            GroupProtocol::Classic => {
                config.set("session.timeout.ms", self.session.as_millis().to_string());
                config.set("heartbeat.interval.ms", (self.session.as_millis() / 6).to_string());
            }
            GroupProtocol::Consumer => {
                config.remove("partition.assignment.strategy").set("group.protocol", "consumer");
            }
        }
    }
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettings")
            .field("bootstrap", &self.bootstrap)
            .field("prefix", &self.prefix)
            .field("passed", &self.passed.keys())
            .field("clear_text", &self.clear_text)
            .field("protocol", &self.protocol)
            .field("session", &self.session)
            .field("producers", &self.producers)
            .field("deadline", &self.deadline)
            .field("hand_over", &self.hand_over)
            .field("topics", &self.topics)
            .finish()
    }
}

/// What a client is for.
pub(super) enum Role {
    /// Produces commits.
    Commits,
    /// Produces messages and answers.
    Post,
    /// Reads partitions from offsets on.
    Reader,
    /// Reads single records.
    Gap,
    /// Asks where partitions end.
    Idle,
    /// Creates and describes topics.
    Admin,
    /// Is a member of a service's group.
    Member {
        /// Its group.
        group: String,
    },
}

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Producer,
    Reader,
    Gap,
    Idle,
    Admin,
    Member,
}

impl Role {
    fn kind(&self) -> Kind {
        match self {
            Self::Commits | Self::Post => Kind::Producer,
            Self::Reader => Kind::Reader,
            Self::Gap => Kind::Gap,
            Self::Idle => Kind::Idle,
            Self::Admin => Kind::Admin,
            Self::Member { .. } => Kind::Member,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Commits => "commits",
            Self::Post => "post",
            Self::Reader => "reader",
            Self::Gap => "gap",
            Self::Idle => "idle",
            Self::Admin => "admin",
            Self::Member { .. } => "member",
        }
    }
}

const ALL: &[Kind] = &[Kind::Producer, Kind::Reader, Kind::Gap, Kind::Idle, Kind::Admin, Kind::Member];
const PRODUCERS: &[Kind] = &[Kind::Producer];
const CONSUMERS: &[Kind] = &[Kind::Reader, Kind::Gap, Kind::Idle, Kind::Member];
const READERS: &[Kind] = &[Kind::Reader, Kind::Gap];

/// Every setting that is not librdkafka's default, and whose. What idempotence implies (`acks`, retries) is not set, or a
/// conflict would go unnoticed; of the five requests in flight that it allows we use three, as the broker takes those of a
/// connection one by one and what waits here fills the next.
const TABLE: &[(&[Kind], &str, &str)] = &[
    (ALL, "socket.timeout.ms", "5000"),
    (ALL, "reconnect.backoff.max.ms", "1000"),
    (ALL, "allow.auto.create.topics", "false"),
    (ALL, "enable.metrics.push", "false"),
    (ALL, "log.connection.close", "false"),
    (PRODUCERS, "enable.idempotence", "true"),
    (PRODUCERS, "max.in.flight.requests.per.connection", "3"),
    (PRODUCERS, "linger.ms", "0"),
    (PRODUCERS, "retry.backoff.ms", "10"),
    (PRODUCERS, "retry.backoff.max.ms", "200"),
    (PRODUCERS, "message.timeout.ms", "10000"),
    (PRODUCERS, "request.timeout.ms", "5000"),
    (PRODUCERS, "message.max.bytes", "1310720"),
    (PRODUCERS, "queue.buffering.max.kbytes", "262144"),
    (CONSUMERS, "auto.offset.reset", "error"),
    (CONSUMERS, "enable.auto.commit", "false"),
    (CONSUMERS, "enable.auto.offset.store", "false"),
    (CONSUMERS, "isolation.level", "read_uncommitted"),
    (CONSUMERS, "check.crcs", "true"),
    (READERS, "fetch.wait.max.ms", "20"),
    (READERS, "fetch.queue.backoff.ms", "10"),
    (READERS, "fetch.error.backoff.ms", "50"),
    // A partition has a queue of its own (reader/stream.rs), so this is for each of them, not for the client.
    (&[Kind::Reader], "queued.max.messages.kbytes", "2048"),
    (&[Kind::Gap], "queued.max.messages.kbytes", "1024"),
    (&[Kind::Gap], "queued.min.messages", "1"),
    (&[Kind::Gap], "fetch.message.max.bytes", "65536"),
    (&[Kind::Member], "partition.assignment.strategy", "cooperative-sticky"),
];

fn may_pass(key: &str) -> bool {
    let whole = [
        "security.protocol",
        "client.rack",
        "broker.address.family",
        "socket.keepalive.enable",
        "compression.type",
    ];
    whole.contains(&key) || key.starts_with("sasl.") || key.starts_with("ssl.")
}

#[cfg(test)]
mod tests;
