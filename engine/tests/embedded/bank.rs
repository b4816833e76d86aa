//! An account that can be asked.

use std::{fmt, path::Path, time::Duration};

use palinode::{Aggregate, Context, Node, Service};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Account {
    balance: i64,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Command {
    Deposit(i64),
    Withdraw(i64),
    Curse,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Deposited(i64),
    Withdrawn(i64),
    Cursed,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NotEnough {
    pub(crate) balance: i64,
}

impl fmt::Display for NotEnough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the balance is only {}", self.balance)
    }
}

impl Aggregate for Account {
    const SERVICE: &'static str = "bank";
    const KIND: &'static str = "account";
    type Command = Command;
    type Event = Event;
    type Reply = i64;
    type Rejection = NotEnough;

    fn decide(&self, command: &Command, _cx: &Context) -> Result<Vec<Event>, NotEnough> {
        match command {
            Command::Deposit(n) => Ok(vec![Event::Deposited(*n)]),
            Command::Withdraw(n) if *n > self.balance => Err(NotEnough { balance: self.balance }),
            Command::Withdraw(n) => Ok(vec![Event::Withdrawn(*n)]),
            Command::Curse => Ok(vec![Event::Cursed]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Deposited(n) => self.balance += n,
            Event::Withdrawn(n) => self.balance -= n,
            Event::Cursed => panic!("cursed"),
        }
    }

    fn reply(&self, _command: &Command) -> i64 {
        self.balance
    }
}

pub(crate) async fn open(dir: &Path) -> Node {
    Node::embedded(dir).service(Service::new("bank").aggregate::<Account>()).start().await.unwrap()
}

pub(crate) async fn close(node: Node) {
    assert!(node.stop(Duration::from_secs(20)).await, "the node ends in order");
}
