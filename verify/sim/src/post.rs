//! What goes wrong with the inboxes: records that retention takes, that come late and in another order, twice, damaged, or
//! under a forged number. A log that keeps its promises does none of this to `events`; to an inbox all of it may happen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use palinode::{
    Digest, Log, Micros, Record, Topic,
    address::Stream,
    log::{LogError, Stored, memory::MemoryCluster},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How many records come again at most.
const AGAIN: usize = 200;

/// What goes wrong with one inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Loss {
    /// What is there at the beginning is gone, and what came since at the end: retention is too short.
    Gone,
    /// What comes is not seen until the end, and then in the opposite order.
    Swapped,
    /// Everything that ever came comes again at the end, the last one first.
    Again,
    /// The last message is gone, and a damaged copy of it is there instead.
    Damaged,
    /// Messages that bear the next numbers of a channel, and numbers far beyond it, and were never sent; and an
    /// acknowledgement nobody gave.
    Forged,
}

/// Which records of which inboxes are not to be seen. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Post(Arc<Mutex<BTreeMap<(Topic, u32), Hidden>>>);

#[derive(Default)]
struct Hidden {
    /// All below this are gone.
    below: u64,
    gone: BTreeSet<u64>,
    /// All from here on are not seen yet.
    beyond: Option<u64>,
}

impl Hidden {
    fn hides(&self, offset: u64) -> bool {
        offset < self.below || self.gone.contains(&offset)
    }
}

impl Post {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Topic, u32), Hidden>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hide<T>(&self, place: &(Topic, u32), with: impl FnOnce(&mut Hidden) -> T) -> T {
        with(self.lock().entry(place.clone()).or_default())
    }

    /// Reads what is to be seen of a partition.
    pub(crate) async fn read(
        &self,
        log: &dyn Log,
        topic: &Topic,
        partition: u32,
        mut from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        loop {
            let mut records = log.read(topic, partition, from, limit).await?;
            if topic.stream != Stream::Inbox {
                return Ok(records);
            }
            let Some(last) = records.last().map(|stored| stored.offset) else { return Ok(records) };
            let beyond = self.hide(&(topic.clone(), partition), |hidden| {
                records.retain(|stored| !hidden.hides(stored.offset));
                hidden.beyond
            });
            records.retain(|stored| beyond.is_none_or(|beyond| stored.offset < beyond));
            if !records.is_empty() || beyond.is_some_and(|beyond| last >= beyond) {
                return Ok(records);
            }
            from = last + 1;
        }
    }

    /// The beginning of a fault of an inbox.
    pub(crate) fn begin(&self, cluster: &MemoryCluster, service: &str, shard: u32, what: Loss) {
        let place = (Topic::inbox(service), shard);
        let end = cluster.records(&place.0, shard).len() as u64;
        match what {
            Loss::Gone => self.hide(&place, |hidden| hidden.below = end),
            Loss::Swapped => self.hide(&place, |hidden| hidden.beyond = Some(end)),
            Loss::Forged => forge(cluster, service, shard),
            Loss::Again | Loss::Damaged => {}
        }
    }

    /// Its end.
    pub(crate) fn finish(&self, cluster: &MemoryCluster, service: &str, shard: u32, what: Loss) {
        let place = (Topic::inbox(service), shard);
        let records = cluster.records(&place.0, shard);
        let end = records.len() as u64;
        let put = |record: &Record| {
            let _ = cluster.inject(&place.0, shard, record.clone());
        };
        match what {
            Loss::Gone => self.hide(&place, |hidden| hidden.below = end),
            Loss::Swapped => {
                let beyond = self.hide(&place, |hidden| {
                    let beyond = hidden.beyond.take().unwrap_or(end);
                    hidden.gone.extend(beyond..end);
                    beyond
                });
                let late = (0..).zip(&records).filter(|(offset, _)| *offset >= beyond);
                let late: Vec<&Record> = late.map(|(_, record)| record).collect();
                late.into_iter().rev().for_each(put);
            }
            Loss::Again => records.iter().rev().take(AGAIN).for_each(put),
            Loss::Damaged => {
                let last = records.iter().rposition(|record| !record.key.is_empty());
                if let Some((at, record)) = last.and_then(|at| Some((at, records.get(at)?))) {
                    self.hide(&place, |hidden| hidden.gone.insert(at as u64));
                    put(&damaged(record));
                }
            }
            Loss::Forged => forge(cluster, service, shard),
        }
    }
}

/// A record of which one byte is not what was written.
pub(crate) fn damaged(record: &Record) -> Record {
    let mut value = record.value.to_vec();
    let middle = value.len() / 2;
    if let Some(byte) = value.get_mut(middle) {
        *byte ^= 1;
    }
    Record { value: value.into(), ..record.clone() }
}

/// Puts records into an inbox that were never sent: messages that look like the next ones of a channel, and the
/// acknowledgement of the last one of another. Whoever wrote them saw numbers, and not what the messages said.
fn forge(cluster: &MemoryCluster, service: &str, shard: u32) {
    let sent_by_it = |message: &Value| {
        message["from"]["service"] == json!(service) && message["from"]["shard"] == json!(shard)
    };
    if let Some(open) = last_message(cluster, sent_by_it) {
        let receiver = json!({
            "service": open["to"]["service"], "log_id": open["to"]["log_id"], "shard": open["shard"],
        });
        let says = json!({ "ack": { "upto": open["seq"], "digest": Digest::of(b"a guess") } });
        let ack = json!({ "from": receiver, "to": open["from"], "says": says });
        let record = Record::ours("".into(), ack.to_string().into_bytes(), Micros(0));
        let _ = cluster.inject(&Topic::inbox(service), shard, record);
    }
    let sent_to_it =
        |message: &Value| message["to"]["service"] == json!(service) && message["shard"] == json!(shard);
    let Some(Value::Object(last)) = last_message(cluster, sent_to_it) else { return };
    let seq = last.get("seq").and_then(Value::as_u64).unwrap_or(0);
    let key = format!(
        "{}/{}",
        last["to"]["kind"].as_str().unwrap_or("x"),
        last["to"]["id"].as_str().unwrap_or("x")
    );
    for ahead in [1, 2, 5, 1_000_000] {
        let mut forged = last.clone();
        forged.insert("seq".into(), json!(seq + ahead));
        forged.insert("prev".into(), json!(Digest::of(&[u8::try_from(ahead % 251).unwrap_or(0)])));
        let value = Value::Object(forged).to_string().into_bytes();
        let record = Record::ours(key.as_str().into(), value, Micros(0));
        let _ = cluster.inject(&Topic::inbox(service), shard, record);
    }
}

/// The last such message that any log says was sent.
fn last_message(cluster: &MemoryCluster, is: impl Fn(&Value) -> bool) -> Option<Value> {
    let mut last = None;
    for sender in crate::world::SERVICES {
        for from in 0..4 {
            for record in cluster.records(&Topic::events(sender), from) {
                let Ok(commit) = serde_json::from_slice::<Value>(&record.value) else { continue };
                let sends = commit["sends"].as_array().into_iter().flatten();
                last = sends.filter(|message| is(message)).last().cloned().or(last);
            }
        }
    }
    last
}
