//! Where partitions begin and end: one thread with a consumer that fetches nothing, because a busy one answers late. What
//! many ask at the same time is asked of the brokers at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode as Code,
};
use tokio::{sync::oneshot, time::sleep};

use super::super::{
    context::Told,
    error::{passing, words},
    lane::Lane,
    settings::{KafkaSettings, Role},
};
use crate::log::LogError;

/// How long the brokers have for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long one partition's leader has, when not all of them answered.
const ALONE: Duration = Duration::from_millis(500);
/// How often librdkafka's own news is taken when nobody asks.
const LISTEN: Duration = Duration::from_secs(1);
/// How often a partition whose leader is changing is asked again, and after which pause.
const CHANGING: (u32, Duration) = (40, Duration::from_millis(50));

/// Which end of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Low,
    High,
}

struct Question {
    side: Side,
    topic: Arc<str>,
    partition: i32,
    answer: oneshot::Sender<Looked>,
}

/// Where it is, or why that is not known and whether its leader is just changing.
type Looked = Result<u64, (LogError, bool)>;

/// The way to the thread that knows. It ends when nobody can ask any more.
pub(in super::super) struct Ends(Sender<Question>);

impl Ends {
    pub(super) fn start(settings: &KafkaSettings) -> Result<Self, LogError> {
        let made = settings.client(&Role::Idle).create_with_context(Told::to("idle"));
        let consumer: BaseConsumer<Told> = made.map_err(|e| passing("a consumer", &e))?;
        let (ask, questions) = channel();
        let spawned =
            thread::Builder::new().name("kafka-ends".into()).spawn(move || run(&consumer, &questions));
        spawned.map_err(|e| LogError::retry(format!("no thread for looking at ends: {e}")))?;
        Ok(Self(ask))
    }

    /// The offset after the last record.
    pub(in super::super) async fn end(&self, lane: &Lane) -> Result<u64, LogError> {
        self.ask(lane, Side::High).await
    }

    /// The offset of the first record.
    pub(in super::super) async fn low(&self, lane: &Lane) -> Result<u64, LogError> {
        self.ask(lane, Side::Low).await
    }

    async fn ask(&self, lane: &Lane, side: Side) -> Result<u64, LogError> {
        let gone = || LogError::stop(format!("{lane}: the thread that looks at ends has ended: start again"));
        let mut asked = 0;
        loop {
            let (answer, told) = oneshot::channel();
            let question = Question { side, topic: Arc::clone(&lane.topic), partition: lane.number, answer };
            self.0.send(question).map_err(|_| gone())?;
            match told.await.map_err(|_| gone())? {
                Ok(offset) => return Ok(offset),
                Err((_, true)) if asked < CHANGING.0 => asked += 1,
                Err((error, changing)) => {
                    if changing {
                        lane.doubt();
                    }
                    return Err(error);
                }
            }
            sleep(CHANGING.1).await;
        }
    }
}

/// The partitions asked for, each once, and what was found.
type Asked = BTreeMap<(Side, Arc<str>, i32), Option<Looked>>;

fn run(consumer: &BaseConsumer<Told>, questions: &Receiver<Question>) {
    loop {
        let first = match questions.recv_timeout(LISTEN) {
            Ok(question) => Some(question),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let all: Vec<Question> = first.into_iter().chain(questions.try_iter()).collect();
        let mut asked: Asked =
            all.iter().map(|q| ((q.side, Arc::clone(&q.topic), q.partition), None)).collect();
        look(consumer, &mut asked);
        for Question { side, topic, partition, answer } in all {
            let found = asked.get(&(side, Arc::clone(&topic), partition)).and_then(Clone::clone);
            let missing = || {
                Err((LogError::retry(format!("{topic}/{partition}: no leader told where it ends")), false))
            };
            drop(answer.send(found.unwrap_or_else(missing)));
        }
        while let Some(told) = consumer.poll(Duration::ZERO) {
            if let Err(e) = told {
                tracing::debug!("the idle consumer: {}", words(&e));
            }
        }
    }
}

/// Asks for all of them at once; one by one when that failed, so that one lost leader does not hide the others. A client that
/// was told once that a partition has no leader believes it until its metadata is old, a quarter of an hour: then it has to
/// ask.
fn look(consumer: &BaseConsumer<Told>, asked: &mut Asked) {
    for side in [Side::Low, Side::High] {
        let keys: Vec<_> = asked.keys().filter(|(of, ..)| *of == side).cloned().collect();
        if keys.is_empty() {
            continue;
        }
        let places: Vec<_> = keys.iter().map(|(_, topic, partition)| (&**topic, *partition)).collect();
        let found = match query(consumer, side, &places, PATIENCE) {
            Err(_) if places.len() > 1 => {
                let alone = |place: &(&str, i32)| query(consumer, side, &[*place], ALONE);
                places
                    .iter()
                    .map(|place| {
                        alone(place).and_then(|mut one| one.pop().unwrap_or(Err(KafkaError::Canceled)))
                    })
                    .collect()
            }
            Err(e) => vec![Err(e)],
            Ok(found) => found,
        };
        let lost = keys.iter().zip(&found).filter(|(_, found)| found.as_ref().is_err_and(is_changing));
        let lost: BTreeSet<&Arc<str>> = lost.map(|((_, topic, _), _)| topic).collect();
        // When one is not told, nobody answers.
        let told =
            lost.into_iter().try_for_each(|topic| consumer.fetch_metadata(Some(topic), ALONE).map(drop));
        if let Err(e) = told {
            tracing::debug!("who leads was not told: {}", words(&e));
        }
        for (key, found) in keys.into_iter().zip(found) {
            let place = format!("{}/{}", key.1, key.2);
            asked.insert(key, Some(found.map_err(|e| (passing(&place, &e), is_changing(&e)))));
        }
    }
}

fn is_changing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::UnknownTopicOrPartition
                | Code::UnknownLeaderEpoch
                | Code::FencedLeaderEpoch
                | Code::OffsetNotAvailable
                // Of the driver itself: what it knows has no leader for any of them.
                | Code::UnknownPartition
        )
    )
}

/// Places in, their offsets out, in the same order.
fn query(
    consumer: &BaseConsumer<Told>,
    side: Side,
    places: &[(&str, i32)],
    patience: Duration,
) -> Result<Vec<Result<u64, KafkaError>>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(places.len());
    let logical = if side == Side::Low { Offset::Beginning } else { Offset::End };
    for (topic, partition) in places {
        list.add_partition_offset(topic, *partition, logical)?;
    }
    let found = consumer.offsets_for_times(list, patience)?;
    let one = |(topic, partition): &(&str, i32)| {
        let found = found.find_partition(topic, *partition).ok_or(KafkaError::Canceled)?;
        found.error()?;
        match found.offset() {
            Offset::Offset(offset) => u64::try_from(offset).map_err(|_| KafkaError::Canceled),
            _ => Err(KafkaError::Canceled),
        }
    };
    Ok(places.iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::{address::Stream, commit::Genesis, log::kafka::lane::Served};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_partition_that_had_no_leader_for_a_moment_is_found_again() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("hotel.inbox", 2, 1).unwrap();
        let settings = KafkaSettings::new(cluster.bootstrap_servers());
        let genesis =
            Genesis { log_id: uuid::Uuid::nil(), service: "hotel".into(), partitions: 2, format: 1 };
        let lane = Served::new(&settings, genesis).lane(Stream::Inbox, 1).unwrap().unwrap();
        let ends = Ends::start(&settings).unwrap();
        assert_eq!(ends.end(&lane).await, Ok(0));
        // When it is asked about while nobody leads it
        cluster.partition_leader("hotel.inbox", 1, None).unwrap();
        let lost = ends.end(&lane).await.unwrap_err();
        assert!(lost.what.contains("hotel.inbox/1"), "{lost}");
        // Then it is not forgotten when somebody does again
        cluster.partition_leader("hotel.inbox", 1, Some(1)).unwrap();
        assert_eq!(ends.end(&lane).await, Ok(0));
    }
}
