//! Two processes that run a service of one name with different kinds.

use palinode::{Aggregate, Answer, Invalid, Service};

use crate::{bank::Account, world::*};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_process_without_a_kind_says_so_and_gives_its_entities_back() {
    // Given one that knows accounts, and a second of the same name that knows pages only
    let world = World::new();
    let first = world.node("first").await;
    let accounts = [account_on(0), account_on(1)];
    for account in &accounts {
        assert_eq!(deposit(&first.client(), account).await, 1);
    }
    let second = world.node_of("second", Service::new("bank").aggregate::<Page>()).await;
    // Then the second serves nothing of what it cannot read, and says what is to be done
    let says = "kind \"account\" is not served here; served: page. All processes of a service must serve all its kinds";
    let stops = || (0..SHARDS).any(|nth| stopped(&second, nth, says));
    until("the second stops", &second, stops).await;
    // And the first has it again
    until("the first serves all", &first, || serves_all(&first)).await;
    for account in &accounts {
        assert_eq!(deposit(&first.client(), account).await, 2);
    }
    second.crash().await;
    crate::bank::close(first).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka: cargo xtask test starts one"]
async fn a_command_to_a_kind_that_its_owner_does_not_know_is_told_so() {
    let world = World::new();
    let node = world.node_of("node", Service::new("bank").aggregate::<Page>()).await;
    let client = world.client().await;
    loop {
        match client.execute(Account::at("a").ask(crate::bank::Command::Deposit(1))).await {
            Answer::Invalid(Invalid::NotServed { what, name, known }) => {
                assert_eq!((&*what, &*name, &*known), ("kind", "account", "page"));
                break;
            }
            Answer::Unknown { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    crate::bank::close(node).await;
}
