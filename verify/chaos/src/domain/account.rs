//! Accounts of either service, and a book that some transfers may not be written into.

use std::marker::PhantomData;

use palinode::{Aggregate, Context};
use serde::{Deserialize, Serialize};

/// A service that has accounts.
pub(crate) trait Side: Send + Sync + 'static {
    /// Its name.
    const SERVICE: &'static str;
}

/// Where money comes from.
pub(crate) struct Left;
/// Where it goes.
pub(crate) struct Right;

impl Side for Left {
    const SERVICE: &'static str = "left";
}

impl Side for Right {
    const SERVICE: &'static str = "right";
}

/// Nobody may have more than this: what is moved to a full account is refused.
const FULL: i64 = 2_000;

/// An account.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Account<S> {
    cents: i64,
    #[serde(skip)]
    side: PhantomData<fn() -> S>,
}

impl<S> Default for Account<S> {
    fn default() -> Self {
        Self { cents: 0, side: PhantomData }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Refused when the account would be too full.
    Deposit(i64),
    /// Refused when there is not enough.
    Withdraw(i64),
    /// An undo: never refused.
    Return(i64),
    /// An undo: never refused, though the account may be in the red afterwards.
    TakeBack(i64),
}

impl Command {
    /// What an account holds more when it is accepted.
    pub(crate) fn brings(self) -> i64 {
        match self {
            Self::Deposit(n) | Self::Return(n) => n,
            Self::Withdraw(n) | Self::TakeBack(n) => -n,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Event {
    Deposited(i64),
    Withdrawn(i64),
}

impl<S: Side> Aggregate for Account<S> {
    const SERVICE: &'static str = S::SERVICE;
    const KIND: &'static str = "account";
    type Command = Command;
    type Event = Event;
    type Reply = i64;
    type Rejection = String;

    fn decide(&self, command: &Command, _: &Context) -> Result<Vec<Event>, String> {
        match *command {
            Command::Deposit(n) if self.cents + n > FULL => Err(format!("{} cents are enough", self.cents)),
            Command::Withdraw(n) if n > self.cents => Err(format!("there are only {} cents", self.cents)),
            Command::Deposit(n) | Command::Return(n) => Ok(vec![Event::Deposited(n)]),
            Command::Withdraw(n) | Command::TakeBack(n) => Ok(vec![Event::Withdrawn(n)]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Deposited(n) => self.cents += n,
            Event::Withdrawn(n) => self.cents -= n,
        }
    }

    fn reply(&self, _: &Command) -> i64 {
        self.cents
    }
}

/// The book of all transfers: it refuses every seventh cent.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Book {
    written: u64,
}

/// An amount to be written down.
#[derive(Serialize, Deserialize)]
pub(crate) struct Write(pub(crate) i64);

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Written {
    Written(i64),
}

impl Aggregate for Book {
    const SERVICE: &'static str = Left::SERVICE;
    const KIND: &'static str = "book";
    type Command = Write;
    type Event = Written;
    type Reply = u64;
    type Rejection = String;

    fn decide(&self, Write(cents): &Write, _: &Context) -> Result<Vec<Written>, String> {
        if cents % 7 == 0 {
            Err(format!("{cents} is not written down"))
        } else {
            Ok(vec![Written::Written(*cents)])
        }
    }

    fn evolve(&mut self, _: &Written) {
        self.written += 1;
    }

    fn reply(&self, _: &Write) -> u64 {
        self.written
    }
}
