//! The desk: one thread that opens and closes readings on a few consumers, spreads them, and ends those that nobody uses
//! any more. It never takes a record from a queue; that is the reads' own business.
//!
//! A consumer fetches a partition once. A second reading of it goes to another consumer of the class, or waits until an
//! unused one has ended. A consumer that has lost the way to a partition, as producers do (`producer/silent.rs`), retires: it
//! serves the readings it has, and another opens those to come.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use rdkafka::consumer::base_consumer::PartitionQueue;
use tokio::{sync::oneshot, time::Instant};

use super::{
    super::{context::Told, error::passing, lane::Lane, settings::KafkaSettings},
    slot::{Class, Slot},
    stream::{Place, Stream},
};
use crate::log::LogError;

/// The consumers. Two readers of the same partition (its owner and a projection) need two.
const CONSUMERS: [Class; 6] =
    [Class::Events, Class::Events, Class::Tail, Class::Tail, Class::Gap, Class::Gap];
/// How often unused readings are looked for, and librdkafka's own news taken.
const SWEEP: Duration = Duration::from_millis(500);
/// How often a place is looked for when somebody waits for one.
const CROWDED: Duration = Duration::from_millis(5);

/// What the desk is asked.
pub(super) enum Command {
    /// Begin a reading.
    Open(Open),
    /// A reading has ended.
    Close {
        /// Which.
        place: Place,
        /// Its queue: it must live as long as the assignment.
        queue: PartitionQueue<Told>,
    },
    /// The consumer of this reading does not get what is there.
    Retire(Place),
}

/// A reading to be.
pub(super) struct Open {
    lane: Arc<Lane>,
    class: Class,
    from: u64,
    /// For the reading, to say that it has ended.
    desk: Sender<Command>,
    answer: oneshot::Sender<Result<Stream, LogError>>,
}

/// The way to the desk. Its thread ends when nobody can ask it anything any more.
pub(super) struct Desk(Sender<Command>);

impl Desk {
    pub(super) fn start(settings: &KafkaSettings) -> Result<Self, LogError> {
        let slots = CONSUMERS.map(|class| Slot::start(settings, class));
        let slots = slots.into_iter().collect::<Result<Vec<Slot>, LogError>>()?;
        let (desk, commands) = channel();
        let worker = Worker { settings: settings.clone(), slots, retired: Vec::new(), waiting: Vec::new() };
        let spawned = thread::Builder::new().name("kafka-desk".into()).spawn(move || worker.run(&commands));
        spawned.map_err(|e| LogError::retry(format!("no thread for reading: {e}")))?;
        Ok(Self(desk))
    }

    /// A reading from this offset on.
    pub(super) async fn open(&self, lane: &Arc<Lane>, class: Class, from: u64) -> Result<Stream, LogError> {
        let gone = || LogError::stop(format!("{lane}: the reading thread ended: start again"));
        let (answer, opened) = oneshot::channel();
        let open = Open { lane: Arc::clone(lane), class, from, desk: self.0.clone(), answer };
        self.0.send(Command::Open(open)).map_err(|_| gone())?;
        opened.await.unwrap_or_else(|_| Err(gone()))
    }
}

struct Worker {
    settings: KafkaSettings,
    slots: Vec<Slot>,
    /// Consumers that get no more readings.
    retired: Vec<Slot>,
    /// Readings of partitions that every consumer of their class fetches already.
    waiting: Vec<Open>,
}

impl Worker {
    fn run(mut self, commands: &Receiver<Command>) {
        let mut swept = Instant::now();
        loop {
            let pause = if self.waiting.is_empty() { SWEEP } else { CROWDED };
            match commands.recv_timeout(pause) {
                Ok(Command::Open(open)) => self.open(open),
                Ok(Command::Close { place, queue }) => self.close(&place, queue),
                Ok(Command::Retire(place)) => self.retire(&place),
                // Those in use are put down between two pages.
                Err(RecvTimeoutError::Timeout) => self.waiting.iter().for_each(|open| open.lane.evict()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                for slot in self.slots.iter().chain(&self.retired) {
                    slot.sweep();
                    slot.listen();
                }
            }
        }
    }

    fn open(&mut self, open: Open) {
        if open.answer.is_closed() {
            return;
        }
        let free = self.slots.iter_mut().filter(|slot| slot.class == open.class && !slot.fetches(&open.lane));
        let Some(slot) = free.min_by_key(|slot| slot.load()) else {
            open.lane.evict();
            return self.waiting.push(open);
        };
        let Open { lane, from, desk, answer, .. } = open;
        let begun = slot.begin(&lane, from);
        let begun = begun.map(|(place, queue, news)| Stream::new(place, queue, news, from, desk));
        // Whoever gave up drops the reading, which closes it.
        drop(answer.send(begun.map_err(|e| passing(&format!("{lane}, record {from}"), &e))));
    }

    fn close(&mut self, place: &Place, queue: PartitionQueue<Told>) {
        let mut slots = self.slots.iter_mut().chain(&mut self.retired);
        if let Some(slot) = slots.find(|slot| slot.serves(place)) {
            slot.end(&place.lane);
        }
        drop(queue);
        end(self.retired.extract_if(.., |slot| slot.load() == 0).collect());
        std::mem::take(&mut self.waiting).into_iter().for_each(|open| self.open(open));
    }

    fn retire(&mut self, place: &Place) {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.serves(place)) else { return };
        let lane = &place.lane;
        match Slot::start(&self.settings, slot.class) {
            Ok(fresh) => {
                tracing::error!(%lane, "a consumer does not get what is there, and is replaced");
                self.retired.push(std::mem::replace(slot, fresh));
            }
            Err(e) => {
                tracing::error!(%lane, "a consumer does not get what is there, and cannot be replaced: {e}");
            }
        }
    }
}

/// Ends consumers. They take their time, and must not take ours.
fn end(consumers: Vec<Slot>) {
    if consumers.is_empty() {
        return;
    }
    if let Err(e) = thread::Builder::new().name("kafka-end".into()).spawn(move || drop(consumers)) {
        tracing::warn!("no thread to end consumers on: {e}");
    }
}

#[cfg(test)]
mod tests;
