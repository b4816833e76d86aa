//! A log on Kafka, read with a plain consumer of its own that belongs to no group. Nothing is written, and no byte is
//! trusted here.
//!
//! The ends of many partitions cannot be asked for at one moment. So they are asked for until they stand still: a log
//! that others write meanwhile is refused, because it would seem to lack the causes of what it has.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    message::{BorrowedMessage, Headers},
    types::RDKafkaErrorCode,
};

use crate::source::{CannotRead, Partition, Source, Stored};

/// Records given at once.
const PAGE: usize = 2_000;
/// How long the cluster may take for one answer, and records that must be there to come.
const ANSWERS: Duration = Duration::from_secs(10);
/// How often the ends are asked for until they stand still.
const LOOKS: usize = 20;

/// The log of some services on Kafka, as it was when it was opened.
pub struct KafkaLog {
    prefix: String,
    partitions: Vec<Partition>,
    reading: RefCell<Reading>,
}

/// A consumer, and what it gives next: topic, shard, offset.
struct Reading {
    consumer: BaseConsumer,
    next: Option<(String, u32, u64)>,
}

impl KafkaLog {
    /// Looks at the `events` topics of these services, whose names begin with `prefix`. `properties` are librdkafka's, for
    /// the way to the cluster: `bootstrap.servers`, and what its security asks for.
    ///
    /// ```no_run
    /// let properties = [("bootstrap.servers".to_owned(), "127.0.0.1:9092".to_owned())].into();
    /// let log = palinode_verify::KafkaLog::open(&properties, "", &["hotel", "trip"])?;
    /// let report = palinode_verify::check(&log)?;
    /// assert!(report.is_clean(), "{report}");
    /// # Ok::<(), palinode_verify::CannotRead>(())
    /// ```
    ///
    /// # Errors
    /// [`CannotRead`] when the cluster does not answer, a service has no log there, or somebody writes to it.
    pub fn open(
        properties: &BTreeMap<String, String>,
        prefix: &str,
        services: &[&str],
    ) -> Result<Self, CannotRead> {
        let mut log = Self::open_busy(properties, prefix, services)?;
        for _ in 0..LOOKS {
            let again = ends(&log.reading.get_mut().consumer, prefix, services)?;
            if again == log.partitions {
                return Ok(log);
            }
            log.partitions = again;
        }
        Err(CannotRead(
            "somebody writes to the log: end the processes that work on it, and look again".into(),
        ))
    }

    /// The same, of a log that others may write to meanwhile: each partition as it was at some moment, so a commit may be
    /// there whose cause is not. For whoever looks at one shard.
    ///
    /// # Errors
    /// [`CannotRead`] when the cluster does not answer, or a service has no log there.
    pub fn open_busy(
        properties: &BTreeMap<String, String>,
        prefix: &str,
        services: &[&str],
    ) -> Result<Self, CannotRead> {
        let mut config = ClientConfig::new();
        config.extend(properties.iter().map(|(key, value)| (key.clone(), value.clone())));
        for (key, value) in [
            ("group.id", "palinode-verify"),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "error"),
            ("isolation.level", "read_uncommitted"),
            ("check.crcs", "true"),
            ("enable.partition.eof", "false"),
            ("fetch.wait.max.ms", "20"),
            ("fetch.queue.backoff.ms", "10"),
            ("enable.metrics.push", "false"),
        ] {
            config.set(key, value);
        }
        let consumer: BaseConsumer = config.create().map_err(|e| cannot("the cluster", &e))?;
        let partitions = ends(&consumer, prefix, services)?;
        let reading = RefCell::new(Reading { consumer, next: None });
        Ok(Self { prefix: prefix.to_owned(), partitions, reading })
    }
}

/// All partitions and their ends.
fn ends(consumer: &BaseConsumer, prefix: &str, services: &[&str]) -> Result<Vec<Partition>, CannotRead> {
    let mut partitions = Vec::new();
    for service in services {
        let topic = topic(prefix, service);
        let found = consumer.fetch_metadata(Some(&topic), ANSWERS).map_err(|e| cannot(&topic, &e))?;
        let shards = found.topics().iter().find(|t| t.name() == topic && t.error().is_none());
        let shards = shards.map_or(0, |t| t.partitions().len());
        if shards == 0 {
            return Err(CannotRead(format!("{topic}: there is no such topic; create the service first")));
        }
        for shard in 0..u32::try_from(shards).unwrap_or(u32::MAX) {
            let marks = consumer.fetch_watermarks(&topic, number(shard), ANSWERS);
            let (_, end) = marks.map_err(|e| cannot(&format!("{topic}/{shard}"), &e))?;
            let end = u64::try_from(end).unwrap_or(0);
            partitions.push(Partition { service: Arc::from(*service), shard, end });
        }
    }
    Ok(partitions)
}

impl Source for KafkaLog {
    fn partitions(&self) -> Vec<Partition> {
        self.partitions.clone()
    }

    fn page(&self, partition: &Partition, from: u64) -> Result<Vec<Stored>, CannotRead> {
        let topic = topic(&self.prefix, &partition.service);
        let place = format!("{topic}/{}, from record {from}", partition.shard);
        let Reading { consumer, next: at } = &mut *self.reading.borrow_mut();
        let goes_on =
            at.take().is_some_and(|(t, shard, next)| t == topic && shard == partition.shard && next == from);
        if !goes_on {
            let mut list = TopicPartitionList::new();
            let offset = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
            list.add_partition_offset(&topic, number(partition.shard), offset)
                .and_then(|()| consumer.assign(&list))
                .map_err(|e| cannot(&place, &e))?;
        }
        let (mut page, mut next) = (Vec::new(), from);
        while page.len() < PAGE && next < partition.end {
            match consumer.poll(ANSWERS) {
                Some(Ok(message))
                    if message.topic() == topic && message.partition() == number(partition.shard) =>
                {
                    let stored = stored(&message);
                    next = stored.offset.saturating_add(1);
                    page.push(stored);
                }
                // Fetched before the assignment changed.
                Some(Ok(_)) => {}
                Some(Err(e)) if passes(&e) => {}
                Some(Err(e)) => return Err(cannot(&place, &e)),
                None => break,
            }
        }
        page.retain(|stored| stored.offset < partition.end);
        if page.is_empty() && from < partition.end {
            return Err(CannotRead(format!("{place}: nothing came within {ANSWERS:?}")));
        }
        *at = Some((topic, partition.shard, next));
        Ok(page)
    }
}

/// What the client mends by itself.
fn passes(e: &KafkaError) -> bool {
    let transport = [RDKafkaErrorCode::AllBrokersDown, RDKafkaErrorCode::BrokerTransportFailure];
    e.rdkafka_error_code().is_some_and(|code| transport.contains(&code))
}

fn topic(prefix: &str, service: &str) -> String {
    format!("{prefix}{service}.events")
}

fn number(shard: u32) -> i32 {
    i32::try_from(shard).unwrap_or(i32::MAX)
}

fn cannot(place: &str, e: &KafkaError) -> CannotRead {
    CannotRead(format!("{place}: {e}"))
}

/// A message as its owner reads it. One with a mark that is no number was written by something newer than this.
fn stored(message: &BorrowedMessage<'_>) -> Stored {
    let text = |name: &str| {
        let headers = message.headers()?;
        let value = headers.iter().find(|header| header.key == name)?.value.unwrap_or_default();
        Some(String::from_utf8_lossy(value).into_owned())
    };
    Stored {
        offset: u64::try_from(message.offset()).unwrap_or(0),
        mark: text("palinode").map(|mark| mark.parse().unwrap_or(u32::MAX)),
        crc: text("crc").and_then(|crc| u32::from_str_radix(&crc, 16).ok()),
        value: message.payload().unwrap_or_default().to_vec(),
        damage: None,
    }
}
