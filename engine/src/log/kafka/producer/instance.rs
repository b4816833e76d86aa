//! One producer: sends records in the order in which it is asked, and hands their reports to their batches. When the
//! driver's queue is full, what comes later waits here, in order; its values are shared, not copied.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::Sender,
    },
    time::Duration,
};

use rdkafka::{
    ClientContext, Message as _,
    config::RDKafkaLogLevel,
    error::KafkaError,
    metadata::Metadata,
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode as Code,
};

use super::{
    super::{
        context::{line, trouble},
        error::{is_doubtful, passing, undelivered, words},
        lane::Lane,
        row,
        settings::{KafkaSettings, Role},
    },
    batch::Batch,
};
use crate::{
    log::{Append, LogError},
    record::Record,
};

/// How long the cluster has to say who leads a partition.
const LEADERS: Duration = Duration::from_secs(1);

/// What must not be done where reports are taken.
pub(in super::super) enum Job {
    /// The queue of this producer has room again.
    Room(u64),
    /// Something failed: look whether this producer has failed for good. The driver tells of that under the code of the
    /// cause, so only the producer itself knows.
    Look(u64),
    /// This producer did not deliver a record to this partition in time: look whether it ever will.
    Late(u64, Arc<Lane>),
}

/// Producers are numbered in a process.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A producer.
pub(super) struct Instance {
    pub(super) number: u64,
    producer: ThreadedProducer<Reports>,
    waiting: Mutex<VecDeque<Parcel>>,
    behind: Arc<AtomicBool>,
}

/// A record on its way, and the append it is of.
struct Parcel {
    record: Record,
    ticket: Box<Ticket>,
}

/// Which record of which append a report is for.
pub(super) struct Ticket {
    batch: Arc<Batch>,
    nth: usize,
}

impl Instance {
    pub(super) fn start(
        settings: &KafkaSettings,
        role: Role,
        jobs: &Sender<Job>,
    ) -> Result<Arc<Self>, LogError> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let behind = Arc::new(AtomicBool::new(false));
        let reports = Reports { number, jobs: jobs.clone(), behind: Arc::clone(&behind) };
        let made = settings.client(&role).create_with_context(reports);
        let producer: ThreadedProducer<Reports> = made.map_err(|e| passing("a producer", &e))?;
        Ok(Arc::new(Self { number, producer, waiting: Mutex::default(), behind }))
    }

    /// Queues the records of a batch behind everything that was queued before.
    pub(super) fn send(&self, batch: &Arc<Batch>, records: Vec<Record>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let parcels = records.into_iter().enumerate();
        let parcels = parcels.map(|(nth, record)| Parcel {
            record,
            ticket: Box::new(Ticket { batch: Arc::clone(batch), nth }),
        });
        if waiting.is_empty() {
            let mut parcels = parcels;
            for parcel in parcels.by_ref() {
                if let Err(back) = self.queue(parcel) {
                    waiting.push_back(back);
                    break;
                }
            }
            waiting.extend(parcels);
        } else {
            waiting.extend(parcels);
        }
        if !waiting.is_empty() {
            self.drain(&mut waiting);
        }
    }

    /// Whether it will never send anything again.
    pub(super) fn has_failed(&self) -> bool {
        self.producer.client().fatal_error().is_some()
    }

    /// Whether the cluster says who leads this partition. Blocks for a moment.
    pub(super) fn knows_leader(&self, lane: &Lane) -> bool {
        let told = self.producer.client().fetch_metadata(Some(&lane.topic), LEADERS);
        let leads = |of: &Metadata| {
            let partitions = of.topics().iter().flat_map(|topic| topic.partitions());
            partitions.filter(|partition| partition.id() == lane.number).any(|found| found.leader() >= 0)
        };
        told.is_ok_and(|of| leads(&of))
    }

    /// Whether something waits for room.
    #[cfg(test)]
    pub(super) fn is_behind(&self) -> bool {
        !self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// There is room in the queue.
    pub(super) fn go_on(&self) {
        self.drain(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn drain(&self, waiting: &mut VecDeque<Parcel>) {
        // First said, then tried: a report in between asks for another try.
        self.behind.store(true, Ordering::Release);
        while let Some(parcel) = waiting.pop_front() {
            if let Err(back) = self.queue(parcel) {
                waiting.push_front(back);
                return;
            }
        }
        self.behind.store(false, Ordering::Release);
    }

    /// Gives one record to the driver; back comes one for which there is no room.
    fn queue(&self, parcel: Parcel) -> Result<(), Parcel> {
        let Parcel { record, ticket } = parcel;
        if ticket.batch.is_over() {
            return Ok(());
        }
        let lane = Arc::clone(&ticket.batch.lane);
        let mut message = BaseRecord::with_opaque_to(&lane.topic, ticket)
            .partition(lane.number)
            .payload(&*record.value)
            .timestamp(row::timestamp(&record))
            .headers(row::headers(&record));
        if !record.key.is_empty() {
            message = message.key(record.key.as_bytes());
        }
        let Err((error, back)) = self.producer.send(message) else { return Ok(()) };
        let ticket = back.delivery_opaque;
        if error.rdkafka_error_code() == Some(Code::QueueFull) {
            return Err(Parcel { record, ticket });
        }
        ticket.not_sent(&error);
        Ok(())
    }
}

impl Ticket {
    /// The driver did not take it, and does not get those behind it in its batch. If it is the first of them, none of the
    /// batch is, or will be, in the log.
    fn not_sent(&self, error: &KafkaError) {
        let what = format!("{}: {}", self.batch.lane, words(error));
        // What no later attempt can change; everything else passes, or the producer is replaced.
        let stays = [Some(Code::MessageSizeTooLarge), Some(Code::UnknownPartition)];
        if is_doubtful(error) {
            self.batch.lane.doubt();
        }
        let error = match stays.contains(&error.rdkafka_error_code()) {
            true => LogError::stop(what),
            false => LogError::retry(what),
        };
        self.batch.end(if self.nth == 0 { Append::Refused(error) } else { Append::Unknown(error) });
    }
}

/// Takes reports, on the producer's own thread.
pub(super) struct Reports {
    number: u64,
    jobs: Sender<Job>,
    behind: Arc<AtomicBool>,
}

impl Reports {
    fn ask(&self, job: Job) {
        // Without anybody to do it the log is being dropped.
        drop(self.jobs.send(job));
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        line("producer", level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        trouble("producer", &error, reason);
        self.ask(Job::Look(self.number));
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, report: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        match report {
            Ok(message) => ticket.batch.landed(ticket.nth, message.offset()),
            Err((error, _)) => {
                if is_doubtful(error) {
                    ticket.batch.lane.doubt();
                }
                ticket.batch.failed(&undelivered(error));
                self.ask(match error.rdkafka_error_code() {
                    Some(Code::MessageTimedOut) => Job::Late(self.number, Arc::clone(&ticket.batch.lane)),
                    _ => Job::Look(self.number),
                });
            }
        }
        if self.behind.swap(false, Ordering::AcqRel) {
            self.ask(Job::Room(self.number));
        }
    }
}
