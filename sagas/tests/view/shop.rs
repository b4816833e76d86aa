//! A shop on a real node: a shelf is an aggregate, payment and wrapping are activities. What goes wrong is in the data.

use std::{path::Path, sync::Arc, time::Duration};

use palinode::{
    Activity, Aggregate, Attempt, Context, Failure, NoUndo, Node, Perform, Service,
    projection::{ApplyError, ReadModel, Waited},
    testing::Recorder,
};
use palinode_sagas::{GoOn, Retry, Saga, SagaRows, SagaService, Signal, view::SagaRow, view::rows};
use serde::{Deserialize, Serialize};

pub(crate) const LONG: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// The data: an id, and what will go wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) fault: String,
}

pub(crate) fn order(id: &str, fault: &str) -> Order {
    Order { id: id.into(), fault: fault.into() }
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Shelf;

#[derive(Serialize, Deserialize)]
pub(crate) enum Command {
    Take(String),
    Give(String),
}

impl Aggregate for Shelf {
    const SERVICE: &'static str = "stock";
    const KIND: &'static str = "shelf";
    type Command = Command;
    type Event = ();
    type Reply = ();
    type Rejection = String;

    fn decide(&self, command: &Command, _: &Context) -> Result<Vec<()>, String> {
        match command {
            Command::Take(fault) if fault == "sold-out" => Err("nothing is left".into()),
            Command::Give(fault) if fault.starts_with("closed") => Err("the shelf is closed".into()),
            _ => Ok(Vec::new()),
        }
    }
    fn evolve(&mut self, (): &()) {}
    fn reply(&self, _: &Command) {}
}

macro_rules! activity {
    ($name:ident, $stable:literal, $undo:ty) => {
        #[derive(Serialize, Deserialize)]
        pub(crate) struct $name(String);
        impl Activity for $name {
            const NAME: &'static str = $stable;
            type Reply = ();
            type Undo = $undo;
        }
        impl Perform<$name> for Hands {
            async fn perform(&self, activity: &$name, cx: &Attempt) -> Result<(), Failure> {
                let Some(fault) = activity.0.strip_suffix(concat!("-", $stable)) else { return Ok(()) };
                match fault.trim_start_matches("closed-") {
                    "no" => Err(Failure::refused("declined", "no money")),
                    "away" => Err(Failure::Transient("the line is busy".into())),
                    "shaky" if cx.attempt > 1 => Ok(()),
                    "shaky" => Err(Failure::Unknown("the line broke".into())),
                    "odd" => Err(Failure::Fatal("an odd answer".into())),
                    _ => Ok(()),
                }
            }
        }
    };
}
activity!(Pay, "pay", NoUndo);
activity!(Wrap, "wrap", Unwrap);
activity!(Unwrap, "unwrap", NoUndo);
activity!(Ticket, "ticket", NoUndo);

#[derive(Clone)]
pub(crate) struct Hands;

#[derive(Serialize, Deserialize)]
pub(crate) struct Go;
impl Signal for Go {
    const NAME: &'static str = "go";
}

fn soon(retry: Retry) -> Retry {
    retry.attempts(2).waits(Duration::from_millis(1), Duration::from_millis(1))
}

/// A shelf, then payment, then a ticket.
pub(crate) fn plain() -> Saga<Order> {
    Saga::define("plain", 1)
        .step("take", |o: &Order| Shelf::at("a").ask(Command::Take(o.fault.clone())))
        .undo_retry(soon(Retry::undo()))
        .undo(|o, _| Command::Give(o.fault.clone()))
        .pivot("pay", |o| Pay(o.fault.clone()))
        .retry(soon(Retry::step()))
        .retriable("ticket", |o| Ticket(o.fault.clone()))
        .retry(soon(Retry::retriable()))
        .finish()
}

/// A shelf and wrapping side by side, then the guest's word, then payment.
pub(crate) fn asking() -> Saga<Order> {
    Saga::define("asking", 2)
        .parallel(|p| {
            p.step("take", |o: &Order| Shelf::at("b").ask(Command::Take(o.fault.clone())))
                .undo_retry(soon(Retry::undo()))
                .undo(|o, _| Command::Give(o.fault.clone()))
                .branch("extra", |flow| {
                    flow.step("wrap", |o| Wrap(o.fault.clone()))
                        .retry(soon(Retry::step()))
                        .undo(|o, _| Unwrap(o.fault.clone()))
                })
        })
        .wait::<Go>("guest", HOUR)
        .on_timeout(GoOn)
        .pivot("pay", |o| Pay(o.fault.clone()))
        .retry(soon(Retry::step()))
        .finish()
}

pub(crate) async fn start(folder: &Path) -> (Node, ReadModel) {
    start_telling(folder, Arc::new(Recorder::default())).await
}

pub(crate) async fn start_telling(folder: &Path, recorder: Arc<Recorder>) -> (Node, ReadModel) {
    let shop = Service::new("shop")
        .saga(&plain())
        .saga(&asking())
        .perform::<Pay>(Hands)
        .perform::<Wrap>(Hands)
        .perform::<Unwrap>(Hands)
        .perform::<Ticket>(Hands);
    let stock = Service::new("stock").aggregate::<Shelf>();
    let node = Node::embedded(folder).service(shop).service(stock).observe(recorder).start().await.unwrap();
    let model = node.project("shop", SagaRows).await.unwrap();
    (node, model)
}

/// The only row of this id.
pub(crate) async fn row(node: &Node, id: &str) -> Result<Option<SagaRow>, ApplyError> {
    let mut found = rows::find(node.read_db()?, "shop", id).await?;
    assert!(found.len() < 2, "{found:?}");
    Ok(found.pop())
}

/// The row of an instance, as soon as it is like this: looked at whenever its shard has moved.
pub(crate) async fn once(
    node: &Node,
    model: &ReadModel,
    at: &palinode::Address,
    is: impl Fn(&SagaRow) -> bool,
) -> SagaRow {
    let shards = u32::try_from(model.status().len()).unwrap();
    let shard = palinode::EntityKey::new(Arc::clone(&at.kind), Arc::clone(&at.id)).shard(shards);
    loop {
        let seen = model.status()[shard as usize].position.clone();
        let row = rows::at(node.read_db().unwrap(), at).await.unwrap();
        if let Some(row) = row.filter(&is) {
            return row;
        }
        model.wait_until(shard, |status| status.position != seen).await.unwrap();
    }
}

pub(crate) async fn reached(model: &ReadModel, token: &palinode::Token) {
    assert_eq!(model.wait_for(token, LONG).await, Waited::Reached);
}
