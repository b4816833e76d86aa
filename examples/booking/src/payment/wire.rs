//! What travels between a service and a bank in another process: a charge, and every way it can end. Pure.

use std::sync::Arc;

use palinode::{Digest, Failure};
use palinode_sagas::{event::Direction, fence::Call};
use serde::{Deserialize, Serialize};

use super::book::Charge;
use crate::domain::{Cents, TripId};

/// Where charges are made.
pub(super) const CHARGES: &str = "/charges";
/// Where all of them are read.
pub(super) const LEDGER: &str = "/ledger";

/// A charge to make, under its effect key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    saga: Arc<str>,
    node: Arc<str>,
    direction: Direction,
    round: u32,
    digest: Digest,
    trip: TripId,
    cents: u64,
}

/// How a charge ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Done { reference: String },
    Refused { code: Arc<str>, text: Arc<str> },
    Transient { why: Arc<str> },
    Unknown { why: Arc<str> },
    Fatal { why: Arc<str> },
}

impl From<Charge> for Order {
    fn from(Charge { call, trip, amount }: Charge) -> Self {
        let Call { saga, node, direction, round, digest } = call;
        Self { saga, node, direction, round, digest, trip, cents: amount.0 }
    }
}

impl From<Order> for Charge {
    fn from(Order { saga, node, direction, round, digest, trip, cents }: Order) -> Self {
        Self { call: Call { saga, node, direction, round, digest }, trip, amount: Cents(cents) }
    }
}

impl From<Result<String, Failure>> for End {
    fn from(answer: Result<String, Failure>) -> Self {
        match answer {
            Ok(reference) => Self::Done { reference },
            Err(Failure::Refused { code, text }) => Self::Refused { code, text },
            Err(Failure::Transient(why)) => Self::Transient { why },
            Err(Failure::Unknown(why)) => Self::Unknown { why },
            Err(Failure::Fatal(why)) => Self::Fatal { why },
        }
    }
}

impl From<End> for Result<String, Failure> {
    fn from(end: End) -> Self {
        match end {
            End::Done { reference } => Ok(reference),
            End::Refused { code, text } => Err(Failure::Refused { code, text }),
            End::Transient { why } => Err(Failure::Transient(why)),
            End::Unknown { why } => Err(Failure::Unknown(why)),
            End::Fatal { why } => Err(Failure::Fatal(why)),
        }
    }
}
