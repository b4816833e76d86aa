//! Looking at a service's topics: partitions and leaders from metadata, effective settings from their description.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, ResourceSpecifier},
    consumer::{BaseConsumer, Consumer as _},
    types::RDKafkaRespErr,
};

use super::{
    super::{
        context::Told,
        error::passing,
        settings::{KafkaSettings, Role},
    },
    PATIENCE,
};
use crate::{address::Stream, log::LogError};

/// How long the cluster has for metadata.
const METADATA: Duration = Duration::from_secs(10);

/// How much librdkafka may have to say before it has said why; a poll that finds a line of its log finds no error.
const NEWS: u32 = 100;

/// A topic as the cluster shows it.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Found {
    /// Its name there.
    pub(in super::super) name: String,
    /// How many partitions it has.
    pub(in super::super) partitions: u32,
    /// The fewest replicas of any of them.
    pub(in super::super) replicas: usize,
    /// Partitions without a leader.
    pub(in super::super) leaderless: Vec<i32>,
    /// Its effective settings.
    pub(in super::super) settings: BTreeMap<String, String>,
}

/// The topics of a service that are there.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Topics(pub(in super::super) BTreeMap<Stream, Found>);

impl Topics {
    /// Whether all of them are there, and every partition has a leader.
    pub(in super::super) fn are_ready(&self) -> bool {
        self.are_there() && self.0.values().all(|found| found.leaderless.is_empty())
    }

    /// Whether all of them are there.
    pub(in super::super) fn are_there(&self) -> bool {
        self.0.len() == 3
    }
}

/// How many brokers the cluster has, if it answers; if not, the reason. Only a consumer hears why it could not connect.
pub(super) fn answers(settings: &KafkaSettings) -> Result<usize, LogError> {
    let made = settings.client(&Role::Idle).create_with_context(Told::to("first look"));
    let client: BaseConsumer<Told> = made.map_err(|e| passing("a client", &e))?;
    if client.client().fetch_cluster_id(METADATA).is_some() {
        let metadata =
            client.fetch_metadata(None, METADATA).map_err(|e| passing("the list of brokers", &e))?;
        return Ok(metadata.brokers().len());
    }
    for _ in 0..NEWS {
        drop(client.poll(Duration::ZERO));
    }
    let why = client.context().last().unwrap_or_else(|| "nothing was heard of it".into());
    Err(LogError::retry(format!("no broker of {} answers: {why}", settings.bootstrap)))
}

/// What metadata says.
pub(super) fn seen(client: &AdminClient<Told>, names: &[(Stream, String)]) -> Result<Topics, LogError> {
    let mut topics = Topics::default();
    for (stream, name) in names {
        let metadata = client.inner().fetch_metadata(Some(name), METADATA);
        let metadata = metadata.map_err(|e| passing(&format!("topic {name}"), &e))?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { continue };
        match topic.error() {
            None => {}
            Some(
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
                | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            ) => continue,
            Some(error) => {
                let error = rdkafka::error::KafkaError::MetadataFetch(error.into());
                return Err(passing(&format!("topic {name}"), &error));
            }
        }
        let partitions = topic.partitions();
        let found = Found {
            name: name.clone(),
            partitions: u32::try_from(partitions.len()).unwrap_or(u32::MAX),
            replicas: partitions.iter().map(|p| p.replicas().len()).min().unwrap_or(0),
            leaderless: partitions.iter().filter(|p| p.leader() < 0).map(|p| p.id()).collect(),
            settings: BTreeMap::new(),
        };
        if found.partitions > 0 {
            topics.0.insert(*stream, found);
        }
    }
    Ok(topics)
}

/// The same with their effective settings.
pub(super) async fn described(client: &AdminClient<Told>, mut topics: Topics) -> Result<Topics, LogError> {
    if topics.0.is_empty() {
        return Ok(topics);
    }
    let asked: Vec<_> = topics.0.values().map(|found| ResourceSpecifier::Topic(&found.name)).collect();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let described = client.describe_configs(&asked, &options).await;
    let described = described.map_err(|e| passing("topics cannot be described", &e))?;
    // Answers come in the order of the questions.
    for (found, resource) in topics.0.values_mut().zip(described) {
        let error = |code| {
            let what = format!("topic {} cannot be described", found.name);
            passing(&what, &rdkafka::error::KafkaError::MetadataFetch(code))
        };
        let entries = resource.map_err(error)?.entries.into_iter();
        found.settings = entries.filter_map(|entry| Some((entry.name, entry.value?))).collect();
    }
    Ok(topics)
}
