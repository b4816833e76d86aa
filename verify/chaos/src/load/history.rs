//! What was asked, when, and what was told. Plain data.

use std::sync::Arc;

use palinode::Token;
use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::Command;

/// Everything a load remembers.
#[derive(Default)]
pub(crate) struct History {
    /// Commands, in the order in which they were asked.
    pub(crate) asked: Vec<Asked>,
    /// Sagas.
    pub(crate) sagas: Vec<Moved>,
    /// Answers that may not be.
    pub(crate) odd: Vec<String>,
}

/// A command.
#[derive(Clone)]
pub(crate) struct Asked {
    /// Its place in the history.
    pub(crate) n: usize,
    pub(crate) id: Uuid,
    pub(crate) service: &'static str,
    pub(crate) account: String,
    pub(crate) command: Command,
    /// When it was asked first.
    pub(crate) sent: Instant,
    pub(crate) told: Option<Told>,
}

/// The first definite answer.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) said: Receipt,
    /// When it came.
    pub(crate) at: Instant,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Done; or a business no.
    pub(crate) accepted: bool,
    pub(crate) version: u64,
    pub(crate) service: Arc<str>,
    pub(crate) shard: u32,
    pub(crate) pseq: u64,
    /// What the account held then.
    pub(crate) cents: Option<i64>,
}

impl Receipt {
    pub(crate) fn new(accepted: bool, version: u64, token: &Token, cents: Option<i64>) -> Self {
        Self {
            accepted,
            version,
            service: Arc::clone(&token.service),
            shard: token.shard,
            pseq: token.pseq,
            cents,
        }
    }
}

/// A saga.
pub(crate) struct Moved {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// Whether its start was acknowledged.
    pub(crate) started: bool,
    /// What it was said to have ended with.
    pub(crate) end: Option<End>,
}

/// How a saga ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Compensated,
    Killed,
}

impl End {
    pub(crate) fn of(end: palinode_sagas::End) -> Self {
        match end {
            palinode_sagas::End::Completed => Self::Completed,
            palinode_sagas::End::Compensated => Self::Compensated,
            palinode_sagas::End::Killed => Self::Killed,
        }
    }

    /// As in the column `status`, and as the entry of the journal is called.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::Killed => "killed",
        }
    }
}
