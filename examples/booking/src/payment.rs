//! The bank: a participant outside the log, with a file, a fence and a ledger of its own. It knows the sagas only by
//! their effect keys.

mod activity;
mod book;
mod counter;

pub(crate) use activity::{CapturePayment, IssueVoucher, VoucherDesk};
pub(crate) use counter::{Bank, open_read_only};
