//! A shop: stock is an aggregate, payment an activity outside the log.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use palinode::activity::{Circuit, Traffic};
use palinode::{
    Activity, Aggregate, Answer, Attempt, Context, Failure, Limits, NoUndo, Node, Perform, Service,
};
use palinode_sagas::{End, Saga, SagaClient, SagaService, Signal, client::OtherData, event::Why};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Order {
    id: Arc<str>,
    pieces: u32,
    left: Option<u32>,
    receipt: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Stock {
    taken: u32,
}

#[derive(Serialize, Deserialize)]
enum Command {
    Take(u32),
    Give(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Event {
    Taken(u32),
    Given(u32),
}

#[derive(Debug, Serialize, Deserialize)]
enum Rejection {
    SoldOut { left: u32 },
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::SoldOut { left } = self;
        write!(f, "only {left} left")
    }
}

impl Aggregate for Stock {
    const SERVICE: &'static str = "stock";
    const KIND: &'static str = "shelf";
    type Command = Command;
    type Event = Event;
    type Reply = u32;
    type Rejection = Rejection;

    fn decide(&self, command: &Command, _: &Context) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Take(n) if self.taken + n > 10 => Err(Rejection::SoldOut { left: 10 - self.taken }),
            Command::Take(n) => Ok(vec![Event::Taken(*n)]),
            Command::Give(n) => Ok(vec![Event::Given(*n)]),
        }
    }
    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Taken(n) => self.taken += n,
            Event::Given(n) => self.taken -= n,
        }
    }
    fn reply(&self, _: &Command) -> u32 {
        10 - self.taken
    }
}

#[derive(Serialize, Deserialize)]
struct Pay {
    order: Arc<str>,
}
impl Activity for Pay {
    const NAME: &'static str = "pay";
    type Reply = String;
    type Undo = NoUndo;
}

#[derive(Clone, Default)]
struct Bank {
    calls: Arc<AtomicU32>,
    hanging: Arc<tokio::sync::Notify>,
}
impl Perform<Pay> for Bank {
    async fn perform(&self, pay: &Pay, cx: &Attempt) -> Result<String, Failure> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match &*pay.order {
            "poor" => Err(Failure::refused("declined", "no money")),
            "shaky" if cx.attempt == 1 => panic!("the line broke"),
            "hangs" if cx.attempt == 1 => {
                self.hanging.notify_one();
                std::future::pending().await
            }
            _ => Ok(format!("paid {}", cx.key)),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Go;
impl Signal for Go {
    const NAME: &'static str = "go";
}

fn order(wait: bool) -> Saga<Order> {
    Saga::define(if wait { "slow-order" } else { "order" }, 1)
        .step("take", |o: &Order| Stock::at("a").ask(Command::Take(o.pieces)))
        .save(|o, left| o.left = Some(*left))
        .undo(|o, _| Command::Give(o.pieces))
        .wait::<Go>("go", Duration::from_secs(3_600))
        .when(move |_| wait)
        .pivot("pay", |o| Pay { order: Arc::clone(&o.id) })
        .save(|o, receipt| o.receipt = Some(receipt.clone()))
        .finish()
}

async fn start(dir: &Path, bank: &Bank) -> Node {
    let shop = Service::new("shop").saga(&order(false)).saga(&order(true)).perform::<Pay>(bank.clone());
    let stock = Service::new("stock").aggregate::<Stock>();
    let node = Node::embedded(dir).service(shop).service(stock).limits(Limits::default());
    node.start().await.unwrap()
}

fn data(id: &str, pieces: u32) -> Order {
    Order { id: id.into(), pieces, left: None, receipt: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_completed_or_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let bank = Bank::default();
    let node = start(folder.path(), &bank).await;
    let orders = node.client().sagas("shop", &order(false));

    let good = orders.start("good", data("good", 3)).await.accepted().unwrap().reply;
    let end = good.finished().await.unwrap().unwrap();
    assert_eq!(end.outcome, End::Completed);
    assert_eq!((end.data.left, end.data.receipt.as_deref()), (Some(7), Some("paid pay/do")));

    let poor = orders.start("poor", data("poor", 4)).await.accepted().unwrap().reply;
    let end = poor.finished().await.unwrap().unwrap();
    assert_eq!(end.outcome, End::Compensated);
    assert!(
        matches!(end.why, Some(Why::Refused { ref node, ref code, .. }) if (&**node, &**code) == ("pay", "declined"))
    );

    let greedy = orders.start("greedy", data("greedy", 8)).await.accepted().unwrap().reply;
    let end = greedy.finished().await.unwrap().unwrap();
    assert!(matches!(end.why, Some(Why::Refused { ref code, .. }) if &**code == "SoldOut"));

    let shaky = orders.start("shaky", data("shaky", 7)).await.accepted().unwrap().reply;
    let end = shaky.finished().await.unwrap().unwrap();
    assert_eq!((end.outcome, end.data.left), (End::Completed, Some(0)));
    assert_eq!(bank.calls.load(Ordering::SeqCst), 4);
    assert!(node.halted().is_empty());
    node.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_survives_its_node_and_starting_it_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bank = Bank::default();
    let node = start(folder.path(), &bank).await;
    let orders = node.client().sagas("shop", &order(true));
    orders.start("one", data("one", 2)).await.accepted().unwrap();
    drop(orders);
    node.stop(Duration::from_secs(5)).await;

    let node = start(folder.path(), &bank).await;
    let orders = node.client().sagas("shop", &order(true));
    let again = orders.start("one", data("one", 2)).await.accepted().unwrap().reply;
    assert!(matches!(orders.start("one", data("one", 3)).await, Answer::Rejected(r) if r.reply == OtherData));
    again.signal_once("s1", Go).await.accepted().unwrap();
    let end = again.finished().await.unwrap().unwrap();
    assert_eq!((end.outcome, end.data.left), (End::Completed, Some(8)));
    let late = again.cancel("too late").await;
    assert!(matches!(late, Answer::Rejected(r) if r.reply == palinode_sagas::client::No::Ended));
    node.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_lost_with_its_owner_is_made_again_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let bank = Bank::default();
    let node = start(folder.path(), &bank).await;
    let orders = node.client().sagas("shop", &order(false));
    orders.start("hangs", data("hangs", 1)).await.accepted().unwrap();
    bank.hanging.notified().await;
    let seen = node.activities();
    assert_eq!((&*seen[0].service, &*seen[0].activity, seen.len()), ("shop", "pay", 1));
    assert_eq!(seen[0].traffic, Traffic { waiting: 0, running: 1, circuit: Circuit::Closed });
    node.stop(Duration::ZERO).await;

    let node = start(folder.path(), &bank).await;
    let orders = node.client().sagas("shop", &order(false));
    let again = orders.start("hangs", data("hangs", 1)).await.accepted().unwrap().reply;
    let end = again.finished().await.unwrap().unwrap();
    assert_eq!((end.outcome, bank.calls.load(Ordering::SeqCst)), (End::Completed, 2));
    node.stop(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_racing_starts_are_one_saga() {
    let folder = tempfile::tempdir().unwrap();
    let bank = Bank::default();
    let node = start(folder.path(), &bank).await;
    let orders = node.client().sagas("shop", &order(false));
    let starts = (0..100).map(|_| orders.start("one", data("one", 1)));
    for answer in futures_util::future::join_all(starts).await {
        answer.accepted().unwrap();
    }
    let end = orders.at("one").finished().await.unwrap().unwrap();
    assert_eq!((end.data.left, bank.calls.load(Ordering::SeqCst)), (Some(9), 1));
    node.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_node_refuses_a_definition_with_problems() {
    let folder = tempfile::tempdir().unwrap();
    let twice = Saga::define("Bad Name", 1)
        .read("a", |o: &Order| Pay { order: Arc::clone(&o.id) }, |_, _| {})
        .read("a", |o| Pay { order: Arc::clone(&o.id) }, |_, _| {})
        .finish();
    let started = Node::embedded(folder.path()).service(Service::new("shop").saga(&twice)).start().await;
    let text = started.err().unwrap().to_string();
    assert!(text.contains("two nodes are named \"a\"") && text.contains("\"Bad Name\""), "{text}");
}
