//! The desk's eyes on the log on Kafka: a consumer of its own, which belongs to no group and begins at the end.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};

use super::Asked;
use crate::{place::Servers, services::Name};

/// How long the cluster may take for an answer.
const ANSWERS: Duration = Duration::from_secs(10);
/// How long one look waits for a record.
const LOOK: Duration = Duration::from_millis(50);

/// Tells what comes from now on, until nobody wants to be told.
///
/// # Errors
/// When the cluster does not answer, or has no such log.
pub(super) async fn watch(servers: Servers, asked: Arc<Asked>) -> anyhow::Result<()> {
    let consumer = tokio::task::spawn_blocking(move || at_the_end(&servers)).await??;
    // It ends within one look after the desk is closed.
    tokio::task::spawn_blocking(move || {
        while !asked.is_closed() {
            match consumer.poll(LOOK) {
                Some(Ok(record)) => asked.tell(record.payload().into_iter()),
                Some(Err(e)) => tracing::debug!("the desk cannot look: {e}"),
                None => {}
            }
        }
    });
    Ok(())
}

/// A consumer of all shards, from the records on that come next.
fn at_the_end(servers: &Servers) -> anyhow::Result<BaseConsumer> {
    let (properties, prefix) = servers.log();
    let topic = format!("{prefix}{}.events", Name::Trip.as_str());
    let mut config = ClientConfig::new();
    config.extend(properties);
    for (key, value) in
        [("group.id", "booking-desk"), ("enable.auto.commit", "false"), ("fetch.wait.max.ms", "10")]
    {
        config.set(key, value);
    }
    let consumer: BaseConsumer = config.create()?;
    let found = consumer.fetch_metadata(Some(&topic), ANSWERS).with_context(|| topic.clone())?;
    let shards = found.topics().first().map_or(0, |topic| topic.partitions().len());
    let mut list = TopicPartitionList::new();
    for shard in 0..i32::try_from(shards)? {
        let (_, end) = consumer.fetch_watermarks(&topic, shard, ANSWERS).with_context(|| topic.clone())?;
        list.add_partition_offset(&topic, shard, Offset::Offset(end))?;
    }
    consumer.assign(&list)?;
    Ok(consumer)
}
