//! A foreign client with the right to write: garbage and doubled records on every topic, and calls that another partitioner
//! put onto the wrong shard.
//!
//! Breaks: records between ours that are none; the same commit, call and answer again; an entity asked on a shard that is not
//! its own. Must hold: what does not count is skipped, what was done is not done again, and what went to the wrong shard is
//! refused there without a commit.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use async_trait::async_trait;
use palinode::{Clock as _, Ids as _, SystemClock, SystemIds, log::memory::Chance};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{Header, OwnedHeaders, OwnedMessage},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::{Value, json};

use super::{Disaster, Struck};
use crate::{
    domain::{SERVICES, SHARDS},
    place::Place,
    scene::Scene,
};

/// How often every partition is written to.
const ROUNDS: u64 = 3;
/// How many of its last records are written again each time.
const AGAIN: i64 = 8;
/// How long the cluster may take for an answer.
const ANSWERS: Duration = Duration::from_secs(10);

pub(super) struct Foreign;

#[async_trait]
impl Disaster for Foreign {
    fn name(&self) -> &'static str {
        "foreign-client"
    }

    fn what(&self) -> &'static str {
        "garbage, doubled and misplaced records on every topic"
    }

    async fn strike(&self, scene: &mut Scene<'_>) -> anyhow::Result<Struck> {
        let mut written = BTreeMap::<&str, u64>::new();
        for _ in 0..ROUNDS {
            let (place, mut chance) = (Arc::clone(&scene.place), Chance::new(scene.chance.draw()));
            let wrote = tokio::task::spawn_blocking(move || Writer::new(&place)?.all(&mut chance)).await??;
            wrote.into_iter().for_each(|(what, n)| *written.entry(what).or_default() += n);
            scene.progress(30).await?;
        }
        let did: Vec<String> = written.iter().map(|(what, n)| format!("{n} {what}")).collect();
        Ok(Struck::with(format!("wrote {}", did.join(", "))).and_dead_records())
    }
}

struct Writer {
    prefix: String,
    consumer: BaseConsumer,
    producer: BaseProducer,
}

impl Writer {
    fn new(place: &Place) -> anyhow::Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &place.kafka);
        let producer = config.create()?;
        config.set("group.id", "chaos-foreign").set("enable.auto.commit", "false");
        Ok(Self { prefix: place.prefix.clone(), consumer: config.create()?, producer })
    }

    /// Everything onto every partition: how much of what.
    fn all(&self, chance: &mut Chance) -> anyhow::Result<BTreeMap<&'static str, u64>> {
        let mut wrote = BTreeMap::<&'static str, u64>::new();
        for (service, stream) in
            SERVICES.iter().flat_map(|s| ["events", "inbox", "replies"].map(|stream| (s, stream)))
        {
            let topic = format!("{}{service}.{stream}", self.prefix);
            for partition in 0..i32::try_from(SHARDS)? {
                for garbage in garbage(chance, stream) {
                    self.write(&topic, partition, b"", &garbage.0, garbage.1)?;
                    *wrote.entry("pieces of garbage").or_default() += 1;
                }
                for record in self.last(&topic, partition)? {
                    let (key, value) =
                        (record.key().unwrap_or_default(), record.payload().unwrap_or_default());
                    self.write(&topic, partition, key, value, record.headers().cloned())?;
                    *wrote.entry("doubled records").or_default() += 1;
                    if let Some((value, headers)) = (stream == "inbox").then(|| misplaced(value)).flatten() {
                        let elsewhere = (partition + 1) % i32::try_from(SHARDS)?;
                        self.write(&topic, elsewhere, key, &value, Some(headers))?;
                        *wrote.entry("misplaced calls").or_default() += 1;
                    }
                }
            }
        }
        self.producer.flush(ANSWERS).context("the cluster does not take it")?;
        Ok(wrote)
    }

    fn write(
        &self,
        topic: &str,
        partition: i32,
        key: &[u8],
        value: &[u8],
        headers: Option<OwnedHeaders>,
    ) -> anyhow::Result<()> {
        let record = BaseRecord::<[u8], [u8]>::to(topic).partition(partition).key(key).payload(value);
        let record = record.headers(headers.unwrap_or_default());
        self.producer.send(record).map_err(|(e, _)| e).with_context(|| topic.to_owned())
    }

    /// The last records of a partition.
    fn last(&self, topic: &str, partition: i32) -> anyhow::Result<Vec<OwnedMessage>> {
        let (first, end) = self.consumer.fetch_watermarks(topic, partition, ANSWERS)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(first.max(end - AGAIN)))?;
        self.consumer.assign(&list)?;
        let (mut last, mut next) = (Vec::new(), first.max(end - AGAIN));
        while next < end {
            let message = self.consumer.poll(ANSWERS).context("nothing came")??;
            if (message.topic(), message.partition()) == (topic, partition) {
                next = message.offset() + 1;
                last.push(message.detach());
            }
        }
        Ok(last)
    }
}

/// Bytes that are nothing; and, but on events, where it would be damage of our own, what has our mark and makes no sense.
fn garbage(chance: &mut Chance, stream: &str) -> Vec<(Vec<u8>, Option<OwnedHeaders>)> {
    let noise: Vec<u8> = (0..chance.below(200)).flat_map(|_| chance.draw().to_le_bytes()).collect();
    let mut garbage = vec![(noise, None), (Vec::new(), None), (br#"{"t":"commit","term":7}"#.to_vec(), None)];
    if stream != "events" {
        for text in [r#"{"t":"call"}"#, r#"{"t":"never heard of"}"#, "[]", "{", r#"{"seq":1}"#] {
            garbage.push((text.into(), Some(marked(text.as_bytes()))));
        }
    }
    garbage
}

/// The headers under which we would have written it.
fn marked(value: &[u8]) -> OwnedHeaders {
    let crc = format!("{:08x}", crc32c::crc32c(value));
    let headers = OwnedHeaders::new().insert(Header { key: "palinode", value: Some("1") });
    headers.insert(Header { key: "crc", value: Some(&crc) })
}

/// The same call with an id of its own, for a shard that is not its entity's; nothing of what is no call.
fn misplaced(value: &[u8]) -> Option<(Vec<u8>, OwnedHeaders)> {
    let mut call: Value = serde_json::from_slice(value).ok()?;
    if call.get("t")? != "call" {
        return None;
    }
    *call.get_mut("id")? = json!(SystemIds.fresh(SystemClock.now()));
    let value = serde_json::to_vec(&call).ok()?;
    let headers = marked(&value);
    Some((value, headers))
}
