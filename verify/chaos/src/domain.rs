//! What the processes run: accounts in two services, and a saga that moves an amount from one to the other, with refusals, a
//! wait, and an activity at the end. Small, and every cent of it can be counted again from the log. Knows no disaster.

mod account;
mod balances;
mod transfer;

use palinode::Service;
use palinode_sagas::SagaService as _;

pub(crate) use account::{Account, Command, Left, Right, Side};
pub(crate) use balances::Balances;
pub(crate) use transfer::{Go, Ring, Transfer, graphs, later, now};

use account::Book;
use transfer::Bell;

/// Both services.
pub(crate) const SERVICES: [&str; 2] = [Left::SERVICE, Right::SERVICE];
/// Shards of each.
pub(crate) const SHARDS: u32 = 4;

/// The service of the accounts from which is moved, and of the sagas.
pub(crate) fn left() -> Service {
    Service::new(Left::SERVICE)
        .aggregate::<Account<Left>>()
        .aggregate::<Book>()
        .saga(&now())
        .saga(&later())
        .perform::<Ring>(Bell)
}

/// The service of the accounts to which is moved.
pub(crate) fn right() -> Service {
    Service::new(Right::SERVICE).aggregate::<Account<Right>>()
}
