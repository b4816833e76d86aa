//! The two roads between shards: in memory when the receiver is owned by this process, else through its inbox. What
//! travels is the same bytes on both; sequence numbers make mixing them safe.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use crate::{
    address::{EntityKey, Topic},
    clock::Clock,
    commit::{FORMAT, Peer},
    log::Log,
    machine::Encoded,
    message::{ClientMessage, Control},
    receipt::Told,
    record::Record,
    remote::{AnswerRecord, CallRecord, WatchRecord, word},
    telemetry::{Appending, Fact, Telemetry},
    time::Micros,
    trace::names::value,
};

/// What reaches an owner besides clients' calls.
#[derive(Debug)]
pub(crate) enum Note {
    /// A channel message, handed over in memory, and when.
    Message(Encoded, Micros),
    /// From the other end of a channel.
    Control(Control),
    /// The inbox lost what nobody had read: the other ends of all channels are asked again.
    Gap,
    /// Somebody of this process waits for an entity's end.
    Watch {
        /// Which.
        entity: EntityKey,
        /// Who.
        reply: oneshot::Sender<Box<RawValue>>,
    },
}

/// A client's message and who waits for the answer.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) message: ClientMessage,
    /// When it came.
    pub(crate) at: Micros,
    pub(crate) reply: oneshot::Sender<Told>,
}

/// The way to an owner of this process.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) notes: mpsc::UnboundedSender<Note>,
}

/// The owners of this process, and the inbox road to all others.
pub(crate) struct Router {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    owners: RwLock<BTreeMap<Peer, Mailbox>>,
    telemetry: Telemetry,
}

impl Router {
    pub(crate) fn new(log: Arc<dyn Log>, clock: Arc<dyn Clock>, telemetry: Telemetry) -> Self {
        Self { log, clock, owners: RwLock::default(), telemetry }
    }

    /// This process owns the shard from now on.
    pub(crate) fn open(&self, shard: Peer, mailbox: Mailbox) {
        self.owners.write().unwrap_or_else(PoisonError::into_inner).insert(shard, mailbox);
    }

    /// It owns it no longer.
    pub(crate) fn close(&self, shard: &Peer) {
        self.owners.write().unwrap_or_else(PoisonError::into_inner).remove(shard);
    }

    /// The owner's mailbox, if the shard is owned here.
    pub(crate) fn owner(&self, shard: &Peer) -> Option<Mailbox> {
        self.owners.read().unwrap_or_else(PoisonError::into_inner).get(shard).cloned()
    }

    /// Hands messages of one channel over, in order, by whichever road there is. Losing them loses nothing: they stay open
    /// at the sender until the receiver has acknowledged them.
    pub(crate) fn messages(&self, to: &Peer, messages: Vec<Encoded>) {
        let wall = self.clock.now();
        if let Some(owner) = self.owner(to) {
            let count = messages.len();
            for message in messages {
                if owner.notes.send(Note::Message(message, wall)).is_err() {
                    return;
                }
            }
            return self.sent_here(to, count);
        }
        let records = messages.iter().map(|encoded| {
            let key = encoded.message().to.key();
            Record::ours(key.to_string().into(), encoded.raw().get().as_bytes().to_vec(), wall)
        });
        self.inbox(to, records.collect());
    }

    /// Tells the other end of a channel something.
    pub(crate) fn control(&self, control: Control) {
        if let Some(owner) = self.owner(&control.to) {
            // A closed mailbox is an owner that stops: control messages are repeated, so nothing is lost.
            let _ = owner.notes.send(Note::Control(control));
            return;
        }
        if let Ok(value) = serde_json::to_vec(&control) {
            self.inbox(&control.to, vec![Record::ours(Arc::from(""), value, self.clock.now())]);
        }
    }

    fn inbox(&self, to: &Peer, records: Vec<Record>) {
        self.append(Topic::inbox(Arc::clone(&to.service)), to.shard, records);
    }

    /// Appends, and tells what the log says of it.
    fn append(&self, topic: Topic, partition: u32, records: Vec<Record>) {
        let messages = records.len();
        let (said, telemetry) = (self.log.append(&topic, partition, records), self.telemetry.clone());
        tokio::spawn(async move {
            let (outcome, system) = (Appending::from(&said.await), telemetry.carrier());
            telemetry.fact(&topic.service, || Fact::Appended(outcome));
            telemetry.fact(&topic.service, || Fact::Sent { system, topic: &topic, messages, outcome });
        });
    }

    /// Tells of messages that were handed over in memory.
    fn sent_here(&self, to: &Peer, messages: usize) {
        if self.telemetry.is_on() {
            let (topic, outcome) = (Topic::inbox(Arc::clone(&to.service)), Appending::Appended);
            let system = value::PALINODE;
            self.telemetry.fact(&to.service, || Fact::Sent { system, topic: &topic, messages, outcome });
        }
    }

    /// Tells a client of another process what this shard says. Losing it loses nothing: whoever waits asks again.
    pub(crate) fn answer(&self, shard: &Peer, partition: u32, answer: &AnswerRecord) {
        match answer.encode() {
            Ok(value) => {
                let record = Record::ours(answer.id.to_string().into(), value, self.clock.now());
                self.append(Topic::replies(Arc::clone(&shard.service)), partition, vec![record]);
            }
            Err(error) => {
                tracing::error!(service = %shard.service, shard = shard.shard, "an answer cannot be written: {error}")
            }
        }
    }
}

/// What an inbox record says.
pub(crate) enum Arrived {
    Message(Bytes),
    Control(Control),
    /// A client's message.
    Call(CallRecord),
    /// A client waits for an entity's end.
    Watch(WatchRecord),
    /// A foreign writer's, or damaged: it is skipped with an alarm; a hole it leaves is asked for again.
    Foreign(String),
}

/// Reads an inbox record. Control messages have no key, everything else has its entity's; what a client wrote says so.
pub(crate) fn arrived(record: &Record) -> Arrived {
    if record.mark.is_none() || record.crc != Some(crc32c::crc32c(&record.value)) {
        return Arrived::Foreign("it is not ours, or damaged".into());
    }
    if let Some(newer) = record.mark.filter(|mark| *mark > FORMAT) {
        // Whoever sent it has it still, and sends it again until somebody can read it.
        return Arrived::Foreign(format!(
            "format {newer} is newer than this build's {FORMAT}: run a newer build"
        ));
    }
    let value = &record.value;
    let read = if record.key.is_empty() {
        serde_json::from_slice(value).map(Arrived::Control)
    } else {
        match word(value).as_deref() {
            None => return Arrived::Message(value.clone()),
            Some("call") => serde_json::from_slice(value).map(Arrived::Call),
            Some("watch") => serde_json::from_slice(value).map(Arrived::Watch),
            Some(other) => return Arrived::Foreign(format!("it says that it is {other:?}")),
        }
    };
    read.unwrap_or_else(|e| Arrived::Foreign(e.to_string()))
}
