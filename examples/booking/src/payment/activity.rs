//! What a saga asks of the world outside the log: to capture the payment, to issue the voucher.

use palinode::{Activity, Attempt, Failure, NoUndo, Perform};
use palinode_sagas::fence::Call;
use serde::{Deserialize, Serialize};

use super::{book::Charge, counter::Bank};
use crate::domain::{Cents, TripId};

/// Takes the guest's money. The point of no return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CapturePayment {
    /// Whose money.
    pub(crate) trip: TripId,
    /// How much.
    pub(crate) amount: Cents,
}

/// The money is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Captured {
    /// Where the bank's ledger names it.
    pub(crate) reference: String,
}

impl Activity for CapturePayment {
    const NAME: &'static str = "capture-payment";
    type Reply = Captured;
    type Undo = NoUndo;
}

impl Perform<CapturePayment> for Bank {
    async fn perform(&self, payment: &CapturePayment, cx: &Attempt) -> Result<Captured, Failure> {
        let call = Call::of(cx, payment).map_err(|e| Failure::Fatal(format!("request: {e}").into()))?;
        let charge = Charge { call, trip: payment.trip, amount: payment.amount };
        self.charge(charge).await.map(|reference| Captured { reference })
    }
}

/// Writes the voucher the guest travels with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IssueVoucher {
    /// For this trip.
    pub(crate) trip: TripId,
}

/// The voucher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Voucher {
    /// Its number.
    pub(crate) number: String,
}

impl Activity for IssueVoucher {
    const NAME: &'static str = "issue-voucher";
    type Reply = Voucher;
    type Undo = NoUndo;
}

/// Issues vouchers. It needs no fence: the number follows from the trip, so issuing twice is issuing once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VoucherDesk;

impl Perform<IssueVoucher> for VoucherDesk {
    async fn perform(&self, voucher: &IssueVoucher, _cx: &Attempt) -> Result<Voucher, Failure> {
        Ok(Voucher { number: format!("V-{}", voucher.trip) })
    }
}
