//! The topics of a service on the cluster: looking at them, creating them, and what must hold of them. Blocking calls of
//! the driver run on tokio's blocking threads. Knows no record; genesis is in `genesis.rs`.

mod check;
mod look;

use std::{sync::Arc, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    types::RDKafkaErrorCode as Code,
};

pub(super) use self::check::unfit;
pub(super) use self::look::Topics;
use self::look::described;
use super::{
    context::Told,
    error::passing,
    settings::{KafkaSettings, Role},
};
use crate::{
    address::{Stream, Topic},
    log::LogError,
};

/// How long the cluster has to create topics, or to describe them.
const PATIENCE: Duration = Duration::from_secs(15);
/// What topics take at most: more than any record of ours.
const TOPIC_MAX_BYTES: &str = "2097152";

/// Whether the cluster answers at all, and with how many brokers.
pub(super) async fn answers(settings: &KafkaSettings) -> Result<usize, LogError> {
    let settings = settings.clone();
    let asked = tokio::task::spawn_blocking(move || look::answers(&settings)).await;
    asked.unwrap_or_else(|_| Err(LogError::retry("the look at the cluster was interrupted")))
}

/// A client for topics, as long as it is needed.
pub(super) struct Admin {
    /// `None` only while it is dropped.
    client: Option<Arc<AdminClient<Told>>>,
    settings: KafkaSettings,
}

impl Admin {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, LogError> {
        let made = settings.client(&Role::Admin).create_with_context(Told::to("admin"));
        let client: AdminClient<Told> = made.map_err(|e| passing("a client for topics", &e))?;
        Ok(Self { client: Some(Arc::new(client)), settings: settings.clone() })
    }

    fn client(&self) -> Result<&Arc<AdminClient<Told>>, LogError> {
        self.client.as_ref().ok_or_else(|| LogError::stop("the client for topics is closed"))
    }

    /// What there is of a service's topics, with their effective settings.
    pub(super) async fn look(&self, service: &str) -> Result<Topics, LogError> {
        let names = names(&self.settings, service);
        let client = Arc::clone(self.client()?);
        let seen = tokio::task::spawn_blocking(move || look::seen(&client, &names)).await;
        let interrupted = |_| LogError::retry("the look at topics was interrupted");
        described(self.client()?, seen.map_err(interrupted)??).await
    }

    /// Creates those of a service's topics that are missing. That another creates them at the same time is no error.
    pub(super) async fn create(&self, service: &str, partitions: u32) -> Result<(), LogError> {
        let names = names(&self.settings, service);
        let count = i32::try_from(partitions).unwrap_or(i32::MAX);
        let of = &self.settings.topics;
        let (inbox, replies) = (millis(of.inbox_retention), millis(of.replies_retention));
        let in_sync = of.min_in_sync.to_string();
        let new = names.iter().map(|(stream, name)| {
            let topic = NewTopic::new(name, count, TopicReplication::Fixed(of.replication))
                .set("cleanup.policy", "delete")
                .set("retention.bytes", "-1")
                .set("min.insync.replicas", &in_sync)
                .set("max.message.bytes", TOPIC_MAX_BYTES)
                .set("unclean.leader.election.enable", "false");
            match stream {
                // The broker is the witness against an owner whose clock is fast.
                Stream::Events => topic
                    .set("retention.ms", "-1")
                    .set("message.timestamp.type", "CreateTime")
                    .set("message.timestamp.after.max.ms", "60000"),
                Stream::Inbox => {
                    topic.set("retention.ms", &inbox).set("message.timestamp.type", "LogAppendTime")
                }
                Stream::Replies => {
                    topic.set("retention.ms", &replies).set("message.timestamp.type", "LogAppendTime")
                }
            }
        });
        let new: Vec<NewTopic<'_>> = new.collect();
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let created = self.client()?.create_topics(&new, &options).await;
        for topic in created.map_err(|e| passing("topics cannot be created", &e))? {
            match topic {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(not_created(&name, code)),
            }
        }
        Ok(())
    }
}

impl Drop for Admin {
    /// The client waits for its thread.
    fn drop(&mut self) {
        let client = self.client.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(client));
        }
    }
}

fn not_created(name: &str, code: Code) -> LogError {
    let what = format!("topic {name} cannot be created: {code}");
    match code {
        Code::InvalidReplicationFactor => LogError::stop(format!(
            "{what}: there are fewer brokers than replicas: start more, or set `topics.replication` lower"
        )),
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            LogError::stop(format!("{what}: grant Create, or have somebody else create the topics"))
        }
        Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::BrokerTransportFailure
        | Code::NotController => LogError::retry(what),
        _ => LogError::stop(what),
    }
}

fn millis(span: Duration) -> String {
    span.as_millis().to_string()
}

/// The names of a service's topics on the cluster.
fn names(settings: &KafkaSettings, service: &str) -> Vec<(Stream, String)> {
    let name = |stream| (stream, settings.named(Topic { service: service.into(), stream }));
    [Stream::Events, Stream::Inbox, Stream::Replies].map(name).into()
}
