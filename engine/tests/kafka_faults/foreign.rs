//! What a foreign program writes into the topics of a service.

use palinode::{Micros, Record};

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn garbage_and_doubled_records_on_every_topic_change_nothing() {
    // Given a node that works, and a client that owns nothing
    let world = World::new();
    let (node, client) = (world.node("node").await, world.client().await);
    let accounts = [account_on(0), account_on(1)];
    for account in &accounts {
        assert_eq!(deposit(&client, account).await, 1);
    }
    // When garbage comes on every topic, without our mark and with it, and our own records come twice
    let garbage = |key: &str, value: &'static [u8]| Record {
        mark: None,
        crc: None,
        ..Record::ours(key.into(), value, Micros(1))
    };
    let marked = |key: &str, value: &'static str| Record::ours(key.into(), value, Micros(1));
    for shard in 0..SHARDS {
        let nth = i32::try_from(shard).unwrap();
        for stored in world.events(shard).await {
            world.cluster.write("bank.events", nth, &stored.record);
        }
        for topic in ["bank.events", "bank.inbox", "bank.replies"] {
            world.cluster.write(topic, nth, &garbage("account/a0", b"\xff\xfe\x00{"));
            world.cluster.write(topic, nth, &garbage("", b""));
        }
        for topic in ["bank.inbox", "bank.replies"] {
            world.cluster.write(topic, nth, &marked("account/a0", "{\"t\":\"call\",\"id\":7}"));
            world.cluster.write(topic, nth, &marked("account/a0", "{\"t\":\"answer\"}"));
            world.cluster.write(topic, nth, &marked("", "[]"));
            world.cluster.write(topic, nth, &Record { crc: Some(1), ..marked("account/a0", "{}") });
            world.cluster.write(topic, nth, &Record { mark: Some(u32::MAX), ..marked("account/a0", "{}") });
        }
    }
    // Then everybody goes on
    for n in 2..=4 {
        for account in &accounts {
            assert_eq!(deposit(&client, account).await, n);
        }
    }
    assert!(serves_all(&node), "{:?}", node.health());
    assert!(node.counts().dead_records() > 0);
    // And so does the next one, which reads all of it
    node.crash().await;
    let next = world.node("next").await;
    for account in &accounts {
        assert_eq!(deposit(&next.client(), account).await, 5);
        assert_eq!(deposit(&client, account).await, 6);
    }
    crate::bank::close(next).await;
}
