//! What waits for the writer: a bounded queue between callers on any thread and the one writer thread. It keeps the
//! order of the calls; a full queue refuses, because a caller must not be made to wait inside `append` (L1).

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::lane::Lane;
use crate::{
    log::{Append, Created, LogError},
    record::Record,
};

/// The most records that wait.
const WAITING_RECORDS: usize = 65_536;
/// The most bytes of values that wait.
const WAITING_BYTES: usize = 64 * 1024 * 1024;
/// A batch takes no further append after so many records: a larger one only lengthens everybody's wait.
const BATCH_RECORDS: usize = 1_000;
/// Nor after so many bytes of values.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Records on their way to one lane.
pub(super) struct Waiting {
    pub(super) lane: Arc<Lane>,
    pub(super) records: Vec<Record>,
    /// The offset of the first, once the writer has taken it.
    pub(super) first: u64,
    pub(super) answer: oneshot::Sender<Append>,
}

impl Waiting {
    pub(super) fn bytes(&self) -> usize {
        self.records.iter().map(|r| r.value.len()).sum()
    }
}

/// A service to be created.
pub(super) struct NewService {
    pub(super) service: Arc<str>,
    pub(super) partitions: u32,
    pub(super) log_id: Uuid,
    pub(super) answer: oneshot::Sender<Created>,
}

/// What the writer does next.
pub(super) enum Work {
    /// Everything in the batch, in one transaction.
    Batch,
    /// A service.
    Create(NewService),
    /// Close in order.
    Close(oneshot::Sender<Result<(), LogError>>),
    /// Stop at once: the log failed, or was dropped.
    Stop,
}

enum Item {
    Append(Waiting),
    Create(NewService),
    Close(oneshot::Sender<Result<(), LogError>>),
}

#[derive(Default)]
struct Inner {
    items: VecDeque<Item>,
    records: usize,
    bytes: usize,
    closed: Option<LogError>,
}

/// The queue.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    filled: Condvar,
}

impl Queue {
    /// Queues an append, or says why not.
    pub(super) fn append(&self, waiting: Waiting) -> Result<(), (Waiting, LogError)> {
        let (records, bytes) = (waiting.records.len(), waiting.bytes());
        let mut inner = self.lock();
        if let Some(why) = &inner.closed {
            let why = why.clone();
            return Err((waiting, why));
        }
        let full = inner.records + records > WAITING_RECORDS || inner.bytes + bytes > WAITING_BYTES;
        if full && inner.records > 0 {
            let why = format!(
                "{} records wait for the log already: try again when some are answered",
                inner.records
            );
            return Err((waiting, LogError::retry(why)));
        }
        inner.records += records;
        inner.bytes += bytes;
        self.push(inner, Item::Append(waiting));
        Ok(())
    }

    /// Queues the creation of a service.
    pub(super) fn create(&self, new: NewService) -> Result<(), LogError> {
        self.control(Item::Create(new))
    }

    /// Queues the end.
    pub(super) fn close_in_order(
        &self,
        answer: oneshot::Sender<Result<(), LogError>>,
    ) -> Result<(), LogError> {
        self.control(Item::Close(answer))
    }

    fn control(&self, item: Item) -> Result<(), LogError> {
        let inner = self.lock();
        if let Some(why) = &inner.closed {
            return Err(why.clone());
        }
        self.push(inner, item);
        Ok(())
    }

    /// Takes nothing more, and refuses what waits. The first reason stays.
    pub(super) fn close(&self, why: LogError) -> LogError {
        let mut inner = self.lock();
        let why = inner.closed.get_or_insert(why).clone();
        let waiting = std::mem::take(&mut inner.items);
        drop(inner);
        self.filled.notify_all();
        for item in waiting {
            match item {
                Item::Append(a) => drop(a.answer.send(Append::Refused(why.clone()))),
                Item::Create(c) => drop(c.answer.send(Created::Refused(why.clone()))),
                Item::Close(answer) => drop(answer.send(Err(why.clone()))),
            }
        }
        why
    }

    /// Waits for something to do. Appends come all at once, in the order of their calls, into `batch`.
    pub(super) fn take(&self, batch: &mut Vec<Waiting>) -> Work {
        let mut inner = self.lock();
        while inner.items.is_empty() && inner.closed.is_none() {
            inner = self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut records, mut bytes) = (0, 0);
        while let Some(item) = inner.items.pop_front() {
            match item {
                Item::Append(waiting) => {
                    records += waiting.records.len();
                    bytes += waiting.bytes();
                    batch.push(waiting);
                }
                other if !batch.is_empty() => {
                    inner.items.push_front(other);
                    break;
                }
                Item::Create(new) => return Work::Create(new),
                Item::Close(answer) => return Work::Close(answer),
            }
            if records >= BATCH_RECORDS || bytes >= BATCH_BYTES {
                break;
            }
        }
        inner.records -= records.min(inner.records);
        inner.bytes -= bytes.min(inner.bytes);
        if batch.is_empty() { Work::Stop } else { Work::Batch }
    }

    fn push(&self, mut inner: MutexGuard<'_, Inner>, item: Item) {
        // Waking costs a call of the system: only the first of a batch pays for it.
        let first = inner.items.is_empty();
        inner.items.push_back(item);
        drop(inner);
        if first {
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
