//! A node that dies after each of its appends has landed, and before it knows: what is seen afterwards is the same tree,
//! but for what ended with the commits that nobody knew to be effective. Nothing is told by recovery, and nothing twice.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use palinode::{
    Append, Log, Micros, Record, Topic,
    address::Stream,
    codec::{Entry, decode},
    log::{Created, LogError, Membership, Stored},
    trace::{Span, SpanId},
};
use palinode_sagas::Saga;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    forest::Forest,
    world::{Trip, World, book, end, inside, start},
};

/// A log whose owner never hears of its `nth` append of commits, although it landed, nor of any after that.
struct Deaf {
    log: Arc<dyn Log>,
    nth: usize,
    appends: AtomicUsize,
    /// It has landed.
    landed: Notify,
    /// The times of the commits in it.
    times: std::sync::Mutex<BTreeSet<Micros>>,
}

fn times(records: &[Record]) -> BTreeSet<Micros> {
    let time = |record: &Record| match decode(record) {
        Ok(Some(Entry::Commit(commit))) => Some(commit.time),
        _ => None,
    };
    records.iter().filter_map(time).collect()
}

/// The handle of a node that will die.
#[derive(Clone)]
struct Dying(Arc<Deaf>);

#[async_trait]
impl Log for Dying {
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append> {
        let commits = times(&records);
        let deaf = Arc::clone(&self.0);
        let of_owner = topic.stream == Stream::Events && !commits.is_empty();
        let nth = if of_owner { deaf.appends.fetch_add(1, Ordering::SeqCst) + 1 } else { 0 };
        let appended = deaf.log.append(topic, partition, records);
        Box::pin(async move {
            let appended = appended.await;
            if nth >= deaf.nth {
                deaf.times.lock().unwrap().extend(commits);
                deaf.landed.notify_one();
                std::future::pending::<()>().await;
            }
            appended
        })
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        self.0.log.read(topic, partition, from, limit).await
    }

    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError> {
        self.0.log.end(topic, partition).await
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        self.0.log.create(service, partitions, log_id).await
    }

    async fn join(&self, service: &str) -> Result<Box<dyn Membership>, LogError> {
        self.0.log.join(service).await
    }
}

/// What is seen of a trip whose node dies at its `nth` append; and the times of the commits it did not hear of. None when
/// it made fewer appends.
async fn dies_at(nth: usize, saga: &Saga<Trip>, seat: &str) -> Option<(Forest, BTreeSet<Micros>)> {
    let world = World::new();
    let log = world.cluster.member("whole");
    let (appends, landed, times) = (AtomicUsize::new(0), Notify::new(), std::sync::Mutex::default());
    let deaf = Arc::new(Deaf { log, nth, appends, landed, times });
    let node = world.whole(Arc::new(Dying(Arc::clone(&deaf)))).await;
    let client = world.client().await;
    let (saga, seat) = (saga.clone(), seat.to_owned());
    let trip = tokio::spawn(async move {
        let trip = start(&client, &saga, "t1", &seat).await;
        end(&trip).await.outcome
    });
    let died = tokio::select! {
        biased;
        () = deaf.landed.notified() => true,
        () = tokio::time::sleep(Duration::from_secs(600)) => false,
    };
    node.crash().await;
    let again = world.whole(world.cluster.member("whole")).await;
    trip.await.unwrap();
    assert!(again.stop(Duration::from_secs(30)).await);
    let told = world.recorder.forest();
    told.check();
    let told = told.of(told.trace_of("t1"));
    let unheard = deaf.times.lock().unwrap().clone();
    died.then_some((told, unheard))
}

/// Every span but those of the commits of these times must be there, and every one of those of the whole tree.
fn compare(nth: usize, whole: &Forest, told: &Forest, unheard: &BTreeSet<Micros>) -> usize {
    let (whole_paths, told_paths) = (whole.paths(), told.paths());
    let missing: Vec<&Span> = whole
        .0
        .iter()
        .map(|(_, span)| span)
        .filter(|span| !told_paths.contains_key(&span.context.span))
        .collect();
    for span in &missing {
        let of_unheard = unheard.contains(&span.start) || unheard.contains(&span.end);
        assert!(
            of_unheard,
            "death at append {nth}: {:?} is missing\n{}\n{}",
            span.name,
            told.tree(),
            whole.tree()
        );
    }
    let new: Vec<_> = told_paths.iter().filter(|(id, _)| !whole_paths.contains_key(*id)).collect();
    assert!(new.is_empty(), "death at append {nth}: {new:?}\n{}", told.tree());
    let lost: BTreeSet<SpanId> = missing.iter().map(|span| span.context.span).collect();
    for orphan in told.orphans() {
        assert!(orphan.parent.is_some_and(|parent| lost.contains(&parent.span)), "{orphan:?}");
    }
    missing.len()
}

async fn dies_at_each(saga: &Saga<Trip>, seat: &str) {
    let (whole, _) = {
        let world = World::new();
        let node = world.whole(world.cluster.member("whole")).await;
        let trip = start(&world.client().await, saga, "t1", seat).await;
        end(&trip).await;
        assert!(node.stop(Duration::from_secs(30)).await);
        let told = world.recorder.forest();
        (told.of(told.trace_of("t1")), ())
    };
    let (mut deaths, mut lost) = (0, 0);
    while let Some((told, unheard)) = dies_at(deaths + 1, saga, seat).await {
        deaths += 1;
        lost += compare(deaths, &whole, &told, &unheard);
    }
    assert!(deaths >= 5 && lost >= deaths, "{deaths} deaths, {lost} spans lost");
}

#[tokio::test(start_paused = true)]
async fn a_trip_that_is_booked_is_the_same_tree_after_a_death_at_each_commit() {
    dies_at_each(&inside(), "12A").await;
}

#[tokio::test(start_paused = true)]
async fn a_trip_that_is_taken_back_is_the_same_tree_after_a_death_at_each_commit() {
    dies_at_each(&book(), "full").await;
}
