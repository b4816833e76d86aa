//! A broker that is not there.

use palinode::{
    Answer,
    log::{Advice, kafka::KafkaLog},
};

use crate::{broker::Broker, world::*};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_broker_that_is_away_at_the_start_is_named_and_one_that_goes_is_waited_for() {
    // Given a broker that is not started yet
    let mut broker = Broker::new("PLAINTEXT", &[]);
    let world = World::at(broker.settings());
    let refused = KafkaLog::connect(broker.settings(), std::sync::Arc::new(palinode::SystemClock)).await;
    let Err(error) = refused else { panic!("nobody is there") };
    assert_eq!(error.advice, Advice::Retry);
    assert!(error.what.contains(&format!("no broker of {} answers", broker.address())), "{error}");
    assert!(error.what.contains("Connection refused"), "{error}");
    // When it is there, a node works
    broker.start(None);
    world.ready().await;
    let node = world.node("node").await;
    let accounts = [account_on(0), account_on(1)];
    for account in &accounts {
        assert_eq!(deposit(&node.client(), account).await, 1);
    }
    // And when it dies, that is seen, though nobody asks for anything
    broker.kill();
    until("it is seen", &node, || (0..SHARDS).all(|nth| troubled(&node, nth, ""))).await;
    let Answer::Unknown { id } = ask(&node.client(), &accounts[0]).await else { panic!("it was answered") };
    // And when it comes back, the node serves again, and nothing was lost
    broker.start(None);
    assert_eq!(deposit_as(&node.client(), &accounts[0], id).await, 2);
    assert_eq!(deposit(&node.client(), &accounts[1]).await, 2);
    until("it serves all", &node, || {
        serves_all(&node) && (0..SHARDS).all(|nth| shard(&node, nth).trouble.is_none())
    })
    .await;
    crate::bank::close(node).await;
}
