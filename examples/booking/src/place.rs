//! Where everything lies that a command works on: the folder with the log and the read models, and the bank.

use std::path::{Path, PathBuf};

use palinode::{Attempt, Failure, Perform};

use crate::payment::{Bank, CapturePayment, Captured, Ledger, RemoteBank};

/// The bank's file, in its folder.
pub(crate) const PAYMENTS: &str = "payments.db";

/// Where everything lies.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    folder: PathBuf,
    bank: Option<RemoteBank>,
}

/// The bank of a place, wherever it works.
#[derive(Clone)]
pub(crate) enum Payments {
    /// In this process.
    Here(Bank),
    /// In another one.
    There(RemoteBank),
}

impl Place {
    /// All in a folder, but the bank if it is another process.
    pub(crate) fn new(folder: PathBuf, bank: Option<RemoteBank>) -> Self {
        Self { folder, bank }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bank to pay by.
    ///
    /// # Errors
    /// When its file cannot be opened.
    pub(crate) fn payments(&self) -> anyhow::Result<Payments> {
        Ok(match &self.bank {
            Some(bank) => Payments::There(bank.clone()),
            None => Payments::Here(Bank::open(&self.folder.join(PAYMENTS))?),
        })
    }

    /// What the bank's book says now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn ledger(&self) -> anyhow::Result<Ledger> {
        match &self.bank {
            Some(bank) => bank.ledger().await,
            None => Ledger::read(&self.folder.join(PAYMENTS)),
        }
    }
}

impl Perform<CapturePayment> for Payments {
    async fn perform(&self, payment: &CapturePayment, cx: &Attempt) -> Result<Captured, Failure> {
        match self {
            Self::Here(bank) => bank.perform(payment, cx).await,
            Self::There(bank) => bank.perform(payment, cx).await,
        }
    }
}
