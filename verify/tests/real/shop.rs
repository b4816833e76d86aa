//! A shop whose orders can go wrong in every way: the shelf is an aggregate of another service, the van and the bank are
//! participants outside the log. What happens to an order is decided by its kind.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use palinode::{Activity, Aggregate, Attempt, Context, Failure, NoUndo, Node, Perform, Service};
use palinode_sagas::{GoOn, Retry, Saga, SagaService, Signal, Undo};
use serde::{Deserialize, Serialize};

/// What is going to happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Nothing.
    Good,
    /// The van's first attempt breaks, the bank's is transient, the ship's first round is refused.
    Shaky,
    /// The shelf refuses.
    Greedy,
    /// The van refuses.
    NoVan,
    /// The van is never reached.
    VanDown,
    /// The van answers nothing definite, and its undo only at the second attempt.
    VanLost,
    /// The bank refuses.
    Poor,
    /// The bank refuses, and the van's undo needs a person.
    Stuck,
}

/// All kinds that end by themselves, and how many of each are completed.
pub(crate) const KINDS: [(Kind, bool); 7] = [
    (Kind::Good, true),
    (Kind::Shaky, true),
    (Kind::Greedy, false),
    (Kind::NoVan, false),
    (Kind::VanDown, false),
    (Kind::VanLost, false),
    (Kind::Poor, false),
];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: Arc<str>,
    kind: Kind,
    receipt: Option<String>,
}

impl Order {
    pub(crate) fn new(kind: Kind, n: u32) -> Self {
        Self { id: format!("{kind:?}-{n}").into(), kind, receipt: None }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Shelf {
    taken: i64,
}

#[derive(Serialize, Deserialize)]
enum Command {
    Take(Kind),
    Give,
    Ship,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
enum Event {
    Taken {},
    Given {},
    Shipped {},
}

#[derive(Debug, Serialize, Deserialize)]
enum Rejection {
    TooMuch,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more than there is")
    }
}

impl Aggregate for Shelf {
    const SERVICE: &'static str = "stock";
    const KIND: &'static str = "shelf";
    type Command = Command;
    type Event = Event;
    type Reply = i64;
    type Rejection = Rejection;

    fn decide(&self, command: &Command, _: &Context) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Take(Kind::Greedy) => Err(Rejection::TooMuch),
            Command::Take(_) => Ok(vec![Event::Taken {}]),
            Command::Give => Ok(vec![Event::Given {}]),
            Command::Ship => Ok(vec![Event::Shipped {}]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Taken {} => self.taken += 1,
            Event::Given {} => self.taken -= 1,
            Event::Shipped {} => {}
        }
    }

    fn reply(&self, _: &Command) -> i64 {
        self.taken
    }
}

macro_rules! activity {
    ($name:ident, $stable:literal, $undo:ty) => {
        #[derive(Serialize, Deserialize)]
        pub(crate) struct $name {
            kind: Kind,
        }
        impl Activity for $name {
            const NAME: &'static str = $stable;
            type Reply = String;
            type Undo = $undo;
        }
    };
}
activity!(Book, "book-van", Unbook);
activity!(Unbook, "unbook-van", NoUndo);
activity!(Pay, "pay", NoUndo);
activity!(Tell, "tell", NoUndo);

#[derive(Clone)]
struct World;

fn transient<R>() -> Result<R, Failure> {
    Err(Failure::Transient("no line".into()))
}

impl Perform<Book> for World {
    async fn perform(&self, book: &Book, cx: &Attempt) -> Result<String, Failure> {
        match book.kind {
            Kind::Shaky if cx.attempt == 1 => panic!("the line broke"),
            Kind::NoVan => Err(Failure::refused("full", "no van is free")),
            Kind::VanDown => transient(),
            Kind::VanLost => Err(Failure::Unknown("no answer".into())),
            _ => Ok("van 7".into()),
        }
    }
}

impl Perform<Unbook> for World {
    async fn perform(&self, unbook: &Unbook, cx: &Attempt) -> Result<String, Failure> {
        match unbook.kind {
            Kind::VanLost if cx.attempt == 1 => transient(),
            Kind::Stuck => Err(Failure::Fatal("the van is on the road".into())),
            _ => Ok("free".into()),
        }
    }
}

impl Perform<Pay> for World {
    async fn perform(&self, pay: &Pay, cx: &Attempt) -> Result<String, Failure> {
        match pay.kind {
            Kind::Poor | Kind::Stuck => Err(Failure::refused("declined", "no money")),
            Kind::Shaky if cx.attempt == 1 => transient(),
            _ => Ok("receipt 1".into()),
        }
    }
}

impl Perform<Tell> for World {
    async fn perform(&self, tell: &Tell, cx: &Attempt) -> Result<String, Failure> {
        match tell.kind {
            Kind::Shaky if cx.round == 1 => Err(Failure::refused("asleep", "try again")),
            _ => Ok("told".into()),
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Go;
impl Signal for Go {
    const NAME: &'static str = "go";
}

const SOON: Duration = Duration::from_millis(1);

fn often() -> Retry {
    Retry::step().attempts(3).waits(SOON, SOON)
}

fn order(name: &'static str, wait: Duration, give_up: bool) -> Saga<Order> {
    let before = Saga::define(name, 1)
        .step("take", |o: &Order| Shelf::at(o.id.clone()).ask(Command::Take(o.kind)))
        .undo(|_, _| Command::Give)
        .parallel(|side| {
            side.branch("van", |van| {
                van.step("book", |o| Book { kind: o.kind })
                    .retry(often())
                    .undo_retry(often())
                    .undo(|o, _| Unbook { kind: o.kind })
                    .timer("warm-up", SOON)
            })
            .step("gift", |_| Shelf::at("gifts").ask(Command::Take(Kind::Good)))
            .when(|o| o.id.ends_with('1'))
            .undo(|_, _| Command::Give)
        })
        .read("look", |_| Shelf::at("gifts").ask(Command::Ship), |_, _| {})
        .wait::<Go>("go", wait);
    let waited = if give_up { before.on_timeout(Undo) } else { before.on_timeout(GoOn) };
    waited
        .pivot("pay", |o| Pay { kind: o.kind })
        .retry(often())
        .save(|o, receipt| o.receipt = Some(receipt.clone()))
        .retriable("ship", |o| Shelf::at(o.id.clone()).ask(Command::Ship))
        .retriable("tell", |o| Tell { kind: o.kind })
        .retry(often())
        .finish()
}

/// An order that waits for nobody long, and goes on.
pub(crate) fn brisk() -> Saga<Order> {
    order("brisk", SOON, false)
}

/// One that waits for nobody long, and is taken back.
pub(crate) fn hasty() -> Saga<Order> {
    order("hasty", SOON, true)
}

/// One that waits for its signal.
pub(crate) fn patient() -> Saga<Order> {
    order("patient", Duration::from_secs(3_600), true)
}

pub(crate) async fn start(folder: &Path) -> Node {
    let shop = Service::new("shop")
        .saga(&brisk())
        .saga(&hasty())
        .saga(&patient())
        .perform::<Book>(World)
        .perform::<Unbook>(World)
        .perform::<Pay>(World)
        .perform::<Tell>(World);
    let stock = Service::new("stock").aggregate::<Shelf>();
    Node::embedded(folder).service(shop).service(stock).start().await.unwrap()
}
