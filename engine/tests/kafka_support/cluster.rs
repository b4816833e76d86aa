//! A place of one's own on the cluster of `PALINODE_KAFKA`: a random prefix for topics and groups.

use std::{env, sync::Arc};

use palinode::{
    SystemClock,
    log::kafka::{KafkaLog, KafkaSettings, TopicSettings},
};
use uuid::Uuid;

/// A place on the cluster.
pub struct Cluster {
    pub settings: KafkaSettings,
}

impl Cluster {
    /// With a prefix that nobody else has.
    pub fn new() -> Self {
        let address = env::var("PALINODE_KAFKA")
            .expect("PALINODE_KAFKA is not set: `cargo xtask test` starts a broker and runs these tests");
        let mut settings = KafkaSettings::new(address);
        settings.prefix = format!("t{}-", Uuid::now_v7().simple());
        settings.producers = 2;
        settings.topics = TopicSettings { replication: 1, min_in_sync: 1, ..TopicSettings::default() };
        Self { settings }
    }

    /// A log that creates what is missing.
    pub async fn creating(&self) -> Arc<KafkaLog> {
        Arc::new(KafkaLog::creating(self.settings.clone(), Arc::new(SystemClock)).await.unwrap())
    }
}
