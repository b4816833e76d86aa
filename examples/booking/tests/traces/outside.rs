//! Those outside the log, who fail as often as a story wants: the bank, which may charge and not answer, and the printer of
//! vouchers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use booking::payment::{CapturePayment, Captured, IssueVoucher, MemoryBank, Voucher, VoucherDesk};
use palinode::{Attempt, Failure, Perform};

/// The bank and the printer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outside {
    bank: Arc<MemoryBank>,
    /// How often the bank charges, or declines, and does not say so.
    pub(crate) mute: Arc<AtomicU32>,
    /// How many milliseconds the bank takes.
    pub(crate) takes: Arc<AtomicU64>,
    /// How often the printer needs a person.
    pub(crate) jammed: Arc<AtomicU32>,
}

impl Outside {
    pub(crate) fn new() -> Self {
        let bank = Arc::new(MemoryBank::open().unwrap());
        let takes = Arc::new(AtomicU64::new(7));
        Self { bank, takes, mute: Arc::default(), jammed: Arc::default() }
    }

    /// How often money was taken.
    pub(crate) fn charges(&self) -> usize {
        self.bank.ledger().unwrap().len()
    }
}

fn once_less(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok()
}

impl Perform<CapturePayment> for Outside {
    async fn perform(&self, payment: &CapturePayment, cx: &Attempt) -> Result<Captured, Failure> {
        cx.clock.pass(Duration::from_millis(self.takes.load(Ordering::SeqCst))).await;
        let answer = self.bank.capture(payment, cx);
        if once_less(&self.mute) { Err(Failure::Unknown("no answer".into())) } else { answer }
    }
}

impl Perform<IssueVoucher> for Outside {
    async fn perform(&self, voucher: &IssueVoucher, cx: &Attempt) -> Result<Voucher, Failure> {
        if once_less(&self.jammed) {
            return Err(Failure::Fatal("the printer is jammed".into()));
        }
        VoucherDesk.perform(voucher, cx).await
    }
}
