//! A log in a vector, a writer that knows the shape of its records, and an aggregate: what the tests of projections stand
//! on.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may be blunt"
)]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use palinode::{
    Aggregate, Append, Context, Digest, Log, ManualClock, Micros, Record, Token,
    address::Topic,
    codec::{claim_record, encode_commit, genesis_record},
    commit::{Cause, Claim, Commit, EntityRef, EventRecord, FORMAT, Genesis, Outcome, TimerChanges},
    entity::encode_event,
    log::{Created, LogError, Membership, Stored},
    projection::Source,
    tail::Tail,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) const LOG: Uuid = Uuid::from_u128(0xa11);
pub(crate) const SHARDS: u32 = 2;

/// A log of one service in memory, with a writer's state for each partition.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Mutex<Inner>>, pub(crate) Tail, pub(crate) Arc<AtomicU32>);

struct Inner {
    log_id: Uuid,
    partitions: Vec<Partition>,
}

#[derive(Clone)]
struct Partition {
    records: Vec<Record>,
    term: u64,
    claim_id: Uuid,
    pseq: u64,
    digest: Digest,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self::with_id(LOG)
    }

    pub(crate) fn with_id(log_id: Uuid) -> Self {
        let genesis = Genesis { log_id, service: "bank".into(), partitions: SHARDS, format: FORMAT };
        let record = genesis_record(&genesis, Micros(0)).unwrap();
        let digest = Digest::of(&record.value);
        let first = Partition { records: vec![record], term: 0, claim_id: Uuid::nil(), pseq: 0, digest };
        let partitions = vec![first; SHARDS as usize];
        let journal =
            Self(Arc::new(Mutex::new(Inner { log_id, partitions })), Tail::new(SHARDS), Arc::default());
        (0..SHARDS).for_each(|shard| journal.claim(shard));
        journal
    }

    /// A log of its own with the same records; its tail knows nothing.
    pub(crate) fn copy(&self) -> Self {
        let inner = self.0.lock().unwrap();
        let copy = Inner { log_id: inner.log_id, partitions: inner.partitions.clone() };
        Self(Arc::new(Mutex::new(copy)), Tail::new(SHARDS), Arc::default())
    }

    /// The log is set back to this one under its readers; the tail does not know.
    pub(crate) fn set_back(&self, to: &Self) {
        let partitions = to.0.lock().unwrap().partitions.clone();
        self.0.lock().unwrap().partitions = partitions;
    }

    /// What a node gives a projection to read.
    pub(crate) fn source(&self, clock: &ManualClock) -> Source {
        Source {
            service: "bank".into(),
            log_id: self.0.lock().unwrap().log_id,
            partitions: SHARDS,
            log: Arc::new(self.clone()),
            tail: self.1.clone(),
            clock: Arc::new(clock.clone()),
            reader: "test".into(),
            telemetry: palinode::telemetry::Telemetry::default(),
        }
    }

    /// The next reads fail, and can be tried again.
    pub(crate) fn fail_reads(&self, times: u32) {
        self.2.store(times, Ordering::SeqCst);
    }

    pub(crate) fn end(&self, shard: u32) -> u64 {
        self.0.lock().unwrap().partitions[shard as usize].records.len() as u64
    }

    /// Appends a record as it is, and wakes readers.
    pub(crate) fn append_raw(&self, shard: u32, record: Record) {
        self.0.lock().unwrap().partitions[shard as usize].records.push(record);
        self.1.advance(shard, self.end(shard));
    }

    /// The record at an offset.
    pub(crate) fn record(&self, shard: u32, offset: usize) -> Record {
        self.0.lock().unwrap().partitions[shard as usize].records[offset].clone()
    }

    pub(crate) fn claim(&self, shard: u32) {
        let record = {
            let at = &mut self.0.lock().unwrap().partitions[shard as usize];
            at.term += 1;
            at.claim_id = Uuid::from_u128(u128::from(at.term) + 7_000);
            let claim = Claim { term: at.term, claim_id: at.claim_id, owner: "test".into(), time: Micros(0) };
            claim_record(&claim, Micros(0)).unwrap()
        };
        self.append_raw(shard, record);
    }

    /// An effective commit with these events of an account.
    pub(crate) fn commit(&self, shard: u32, account: &str, events: Vec<EventRecord>) -> Token {
        let record = self.build(shard, account, events, true);
        self.append_raw(shard, record);
        self.token(shard)
    }

    pub(crate) fn deposit(&self, shard: u32, account: &str, cents: &[i64]) -> Token {
        self.commit(shard, account, cents.iter().map(|n| deposited(*n)).collect())
    }

    /// A commit that would be the next one; the writer's state moves only if it is meant to count.
    pub(crate) fn build(&self, shard: u32, account: &str, events: Vec<EventRecord>, counts: bool) -> Record {
        let at = &mut self.0.lock().unwrap().partitions[shard as usize];
        let outcome = if events.is_empty() { Outcome::Rejected } else { Outcome::Accepted };
        let commit = Commit {
            term: at.term,
            claim_id: at.claim_id,
            pseq: at.pseq + 1,
            prev: at.digest,
            time: Micros(1_000 * (at.pseq as i64 + 1)),
            cause: Cause::Control { act: "test".into() },
            low: None,
            closed: vec![],
            entity: Some(EntityRef { kind: "account".into(), id: account.into(), version: at.pseq }),
            outcome,
            answer: None,
            events,
            sends: vec![],
            timers: TimerChanges::default(),
            runs: vec![],
            ended: false,
            parked: None,
            traceparent: None,
        };
        let value = encode_commit(&commit).unwrap();
        if counts {
            at.pseq += 1;
            at.digest = Digest::of(&value);
        }
        Record::ours("".into(), value, Micros(0))
    }

    /// Where the shard is now.
    pub(crate) fn token(&self, shard: u32) -> Token {
        let inner = self.0.lock().unwrap();
        Token {
            service: "bank".into(),
            log_id: inner.log_id,
            shard,
            pseq: inner.partitions[shard as usize].pseq,
        }
    }
}

#[async_trait]
impl Log for Journal {
    fn append(&self, _topic: &Topic, _partition: u32, _records: Vec<Record>) -> BoxFuture<'static, Append> {
        std::future::ready(Append::Refused(LogError::stop("read only"))).boxed()
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        assert_eq!(topic.to_string(), "bank.events");
        let failing = |left: u32| left.checked_sub(1);
        if self.2.fetch_update(Ordering::SeqCst, Ordering::SeqCst, failing).is_ok() {
            return Err(LogError::retry("the log is away"));
        }
        let inner = self.0.lock().unwrap();
        let records = inner.partitions[partition as usize].records.iter().enumerate();
        let from = records.skip(usize::try_from(from).unwrap()).take(limit);
        Ok(from.map(|(n, record)| Stored { offset: n as u64, record: record.clone() }).collect())
    }

    async fn end(&self, _topic: &Topic, partition: u32) -> Result<u64, LogError> {
        Ok(Journal::end(self, partition))
    }

    async fn create(&self, _service: &str, _partitions: u32, _log_id: Uuid) -> Created {
        Created::Refused(LogError::stop("read only"))
    }

    async fn join(&self, _service: &str) -> Result<Box<dyn Membership>, LogError> {
        Err(LogError::stop("read only"))
    }
}

pub(crate) fn deposited(cents: i64) -> EventRecord {
    encode_event("account", &Account::upcasters(), &Event::Deposited(cents)).unwrap()
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Account;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Deposited(i64),
    Closed,
}

impl Aggregate for Account {
    const SERVICE: &'static str = "bank";
    const KIND: &'static str = "account";
    type Command = ();
    type Event = Event;
    type Reply = ();
    type Rejection = String;

    fn decide(&self, (): &(), _: &Context) -> Result<Vec<Event>, String> {
        Ok(vec![])
    }
    fn evolve(&mut self, _: &Event) {}
    fn reply(&self, (): &()) {}
}
