//! The aggregates of the simulated booking: accounts with money, slots (rooms, seats, cars) with a capacity. What they
//! decide is written a second time, naively, in `oracle/model.rs`.

use std::{collections::BTreeMap, fmt};

use palinode::{Aggregate, Context, Service};
use serde::{Deserialize, Serialize};

/// Money.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Account {
    balance: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Money {
    Deposit(i64),
    Withdraw(i64),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Moved {
    Deposited(i64),
    Withdrawn(i64),
}

#[derive(Serialize, Deserialize)]
pub(crate) enum NoMoney {
    NotEnough { balance: i64 },
}

impl fmt::Display for NoMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NotEnough { balance } = self;
        write!(f, "the balance is only {balance}")
    }
}

impl Aggregate for Account {
    const SERVICE: &'static str = "bank";
    const KIND: &'static str = "account";
    type Command = Money;
    type Event = Moved;
    type Reply = i64;
    type Rejection = NoMoney;

    fn decide(&self, command: &Money, _: &Context) -> Result<Vec<Moved>, NoMoney> {
        match command {
            Money::Deposit(0) => Ok(Vec::new()),
            Money::Deposit(n) => Ok(vec![Moved::Deposited(*n)]),
            Money::Withdraw(n) if *n > self.balance => Err(NoMoney::NotEnough { balance: self.balance }),
            Money::Withdraw(n) => Ok(vec![Moved::Withdrawn(*n)]),
        }
    }

    fn evolve(&mut self, event: &Moved) {
        match event {
            Moved::Deposited(n) => self.balance += n,
            Moved::Withdrawn(n) => self.balance -= n,
        }
    }

    fn reply(&self, _: &Money) -> i64 {
        self.balance
    }
}

/// A room, a seat, a car: so many may hold it as the number after the last dash of its id says.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Slot {
    holders: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Place {
    Hold { by: String, most: usize, refuse: bool },
    Release { by: String },
    Confirm { by: String },
    Flood { bytes: usize, times: usize },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub(crate) enum Placed {
    Held { by: String },
    Released { by: String },
    Confirmed { by: String },
    Flooded(String),
}

#[derive(Serialize, Deserialize)]
pub(crate) enum NoPlace {
    Full,
    Refused,
}

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "it is full",
            Self::Refused => "it refuses",
        })
    }
}

impl Aggregate for Slot {
    const SERVICE: &'static str = "stock";
    const KIND: &'static str = "slot";
    type Command = Place;
    type Event = Placed;
    type Reply = u32;
    type Rejection = NoPlace;

    fn decide(&self, command: &Place, _: &Context) -> Result<Vec<Placed>, NoPlace> {
        match command {
            Place::Hold { refuse: true, .. } => Err(NoPlace::Refused),
            Place::Hold { most, .. } if self.holders.len() >= *most => Err(NoPlace::Full),
            Place::Hold { by, .. } => Ok(vec![Placed::Held { by: by.clone() }]),
            Place::Release { by } if self.holders.contains_key(by) => {
                Ok(vec![Placed::Released { by: by.clone() }])
            }
            Place::Release { .. } => Ok(Vec::new()),
            Place::Confirm { by } => Ok(vec![Placed::Confirmed { by: by.clone() }]),
            Place::Flood { bytes, times } => {
                Ok((0..*times).map(|_| Placed::Flooded("x".repeat(*bytes))).collect())
            }
        }
    }

    fn evolve(&mut self, event: &Placed) {
        match event {
            Placed::Held { by } => *self.holders.entry(by.clone()).or_default() += 1,
            Placed::Released { by } => drop(self.holders.remove(by)),
            Placed::Confirmed { .. } | Placed::Flooded(_) => {}
        }
    }

    fn reply(&self, _: &Place) -> u32 {
        u32::try_from(self.holders.len()).unwrap_or(u32::MAX)
    }
}

pub(crate) fn bank() -> Service {
    Service::new("bank").aggregate::<Account>()
}

pub(crate) fn stock() -> Service {
    Service::new("stock").aggregate::<Slot>()
}
