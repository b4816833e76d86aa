//! A broker that dies under load and comes back. For a moment no partition has a leader, then some have one before others:
//! the driver has lost partitions for good in that moment.

use std::{sync::Arc, time::Duration};

use palinode::{
    Append, Clock, Log, Record, SystemClock, Topic,
    log::kafka::{KafkaLog, KafkaSettings},
};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use uuid::Uuid;

use crate::broker::Broker;

const PARTITIONS: u32 = 16;
/// How often it dies.
const DEATHS: u32 = 2;
/// How long it may take until everything moves again. A broker that was killed is let in again after nine seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A partition that is written and read all the time.
struct Lane {
    name: String,
    /// Offsets: up to which it was written, and read.
    written: watch::Receiver<u64>,
    read: watch::Receiver<u64>,
}

impl Lane {
    fn busy(log: &Arc<KafkaLog>, topic: &Topic, partition: u32, tasks: &mut JoinSet<()>) -> Self {
        let (write, written) = watch::channel(0);
        let (take, read) = watch::channel(0);
        let (log_in, topic_in) = (Arc::clone(log), topic.clone());
        tasks.spawn(async move {
            loop {
                let record = Record::ours("room/1".into(), vec![7; 200], SystemClock.now());
                if let Append::Appended(offsets) = log_in.append(&topic_in, partition, vec![record]).await {
                    write.send_replace(offsets[0].unwrap() + 1);
                }
            }
        });
        let (log_out, topic_out, mut more) = (Arc::clone(log), topic.clone(), written.clone());
        tasks.spawn(async move {
            loop {
                let from = *take.borrow();
                if *more.borrow_and_update() <= from {
                    more.changed().await.unwrap();
                }
                if let Ok(page) = log_out.read(&topic_out, partition, from, 1_000).await
                    && let Some(last) = page.last()
                {
                    take.send_replace(last.offset + 1);
                }
            }
        });
        Self { name: format!("{topic}/{partition}"), written, read }
    }

    /// Returns when it was written beyond here, and read.
    async fn moves(&mut self, written: u64) {
        for (what, offset) in [("written", &mut self.written), ("read", &mut self.read)] {
            let moved = timeout(PATIENCE, offset.wait_for(|offset| *offset > written)).await;
            assert!(moved.is_ok(), "{} is not {what} any more", self.name);
        }
    }
}

async fn connected(settings: &KafkaSettings) -> Arc<KafkaLog> {
    loop {
        if let Ok(log) = KafkaLog::creating(settings.clone(), Arc::new(SystemClock)).await {
            return Arc::new(log);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn every_partition_is_written_and_read_again_when_the_broker_is_back() {
    // Given a log all of whose partitions are written and read
    let mut broker = Broker::new("PLAINTEXT", &[]);
    broker.start(None);
    let log = connected(&broker.settings()).await;
    log.create("bank", PARTITIONS, Uuid::now_v7()).await;
    let (mut tasks, mut lanes) = (JoinSet::new(), Vec::new());
    for topic in [Topic::events("bank"), Topic::inbox("bank"), Topic::replies("bank")] {
        lanes.extend((0..PARTITIONS).map(|nth| Lane::busy(&log, &topic, nth, &mut tasks)));
    }
    for lane in &mut lanes {
        lane.moves(0).await;
    }
    for _ in 0..DEATHS {
        // When the broker dies and comes back
        broker.kill();
        let before: Vec<u64> = lanes.iter().map(|lane| *lane.written.borrow()).collect();
        broker.start(None);
        // Then each of them is, again
        for (lane, before) in lanes.iter_mut().zip(before) {
            lane.moves(before).await;
        }
    }
    assert!(tasks.try_join_next().is_none(), "one of them has ended");
}
