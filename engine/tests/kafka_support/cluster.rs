//! A place of one's own on the cluster of `PALINODE_KAFKA`: a random prefix for topics and groups, and the driver itself
//! where a test must do what the adapter never would.

use std::{env, sync::Arc};

use palinode::{
    Record, SystemClock,
    log::kafka::{KafkaLog, KafkaSettings, TopicSettings},
};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
    util::Timeout,
};
use uuid::Uuid;

/// A place on the cluster.
pub(crate) struct Cluster {
    pub(crate) settings: KafkaSettings,
}

impl Cluster {
    /// With a prefix that nobody else has.
    pub(crate) fn new() -> Self {
        Self::of(format!("t{}-", Uuid::now_v7().simple()))
    }

    /// With this prefix.
    pub(crate) fn of(prefix: String) -> Self {
        let address = env::var("PALINODE_KAFKA")
            .expect("PALINODE_KAFKA is not set: `cargo xtask test` starts a broker and runs these tests");
        let mut settings = KafkaSettings::new(address);
        settings.prefix = prefix;
        settings.producers = Some(2);
        settings.topics = TopicSettings { replication: 1, min_in_sync: 1, ..TopicSettings::default() };
        Self { settings }
    }

    /// A log that creates what is missing.
    pub(crate) async fn creating(&self) -> Arc<KafkaLog> {
        Arc::new(KafkaLog::creating(self.settings.clone(), Arc::new(SystemClock)).await.unwrap())
    }

    /// A log that uses what is there.
    pub(crate) async fn connected(&self) -> Arc<KafkaLog> {
        Arc::new(KafkaLog::connect(self.settings.clone(), Arc::new(SystemClock)).await.unwrap())
    }

    /// The name of a topic on the cluster.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.settings.prefix)
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.settings.bootstrap);
        config
    }

    /// The driver's client for topics.
    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    /// Writes a record past the adapter; without our headers when it is foreign.
    pub(crate) fn write(&self, topic: &str, partition: i32, record: &Record) {
        let producer: BaseProducer = self.client().create().unwrap();
        let topic = self.topic(topic);
        let mut message: BaseRecord<'_, str, [u8]> =
            BaseRecord::to(&topic).partition(partition).payload(&record.value[..]).key(&*record.key);
        if let (Some(mark), Some(crc)) = (record.mark, record.crc) {
            let headers = OwnedHeaders::new()
                .insert(Header { key: "palinode", value: Some(&mark.to_string()) })
                .insert(Header { key: "crc", value: Some(&format!("{crc:08x}")) });
            message = message.headers(headers);
        }
        producer.send(message).map_err(|(e, _)| e).unwrap();
        producer.flush(Timeout::Never).unwrap();
    }
}

/// Enough time for anything that ends at all.
pub(crate) fn options() -> AdminOptions {
    let long = Some(std::time::Duration::from_secs(30));
    AdminOptions::new().request_timeout(long).operation_timeout(long)
}
