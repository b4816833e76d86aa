//! What persons do to sagas on a real embedded node, over a restart; and after each story the checker finds nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests are tests")]

mod bank;

use std::{path::Path, sync::Arc, time::Duration};

use palinode::{Answer, Node, Service};
use palinode_sagas::{
    End, No, Saga, SagaClient, SagaService, Sagas, Signal, Situation,
    client::Instance,
    fence::Verdict,
    state::{Phase, Status},
};
use palinode_verify::{Log, Report, check};
use serde::{Deserialize, Serialize};

use crate::bank::{AskBank, Book, Outside, Pay, Unbook, VoidPay};

const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    id: Arc<str>,
    receipt: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Go;
impl Signal for Go {
    const NAME: &'static str = "go";
}

fn order() -> Saga<Order> {
    Saga::define("order", 1)
        .step("van", |o: &Order| Book { order: Arc::clone(&o.id) })
        .undo(|o, _| Unbook { order: Arc::clone(&o.id) })
        .wait::<Go>("go", Duration::from_secs(3_600))
        .pivot("pay", |o| Pay { order: Arc::clone(&o.id) })
        .save(|o, receipt| o.receipt = Some(receipt.clone()))
        .probe(|o| AskBank { order: Arc::clone(&o.id) })
        .void(|o| VoidPay { order: Arc::clone(&o.id) })
        .finish()
}

async fn start(folder: &Path, outside: &Outside) -> (Node, Sagas<Order>) {
    let shop = Service::new("shop")
        .saga(&order())
        .perform::<Book>(outside.clone())
        .perform::<Unbook>(outside.clone())
        .perform::<Pay>(outside.clone())
        .perform::<AskBank>(outside.clone())
        .perform::<VoidPay>(outside.clone());
    let node = Node::embedded(folder).service(shop).start().await.unwrap();
    let sagas = node.client().sagas("shop", &order());
    (node, sagas)
}

async fn begun(sagas: &Sagas<Order>, id: &str) -> Instance<Order> {
    let order = Order { id: id.into(), receipt: None };
    let instance = sagas.start(id, order).await.accepted().unwrap().reply;
    instance.signal_once("s1", Go).await.accepted().unwrap();
    instance
}

/// Until a verb is allowed: what it waits for comes by itself.
async fn once_allowed<F>(order: impl Fn() -> F) -> Situation
where
    F: Future<Output = Answer<Situation, No>>,
{
    loop {
        match order().await {
            Answer::Accepted(receipt) => return receipt.reply,
            Answer::Rejected(receipt) if matches!(receipt.reply, No::NotNow { .. }) => {
                tokio::task::yield_now().await;
            }
            other => panic!("{other:?}"),
        }
    }
}

fn checked(folder: &Path) -> Report {
    let report = check(&Log::open(folder).unwrap()).unwrap();
    assert!(report.is_clean(), "{report}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_undo_is_retried_once_its_participant_is_mended() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), Outside::default());
    let (node, sagas) = start(folder.path(), &outside).await;

    // given an order whose van cannot be given back
    let poor = begun(&sagas, "poor").await;
    let stuck = once_allowed(|| poor.retry("van", "ada", "perhaps it works now")).await;
    assert_eq!((stuck.phase, stuck.node), (Phase::Undoing, Some(Status::Undoing)));

    while outside.undos() < 2 {
        tokio::task::yield_now().await;
    }

    // when it is mended, and the undo retried
    outside.mend();
    let retried = once_allowed(|| poor.retry("van", "ada", "it is back")).await;
    assert_eq!((retried.phase, retried.node, retried.stuck), (Phase::Undoing, Some(Status::Undoing), false));

    // then the order is taken back, without an exception
    let end = poor.finished().await.unwrap().unwrap();
    assert_eq!((end.outcome, end.exceptions), (End::Compensated, 0));
    node.stop(GRACE).await;
    assert_eq!(checked(folder.path()).counts.compensated, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn cx27_a_pivot_in_doubt_is_voided_and_what_lands_later_has_no_effect() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), Outside::default());
    outside.mend();
    let (node, sagas) = start(folder.path(), &outside).await;

    // given a payment that is lost on its way, of which the bank knows nothing
    let lost = begun(&sagas, "lost").await;
    let voided = once_allowed(|| lost.mark_not_done("pay", "ada", "nothing arrived")).await;
    assert_eq!((voided.phase, voided.node), (Phase::Committing, Some(Status::Voiding)));

    // then the order is taken back, and the payment that lands after all is refused
    let end = lost.finished().await.unwrap().unwrap();
    assert_eq!((end.outcome, end.exceptions), (End::Compensated, 0));
    assert_eq!(outside.land(), [Verdict::Tombstoned]);
    assert_eq!(outside.charged(), Vec::<Arc<str>>::new());

    // given one that arrived though nobody heard of it, then its probe says so and the order is completed
    let deaf = begun(&sagas, "deaf").await;
    let end = deaf.finished().await.unwrap().unwrap();
    assert_eq!((end.outcome, end.data.receipt.as_deref()), (End::Completed, Some("receipt of deaf")));
    assert_eq!(outside.charged(), [Arc::from("deaf")]);
    node.stop(GRACE).await;
    let n = checked(folder.path()).counts;
    assert_eq!((n.completed, n.compensated, n.leaks), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_over_a_restart_and_a_kill_names_what_stands() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), Outside::default());
    let (node, sagas) = start(folder.path(), &outside).await;
    let data = |id: &str| Order { id: id.into(), receipt: None };

    // given two orders that are paused while they wait, and a third that is killed
    for id in ["kept", "gone", "dead"] {
        sagas.start(id, data(id)).await.accepted().unwrap();
    }
    let waits = |s: &Situation| s.open.iter().any(|open| &*open.node == "go");
    for id in ["kept", "gone"] {
        loop {
            let paused = sagas.at(id).pause("ada", "an audit").await.accepted().unwrap().reply;
            assert!(paused.paused);
            if waits(&paused) {
                break;
            }
            sagas.at(id).resume("ada", "not yet").await.accepted().unwrap();
        }
    }
    let dead = sagas.at("dead").kill("ada", "a mistake").await.accepted().unwrap().reply;
    assert_eq!((dead.phase, dead.open.len()), (Phase::Killed, 0));
    let end = sagas.at("dead").finished().await.unwrap().unwrap();
    let killed = end.killed.unwrap();
    assert_eq!((&*killed.by, &*killed.reason), ("ada", "a mistake"));
    assert_eq!(killed.standing.iter().map(|key| &**key).collect::<Vec<_>>(), ["van/do"]);

    // when the node is started again
    node.stop(GRACE).await;
    checked(folder.path());
    let (node, sagas) = start(folder.path(), &outside).await;

    // then they still stand still: a signal is kept, and a cancel waits
    sagas.at("kept").signal_once("s1", Go).await.accepted().unwrap();
    let cancelled = sagas.at("gone").cancel("ada", "too long").await.accepted().unwrap().reply;
    assert!(cancelled.paused && cancelled.cancel_asked && cancelled.phase == Phase::Forward);
    let refused = sagas.at("kept").retry("go", "ada", "go on").await;
    assert!(matches!(refused, Answer::Rejected(r) if r.reply == No::Paused));

    // and go on when they are resumed
    outside.mend();
    for id in ["kept", "gone"] {
        sagas.at(id).resume("ada", "the audit is over").await.accepted().unwrap();
    }
    assert_eq!(sagas.at("kept").finished().await.unwrap().unwrap().outcome, End::Completed);
    assert_eq!(sagas.at("gone").finished().await.unwrap().unwrap().outcome, End::Compensated);
    node.stop(GRACE).await;
    let n = checked(folder.path()).counts;
    assert_eq!((n.completed, n.compensated, n.killed), (1, 1, 1));
}
