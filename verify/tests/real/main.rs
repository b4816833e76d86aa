//! The checker over a log that the engine really wrote: many sagas at once on an embedded node, some refused, cancelled,
//! silent, stuck or killed, with a restart in the middle. Everything is clean, and everything is counted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod shop;

use std::{path::Path, time::Duration};

use palinode::Node;
use palinode_sagas::{End, Saga, SagaClient, Sagas};
use palinode_verify::{Graph, Log, Report, Stage, check, check_with};

use crate::shop::*;

/// The order of a definition's nodes, as the checker wants it.
fn graph(saga: &Saga<Order>) -> Graph {
    let definition = saga.definition();
    let graph = Graph::new(&**definition.name(), definition.version());
    definition.nodes().fold(graph, |graph, (_, node)| {
        let after: Vec<&str> = node.after.iter().map(|id| &*definition[*id].path).collect();
        graph.node(&node.path, &after)
    })
}

fn checked(folder: &Path) -> Report {
    let log = Log::open(folder).unwrap();
    let report = check_with(&log, &[brisk(), hasty(), patient()].map(|saga| graph(&saga))).unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report, check(&log).unwrap(), "without the graphs nothing else is found");
    report
}

fn sagas(node: &Node, saga: &Saga<Order>) -> Sagas<Order> {
    node.client().sagas("shop", saga)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_real_sagas_write_is_clean_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path()).await;

    // Given orders of every kind under way at once, and some that wait for their signal.
    let mut started = Vec::new();
    for n in 0..3 {
        for (kind, completed) in KINDS {
            let order = Order::new(kind, n);
            sagas(&node, &brisk()).start(order.id.clone(), order.clone()).await.accepted().unwrap();
            started.push((order, completed));
        }
    }
    let silent = Order::new(Kind::Good, 0);
    sagas(&node, &hasty()).start(silent.id.clone(), silent.clone()).await.accepted().unwrap();
    for n in 0..5 {
        let order = Order::new(Kind::Good, n);
        sagas(&node, &patient()).start(order.id.clone(), order).await.accepted().unwrap();
    }
    let stuck = Order::new(Kind::Stuck, 4);
    sagas(&node, &patient()).start(stuck.id.clone(), stuck).await.accepted().unwrap();

    // When the node stops in the middle, and another comes.
    node.stop(Duration::ZERO).await;
    checked(folder.path());
    let node = start(folder.path()).await;
    let patients = sagas(&node, &patient());
    for id in ["Good-0", "Good-1", "Stuck-4"] {
        patients.at(id).signal_once("s1", Go).await.accepted().unwrap();
    }
    patients.at("Good-2").cancel("me", "changed my mind").await.accepted().unwrap();
    patients.at("Good-3").kill("me", "a test").await.accepted().unwrap();
    for (order, completed) in started {
        let end = sagas(&node, &brisk()).at(order.id.clone()).finished().await.unwrap().unwrap();
        assert_eq!(end.outcome == End::Completed, completed, "{order:?}");
    }
    for (id, outcome) in [
        ("Good-0", End::Completed),
        ("Good-1", End::Completed),
        ("Good-2", End::Compensated),
        ("Good-3", End::Killed),
    ] {
        assert_eq!(patients.at(id).finished().await.unwrap().unwrap().outcome, outcome, "{id}");
    }
    let silent = sagas(&node, &hasty()).at(silent.id).finished().await.unwrap().unwrap();
    assert_eq!(silent.outcome, End::Compensated);
    // (Nobody is told that a saga is stuck; its journal says so.)
    while checked(folder.path()).counts.stuck == 0 {
        tokio::task::yield_now().await;
    }
    node.stop(Duration::from_secs(5)).await;

    // Then the log is clean, as it was at every moment before, and says how each of them stands.
    let report = checked(folder.path());
    let n = report.counts;
    assert_eq!((n.sagas, n.completed, n.compensated, n.killed), (28, 8, 17, 1));
    assert_eq!((n.unfinished, n.stuck, n.parked, n.leaks), (2, 1, 0, 0));
    let mut unfinished: Vec<_> = report.unfinished.iter().map(|s| (&*s.id, s.stage, &*s.open)).collect();
    unfinished.sort();
    assert_eq!(
        unfinished,
        [
            ("Good-4", Stage::Running, &["go".to_owned()][..]),
            ("Stuck-4", Stage::Stuck, &["van/book".to_owned()][..])
        ]
    );
    assert!(report.open.is_empty() && n.not_compared == 0, "{report}");
}
