//! A node that cannot work says so before it begins, and says everything.

use std::sync::Arc;

use palinode::{
    Aggregate, Node, Service, StartError,
    entity::{AggregateKind, Entity, Kind, TargetKind, Unfit},
};

use crate::bank::{Account, Command};

/// A kind that asks for what is not there.
struct Asking;

impl Kind for Asking {
    fn name(&self) -> &str {
        "asking"
    }
    fn targets(&self) -> Vec<TargetKind> {
        vec![
            TargetKind::Aggregate { service: "hotel", kind: "room" },
            TargetKind::Aggregate { service: "bank", kind: "vault" },
            TargetKind::Activity { name: "pay", undo: Some("refund") },
        ]
    }
    fn blank(&self, id: &Arc<str>) -> Box<dyn Entity> {
        AggregateKind::<Account>::default().blank(id)
    }
    fn restore(&self, id: &Arc<str>, saved: &[u8]) -> Result<Box<dyn Entity>, Unfit> {
        AggregateKind::<Account>::default().restore(id, saved)
    }
}

#[tokio::test]
async fn everything_wrong_with_the_services_comes_back_together() {
    let dir = tempfile::tempdir().unwrap();
    let bank = Service::new("bank").aggregate::<Account>().aggregate::<Account>().kind(Arc::new(Asking));
    let node = Node::embedded(dir.path()).service(bank).service(Service::new("Shop")).start().await;
    let Err(StartError::Definitions(problems)) = node else { panic!("expected it not to start") };
    assert_eq!(
        problems,
        [
            "\"asking\" of service \"bank\" asks \"vault\" of service \"bank\", which has no such aggregate: add it there",
            "\"asking\" of service \"bank\" asks service \"hotel\", which this node does not run: add it; what other processes run cannot be asked from an embedded node",
            "\"asking\" of service \"bank\" asks the activity \"pay\", which nothing performs: add `.perform` to the service",
            "\"asking\" of service \"bank\" asks the activity \"refund\", which nothing performs: add `.perform` to the service",
            "service \"bank\" has two kinds named \"account\"",
            "service name \"Shop\": use 1 to 64 of a-z, 0-9 and '-', beginning with a letter",
        ]
    );
    assert!(!dir.path().join("log.db").exists(), "nothing was opened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_on_the_same_folder_is_told_who_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = crate::bank::open(dir.path()).await;
    let second =
        Node::embedded(dir.path()).service(Service::new("bank").aggregate::<Account>()).start().await;
    let Err(StartError::Folder(text)) = second else { panic!("expected it not to start") };
    assert!(text.contains(&format!("locked by pid {}", std::process::id())), "{text}");
    crate::bank::close(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_were_built_from_another_log_are_refused_with_both_named() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&one, &other] {
        let node = crate::bank::open(dir.path()).await;
        let ask = Account::at("a").ask(Command::Deposit(1));
        node.client().execute(ask).await.accepted().unwrap();
        crate::bank::close(node).await;
    }
    std::fs::copy(other.path().join("read.db"), one.path().join("read.db")).unwrap();
    let node = Node::embedded(one.path()).service(Service::new("bank").aggregate::<Account>()).start().await;
    let Err(StartError::Folder(text)) = node else { panic!("expected it not to start") };
    assert!(text.contains("belongs to log") && text.contains("built again from the log"), "{text}");
    std::fs::remove_file(one.path().join("read.db")).unwrap();
    crate::bank::close(crate::bank::open(one.path()).await).await;
}
