//! One reading of one partition: the queue into which a consumer fetches it, and where it stands. Taking from the queue
//! never waits; when it is empty, `news` tells of the next record.

use std::sync::{Arc, mpsc::Sender};

use rdkafka::{
    Message,
    consumer::{BaseConsumer, base_consumer::PartitionQueue},
    error::KafkaError,
    types::RDKafkaErrorCode as Code,
};
use tokio::sync::Notify;

use super::{
    super::{
        context::Told,
        error::{NEEDED, is_doubtful, is_missing_right, words},
        lane::Lane,
        row,
    },
    desk::Command,
};
use crate::log::{LogError, Stored};

/// A page of records ends after so many bytes of values.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// The most records of a page.
const PAGE_RECORDS: usize = 10_000;

/// A reading. Dropping it ends it.
pub(in super::super) struct Stream {
    place: Place,
    queue: Option<PartitionQueue<Told>>,
    news: Arc<Notify>,
    next: u64,
    age: u32,
    broken: Option<Broken>,
    desk: Sender<Command>,
}

/// Which consumer fetches which partition.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) consumer: Arc<BaseConsumer<Told>>,
    pub(super) lane: Arc<Lane>,
}

/// Why a reading cannot go on.
pub(super) enum Broken {
    /// The broker does not have what is next.
    OutOfRange,
    /// Anything else.
    Failed(LogError),
}

impl Stream {
    pub(super) fn new(
        place: Place,
        queue: PartitionQueue<Told>,
        news: Arc<Notify>,
        from: u64,
        desk: Sender<Command>,
    ) -> Self {
        Self { place, queue: Some(queue), news, next: from, age: 0, broken: None, desk }
    }

    /// The offset that comes next.
    pub(in super::super) fn next(&self) -> u64 {
        self.next
    }

    /// Nobody used it since the last sweep.
    pub(in super::super) fn grow_older(&mut self) {
        self.age = self.age.saturating_add(1);
    }

    /// Sweeps since it was used.
    pub(in super::super) fn age(&self) -> u32 {
        self.age
    }

    /// Returns when something may have come since it was last found empty.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Leaves it to the next read that begins where this one ended, unless it was for one record.
    pub(super) fn keep(mut self, lane: &Lane, limit: usize) {
        if limit > 1 {
            self.age = 0;
            lane.put(self);
        }
    }

    /// Its consumer is to open no more readings.
    pub(super) fn give_consumer_up(&self) {
        // Without a desk it opens none.
        drop(self.desk.send(Command::Retire(self.place.clone())));
    }

    /// What has come, at most so many records.
    pub(super) fn page(&mut self, limit: usize) -> Result<Vec<Stored>, Broken> {
        if let Some(broken) = self.broken.take() {
            return Err(broken);
        }
        let (mut page, mut bytes) = (Vec::new(), 0);
        let Some(queue) = &self.queue else { return Ok(page) };
        while page.len() < limit.min(PAGE_RECORDS) && bytes < PAGE_BYTES {
            let message = match queue.poll(std::time::Duration::ZERO) {
                None => break,
                Some(Ok(message)) => message,
                Some(Err(error)) => match self.broken(&error) {
                    None => continue,
                    Some(broken) if page.is_empty() => return Err(broken),
                    // For the next read: it is told once only.
                    broken => {
                        self.broken = broken;
                        break;
                    }
                },
            };
            let Ok(offset) = u64::try_from(message.offset()) else { continue };
            if offset >= self.next {
                let record = row::record(&message);
                bytes += record.value.len();
                page.push(Stored { offset, record });
                self.next = offset.saturating_add(1);
            }
        }
        Ok(page)
    }

    fn broken(&self, error: &KafkaError) -> Option<Broken> {
        let Self { place: Place { lane, .. }, next, .. } = self;
        let what = format!("{lane}, record {next}: {}", words(error));
        match error.rdkafka_error_code()? {
            Code::OffsetOutOfRange | Code::AutoOffsetReset => Some(Broken::OutOfRange),
            code if is_missing_right(code) => {
                Some(Broken::Failed(LogError::retry(format!("{what}: {NEEDED}"))))
            }
            // Lost connections heal; librdkafka tells of them and goes on.
            Code::BrokerTransportFailure | Code::AllBrokersDown | Code::Resolve | Code::OperationTimedOut => {
                None
            }
            _ => {
                if is_doubtful(error) {
                    lane.doubt();
                }
                Some(Broken::Failed(LogError::retry(what)))
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            // Without a desk the consumers are gone, and the queue with them.
            drop(self.desk.send(Command::Close { place: self.place.clone(), queue }));
        }
    }
}
