//! A log that was restored from an older backup, under snapshots that have seen more.

use palinode::{Answer, Record};
use rdkafka::admin::{NewTopic, TopicReplication};

use crate::{cluster::options, world::*};

impl World {
    /// A place whose topics hold these records, as a backup brings them back.
    async fn of_backup(mut self, records: &[Vec<Record>]) -> Self {
        self.cluster = Self::new().cluster;
        let names =
            ["events", "inbox", "replies"].map(|stream| self.cluster.topic(&format!("bank.{stream}")));
        let new: Vec<NewTopic<'_>> = names
            .iter()
            .map(|name| {
                NewTopic::new(name, i32::try_from(SHARDS).unwrap(), TopicReplication::Fixed(1))
                    .set("retention.ms", "-1")
                    .set("max.message.bytes", "2097152")
            })
            .collect();
        for created in self.cluster.admin().create_topics(&new, &options()).await.unwrap() {
            created.unwrap();
        }
        self.restore(records);
        self
    }

    fn restore(&self, records: &[Vec<Record>]) {
        for (shard, records) in (0..).zip(records) {
            records.iter().for_each(|record| self.cluster.write("bank.events", shard, record));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_log_that_was_restored_shorter_is_waited_for_and_not_written_to() {
    // Given an account with a snapshot
    let world = World::new();
    let node = world.node("node").await;
    let account = account_on(0);
    for n in 1..=20 {
        assert_eq!(deposit(&node.client(), &account).await, n);
    }
    crate::bank::close(node).await;
    let mut all = Vec::new();
    for shard in 0..SHARDS {
        all.push(world.events(shard).await.into_iter().map(|stored| stored.record).collect::<Vec<_>>());
    }
    // When the first shard comes back from a backup that is older
    let mut older = all.clone();
    let newer = older[0].split_off(5);
    let world = world.of_backup(&older).await;
    let node = world.node("node").await;
    // Then it is not served, and says why; the other one is
    let says = "which the log does not show (yet)";
    until("it waits", &node, || troubled(&node, 0, says)).await;
    until("the other one is served", &node, || serves(&node, 1)).await;
    let Answer::Unknown { id } = ask(&node.client(), &account).await else { panic!("it was answered") };
    assert_eq!(world.events(0).await.len(), 5, "nothing is written to it");
    // And when the rest is brought back, nothing is lost
    world.restore(&[newer]);
    assert_eq!(deposit_as(&node.client(), &account, id).await, 21);
    assert_eq!(deposit(&node.client(), &account).await, 22);
    crate::bank::close(node).await;
}
