//! What is kept of a failure: the verdict with its seed, what the processes and the servers logged, and the last records of
//! every topic. Judges nothing, and must not fail where the cluster has.

use std::{fmt::Write as _, fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::{
    domain::{SERVICES, SHARDS},
    place::Place,
    run::Verdict,
    servers::Servers,
};

/// How many of the last records of each partition.
const LAST: i64 = 300;
/// How long the cluster may take for an answer.
const ANSWERS: Duration = Duration::from_secs(3);

/// Keeps the verdict, and what the servers logged.
pub(crate) fn keep(folder: &Path, servers: &Servers, verdict: &Verdict) -> anyhow::Result<()> {
    fs::write(folder.join("verdict.json"), serde_json::to_vec_pretty(verdict)?)?;
    for log in servers.logs() {
        let name = log.file_name().context("a log without a name")?;
        fs::copy(&log, folder.join(name)).with_context(|| log.display().to_string())?;
    }
    Ok(())
}

/// Keeps the last records of every topic, as far as they can be read.
pub(crate) async fn records(place: &Arc<Place>, folder: &Path) {
    let (place, folder) = (Arc::clone(place), folder.to_owned());
    let kept = tokio::task::spawn_blocking(move || dump(&place, &folder)).await;
    if let Ok(Err(e)) = kept {
        crate::say(format_args!("records could not be kept: {e:#}"));
    }
}

fn dump(place: &Place, folder: &Path) -> anyhow::Result<()> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &place.kafka).set("group.id", "chaos-evidence");
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    for service in SERVICES {
        for stream in ["events", "inbox", "replies"] {
            let topic = format!("{}{service}.{stream}", place.prefix);
            let mut text = String::new();
            for shard in 0..i32::try_from(SHARDS)? {
                partition(&consumer, &topic, shard, &mut text)?;
            }
            fs::write(folder.join(format!("{service}.{stream}.txt")), text)?;
        }
    }
    Ok(())
}

fn partition(consumer: &BaseConsumer, topic: &str, shard: i32, text: &mut String) -> anyhow::Result<()> {
    let (first, end) = consumer.fetch_watermarks(topic, shard, ANSWERS)?;
    let from = first.max(end - LAST);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, shard, Offset::Offset(from))?;
    consumer.assign(&list)?;
    let mut next = from;
    while next < end {
        let Some(message) = consumer.poll(ANSWERS) else { break };
        let message = message?;
        if (message.topic(), message.partition()) != (topic, shard) {
            continue;
        }
        next = message.offset() + 1;
        let (key, value) = (message.key().unwrap_or_default(), message.payload().unwrap_or_default());
        let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
        let _ = writeln!(text, "{shard}/{} {key} {value}", message.offset());
    }
    Ok(())
}
