//! The example's bank behind the simulated line: the same book and fence, in memory, called with everything that goes
//! wrong on the way to and from participants. It outlives every node.

use std::sync::Arc;

use ::booking::{
    domain::{Cents, TripId},
    payment::{CapturePayment, Captured, MemoryBank},
};
use palinode::{Attempt, Failure, Perform};

use crate::participants::{Participants, TIMEOUT, Way};

/// The bank. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bank {
    bank: Arc<MemoryBank>,
    line: Participants,
}

impl Bank {
    pub(crate) fn new(line: Participants) -> Self {
        Self { bank: Arc::new(MemoryBank::open().unwrap()), line }
    }

    /// Every charge that was made, in order.
    pub(crate) fn ledger(&self) -> Vec<(TripId, Cents)> {
        self.bank.ledger().unwrap()
    }
}

impl Perform<CapturePayment> for Bank {
    async fn perform(&self, payment: &CapturePayment, cx: &Attempt) -> Result<Captured, Failure> {
        let (way, doubled, there, back) = self.line.on_the_way();
        if doubled {
            drop(self.bank.capture(payment, cx));
        }
        let mute = || Err(Failure::Unknown("no answer".into()));
        match way {
            Way::LostRequest => {
                tokio::time::sleep(TIMEOUT * 2).await;
                mute()
            }
            Way::Late => {
                let (bank, payment, cx) = (Arc::clone(&self.bank), payment.clone(), cx.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(TIMEOUT + there).await;
                    drop(bank.capture(&payment, &cx));
                });
                tokio::time::sleep(TIMEOUT * 2).await;
                mute()
            }
            Way::LostReply => {
                tokio::time::sleep(there).await;
                drop(self.bank.capture(payment, cx));
                tokio::time::sleep(TIMEOUT * 2).await;
                mute()
            }
            Way::Straight => {
                tokio::time::sleep(there).await;
                let answer = self.bank.capture(payment, cx);
                tokio::time::sleep(back).await;
                answer
            }
            Way::Transient | Way::Broken | Way::Fatal => Err(Failure::Transient("no line".into())),
        }
    }
}
