//! Every name of a span and of an attribute that the engine writes, once. Those of messaging, databases and HTTP are of
//! OpenTelemetry's [semantic conventions 1.44]; there are none for what is ours.
//!
//! [semantic conventions 1.44]: https://opentelemetry.io/docs/specs/semconv/

/// The version of the semantic conventions these names are of.
pub const SEMCONV: &str = "1.44.0";

/// The schema of the names, for whoever translates them.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// What the spans of the engine are called.
pub mod span {
    use crate::address::Topic;

    /// A client's call: `execute KIND`.
    #[must_use]
    pub fn execute(kind: &str) -> String {
        format!("execute {kind}")
    }

    /// A message on its way: `send SERVICE.inbox`, whichever road it takes.
    #[must_use]
    pub fn send(service: &str) -> String {
        format!("send {}", Topic::inbox(service))
    }

    /// An entity took a message: `process SERVICE.inbox`.
    #[must_use]
    pub fn process(service: &str) -> String {
        format!("process {}", Topic::inbox(service))
    }

    /// A projection wrote a batch: `process SERVICE.events`.
    #[must_use]
    pub fn project(service: &str) -> String {
        format!("process {}", Topic::events(service))
    }

    /// An attempt of an activity ran: `activity NAME`.
    #[must_use]
    pub fn activity(name: &str) -> String {
        format!("activity {name}")
    }
}

/// The roles of derived span ids: what a span is to the commit that opened it.
pub mod role {
    /// A client's call.
    pub const EXECUTE: &str = "execute";
    /// A message.
    pub const SEND: &str = "send";
    /// The handling of a message.
    pub const PROCESS: &str = "process";
    /// A batch of a projection.
    pub const PROJECT: &str = "project";
    /// The call of an activity.
    pub const ACTIVITY: &str = "activity";
    /// A question to a database.
    pub const QUERY: &str = "query";
}

/// The keys of attributes.
pub mod key {
    /// The service an entity belongs to.
    pub const SERVICE: &str = "palinode.service";
    /// An entity's kind.
    pub const KIND: &str = "palinode.kind";
    /// An entity's id.
    pub const ENTITY: &str = "palinode.entity.id";
    /// A shard's number.
    pub const SHARD: &str = "palinode.shard";
    /// The term of the commit.
    pub const TERM: &str = "palinode.term";
    /// The number of the commit.
    pub const PSEQ: &str = "palinode.pseq";
    /// The road a message took: [`super::value::LOCAL`] or [`super::value::INBOX`].
    pub const ROAD: &str = "palinode.road";
    /// How an input ended: a word of [`crate::commit::Outcome`], or of an answer without a commit.
    pub const OUTCOME: &str = "palinode.outcome";
    /// An activity's name.
    pub const ACTIVITY: &str = "palinode.activity";
    /// An attempt's effect key: what its participant knows it by.
    pub const EFFECT: &str = "palinode.effect.key";
    /// Rises after a definite refusal.
    pub const ROUND: &str = "palinode.round";
    /// A try within the round.
    pub const ATTEMPT: &str = "palinode.attempt";
    /// A projection's name.
    pub const PROJECTION: &str = "palinode.projection";
    /// A projection's version.
    pub const PROJECTION_VERSION: &str = "palinode.projection.version";

    /// What carries a message.
    pub const MESSAGING_SYSTEM: &str = "messaging.system";
    /// What is done to it, in the system's word.
    pub const MESSAGING_OPERATION: &str = "messaging.operation.name";
    /// What is done to it, in the convention's word.
    pub const MESSAGING_OPERATION_TYPE: &str = "messaging.operation.type";
    /// The topic.
    pub const MESSAGING_DESTINATION: &str = "messaging.destination.name";
    /// The partition, as text.
    pub const MESSAGING_PARTITION: &str = "messaging.destination.partition.id";
    /// Where the record lies.
    pub const MESSAGING_OFFSET: &str = "messaging.kafka.offset";
    /// The message.
    pub const MESSAGING_MESSAGE: &str = "messaging.message.id";
    /// The conversation: the id of the entity that asks, in the ask and in the answer.
    pub const MESSAGING_CONVERSATION: &str = "messaging.message.conversation_id";
    /// How many events a batch holds.
    pub const MESSAGING_BATCH: &str = "messaging.batch.message_count";

    /// Which database.
    pub const DB_SYSTEM: &str = "db.system.name";
    /// What it is asked to do.
    pub const DB_OPERATION: &str = "db.operation.name";
    /// The table, of a statement that is about one.
    pub const DB_COLLECTION: &str = "db.collection.name";
    /// Operation and table, in few kinds.
    pub const DB_SUMMARY: &str = "db.query.summary";

    /// The method of a request.
    pub const HTTP_METHOD: &str = "http.request.method";
    /// The pattern of its path.
    pub const HTTP_ROUTE: &str = "http.route";
    /// The status of the answer.
    pub const HTTP_STATUS: &str = "http.response.status_code";
    /// `http`, or `https`.
    pub const URL_SCHEME: &str = "url.scheme";

    /// Of what sort an error is: a word of few.
    pub const ERROR_TYPE: &str = "error.type";
}

/// The values of attributes that have few.
pub mod value {
    /// Everything this engine carries by itself.
    pub const PALINODE: &str = "palinode";
    /// A topic of Kafka.
    pub const KAFKA: &str = "kafka";
    /// The road in memory.
    pub const LOCAL: &str = "local";
    /// The road through the log.
    pub const INBOX: &str = "inbox";
    /// A message is made and handed over.
    pub const SEND: &str = "send";
    /// A message is taken.
    pub const PROCESS: &str = "process";
    /// A file of SQLite.
    pub const SQLITE: &str = "sqlite";
    /// A PostgreSQL.
    pub const POSTGRESQL: &str = "postgresql";
    /// A database without a name of its own.
    pub const OTHER_SQL: &str = "other_sql";
    /// Whatever is none of the known values.
    pub const OTHER: &str = "_OTHER";
}
