//! How many sagas stand where, told by a node.

use std::{sync::Arc, time::Duration};

use palinode::testing::Recorder;
use palinode_sagas::{SagaClient, view::Standings};

use crate::shop::{asking, order, plain, reached, start_telling};

/// Asks until it is so: the rows are counted now and then.
async fn until(recorder: &Recorder, what: &str, wanted: impl Fn(Option<f64>) -> bool) {
    while !wanted(recorder.level("shop", what)) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sagas_are_counted_where_they_stand() {
    // Given a node whose sagas are counted
    let folder = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let (node, model) = start_telling(folder.path(), Arc::clone(&recorder)).await;
    Standings::count(&node, &model, node.read_db().unwrap().clone(), Duration::from_millis(1));
    let (asks, orders) = (node.client().sagas("shop", &asking()), node.client().sagas("shop", &plain()));
    // When two wait for a guest, and an undo is stuck
    for id in ["w1", "w2"] {
        asks.start(id, order(id, "")).await.accepted().unwrap();
    }
    let stuck = orders.start("s", order("s", "closed-no-pay")).await.accepted().unwrap().reply;
    // Then they are told
    let (waiting, broken) = (asking().definition().name().clone(), plain().definition().name().clone());
    until(&recorder, &format!("saga.active saga={waiting} state=forward"), |n| n >= Some(2.0)).await;
    until(&recorder, &format!("saga.stuck saga={broken}"), |n| n == Some(1.0)).await;
    until(&recorder, &format!("saga.oldest_wait.age saga={waiting}"), |age| age > Some(0.0)).await;
    // And when the stuck one is killed, it is none any more, and nothing is told as nothing
    let killed = stuck.kill("ada", "given up").await.accepted().unwrap();
    reached(&model, &killed.token).await;
    until(&recorder, &format!("saga.stuck saga={broken}"), |n| n == Some(0.0)).await;
    for level in ["saga.parked", "saga.leaks"] {
        assert!(recorder.level("shop", &format!("{level} saga={broken}")).is_some(), "{level}");
    }
    assert_eq!(recorder.count("shop", &format!("saga.finished saga={broken} version=1 outcome=killed")), 1);
    // And what was tried outside was told
    assert!(recorder.count("shop", "ran pay refused") > 0, "{:?}", recorder.told());
    // And with the node the numbers are gone
    assert!(node.stop(Duration::from_secs(5)).await);
    assert_eq!(recorder.level("shop", &format!("saga.stuck saga={broken}")), None);
}
