//! The bank: a participant outside the log, with a file, a fence and a ledger of its own. It knows the sagas only by
//! their effect keys.

mod activity;
mod book;
mod counter;
mod memory;

pub use activity::{CapturePayment, Captured, IssueVoucher, Voucher, VoucherDesk};
pub use memory::MemoryBank;

pub(crate) use counter::{Bank, open_read_only};
