//! What a saga asks of the world outside the log: to capture the payment, to issue the voucher.

use palinode::{Activity, Attempt, Failure, NoUndo, Perform};
use serde::{Deserialize, Serialize};

use super::{book::Charge, counter::Bank};
use crate::domain::{Cents, TripId};

/// Takes the guest's money. The point of no return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturePayment {
    /// Whose money.
    pub trip: TripId,
    /// How much.
    pub amount: Cents,
}

/// The money is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// Where the bank's ledger names it.
    pub reference: String,
}

impl Activity for CapturePayment {
    const NAME: &'static str = "capture-payment";
    type Reply = Captured;
    type Undo = NoUndo;
}

impl Perform<CapturePayment> for Bank {
    async fn perform(&self, payment: &CapturePayment, cx: &Attempt) -> Result<Captured, Failure> {
        self.charge(Charge::of(payment, cx)?, Some(cx)).await.map(|reference| Captured { reference })
    }
}

/// Writes the voucher the guest travels with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueVoucher {
    /// For this trip.
    pub trip: TripId,
}

/// The voucher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// Its number.
    pub number: String,
}

impl Activity for IssueVoucher {
    const NAME: &'static str = "issue-voucher";
    type Reply = Voucher;
    type Undo = NoUndo;
}

/// Issues vouchers. It needs no fence: the number follows from the trip, so issuing twice is issuing once.
#[derive(Debug, Clone, Copy)]
pub struct VoucherDesk;

impl Perform<IssueVoucher> for VoucherDesk {
    async fn perform(&self, voucher: &IssueVoucher, _cx: &Attempt) -> Result<Voucher, Failure> {
        Ok(Voucher { number: format!("V-{}", voucher.trip) })
    }
}
