//! The bank: a participant outside the log, with a file, a fence and a ledger of its own. It knows the sagas only by
//! their effect keys.

mod activity;
mod book;
mod counter;
mod ledger;
mod memory;
mod office;
mod remote;
mod wire;

pub use activity::{CapturePayment, Captured, IssueVoucher, Voucher, VoucherDesk};
pub use memory::MemoryBank;

pub(crate) use counter::Bank;
pub(crate) use ledger::Ledger;
pub(crate) use office::Office;
pub(crate) use remote::RemoteBank;
