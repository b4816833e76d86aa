//! A broker whose disk is full. Its files may not grow beyond a limit here: the write fails in the same place as on a full
//! disk, and room can be made without rights that a test may not have.

use palinode::{Aggregate, Answer, Client};
use uuid::Uuid;

use crate::{broker::Broker, world::*};

/// Above the 10 MiB that a broker sets aside for an index.
const LIMIT: u64 = 12_000_000;

/// The length of the page, if it is known within a few seconds.
async fn write(client: &Client, page: &str, id: Uuid) -> Option<usize> {
    let client = client.clone().with_patience(std::time::Duration::from_secs(3));
    match client.execute(Page::at(page).ask("x".repeat(240_000))).with_id(id).await {
        Answer::Accepted(receipt) => Some(receipt.reply),
        Answer::Unknown { .. } | Answer::Overloaded => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_full_disk_loses_nothing_and_the_node_goes_on_when_there_is_room() {
    // Given a broker with little room
    let mut broker = Broker::new("PLAINTEXT", &[]);
    broker.start(Some(LIMIT));
    let world = World::at(broker.settings());
    world.ready().await;
    let node = world.node("node").await;
    let client = node.client();
    // When more is written than there is room for
    let mut known = Vec::new();
    let lost = loop {
        let (page, id) = (format!("p{}", known.len()), client.fresh_id());
        match write(&client, &page, id).await {
            Some(length) => known.push((page, id, length)),
            None if known.is_empty() => {}
            None => break (page, id),
        }
        assert!(known.len() < 200, "there is room for everything");
    };
    // Then the broker gives up, which is seen
    assert!(!broker.ended().await.success());
    until("it is seen", &node, || (0..SHARDS).all(|nth| troubled(&node, nth, ""))).await;
    // And when there is room, nothing that was acknowledged is lost or done twice
    broker.start(None);
    known.push((lost.0, lost.1, 240_000));
    for (page, id, length) in known {
        let again = loop {
            if let Some(again) = write(&client, &page, id).await {
                break again;
            }
        };
        assert_eq!(again, length, "{page}");
        assert_eq!(length, 240_000);
    }
    until("it serves all", &node, || serves_all(&node)).await;
    crate::bank::close(node).await;
}
