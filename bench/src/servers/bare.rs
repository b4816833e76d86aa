//! The limit on Kafka: bare idempotent producers that are configured as the engine's own, as many of them, writing the same
//! bytes to the same partitions. What an engine could do if it did nothing.

use std::sync::Arc;

use anyhow::Context as _;
use palinode::Record;
use rdkafka::{
    ClientConfig, ClientContext,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer},
};
use tokio::sync::oneshot;

use super::place::Place;
use crate::{
    load::{Run, closed},
    setting::Setting,
};

/// A record, and the topic it goes to.
struct Row {
    topic: String,
    record: Record,
}

/// Bare producers. A partition belongs to one of them.
pub(super) struct Bare {
    producers: Vec<ThreadedProducer<Reports>>,
    rows: Vec<Row>,
    shards: u32,
}

impl Bare {
    /// So many callers, each writing the records of one unit of the work one after the other, waiting for each.
    pub(super) async fn run(place: &Place, in_flight: usize, setting: &Setting) -> anyhow::Result<Run> {
        let bare = Arc::new(Self::open(place).await?);
        // A fresh producer takes its time before its first record.
        for n in 0..u64::from(place.shards()) {
            bare.unit(n).await?;
        }
        let work = move |n| {
            let bare = Arc::clone(&bare);
            async move { bare.unit(n).await }
        };
        closed(0, in_flight, setting.warm, work.clone()).await?;
        closed(0, in_flight, setting.time, work).await
    }

    async fn open(place: &Place) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        let kafka = place.kafka()?;
        config.extend(kafka.producer());
        let producers = (0..kafka.producers_on(1)).map(|_| config.create_with_context(Reports));
        let topic = |service| format!("{}{service}.events", kafka.prefix);
        let rows = place.sample().await?.into_iter();
        let rows = rows.map(|(service, record)| Row { topic: topic(service), record }).collect();
        Ok(Self { producers: producers.collect::<Result<_, _>>()?, rows, shards: place.shards() })
    }

    /// The records of one unit, one after the other.
    async fn unit(&self, n: u64) -> anyhow::Result<()> {
        let partition = u32::try_from(n % u64::from(self.shards))?;
        for row in &self.rows {
            self.append(row, partition).await?;
        }
        Ok(())
    }

    /// Appends a record; returns once it is acknowledged.
    async fn append(&self, Row { topic, record }: &Row, partition: u32) -> anyhow::Result<()> {
        let (answer, acknowledged) = oneshot::channel();
        let nth = usize::try_from(partition)? % self.producers.len().max(1);
        let message = BaseRecord::with_opaque_to(topic, Box::new(answer))
            .partition(i32::try_from(partition)?)
            .payload(&*record.value)
            .key(record.key.as_bytes())
            .timestamp(record.wall.0 / 1_000)
            .headers(headers(record));
        let producer = self.producers.get(nth).context("there is no producer")?;
        producer.send(message).map_err(|(error, _)| error)?;
        Ok(acknowledged.await??)
    }
}

/// As many bytes as the engine's own.
fn headers(record: &Record) -> OwnedHeaders {
    let number = |n: Option<u32>| n.unwrap_or_default();
    OwnedHeaders::new_with_capacity(3)
        .insert(Header { key: "palinode", value: Some(&number(record.mark).to_string()) })
        .insert(Header { key: "crc", value: Some(&format!("{:08x}", number(record.crc))) })
        .insert(Header { key: "time", value: Some(&record.wall.0.to_string()) })
}

/// Takes reports, on the producer's own thread.
struct Reports;

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<oneshot::Sender<Result<(), rdkafka::error::KafkaError>>>;

    fn delivery(&self, report: &DeliveryResult<'_>, answer: Self::DeliveryOpaque) {
        let report = report.as_ref().map(|_| ()).map_err(|(error, _)| error.clone());
        // Whoever waited may be gone when the run is over.
        answer.send(report).unwrap_or_default();
    }
}
