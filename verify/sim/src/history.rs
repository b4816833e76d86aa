//! What clients did and what they were told: the lines that the promises to clients are held against. Knows no node.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use palinode::{commit::Outcome, message::ClientMessage, receipt::Told};
use uuid::Uuid;

/// A definite answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    /// A commit says so.
    Recorded { outcome: Outcome, answer: String, shard: u32, pseq: u64, version: u64, time: i64 },
    /// Refused without a commit.
    Invalid(String),
    /// Cannot tell.
    Expired,
    /// Set aside.
    Parked(String),
}

impl Answered {
    /// The answer, when it is a definite one.
    pub(crate) fn of(told: &Told) -> Option<Self> {
        match told {
            Told::Recorded { outcome, answer, receipt } => Some(Self::Recorded {
                outcome: *outcome,
                answer: answer.get().to_owned(),
                shard: receipt.token.shard,
                pseq: receipt.token.pseq,
                version: receipt.version,
                time: receipt.time.0,
            }),
            // The shard's clock is behind: nothing was done, and the same id is asked again.
            Told::Invalid(palinode::Invalid::BornAhead { .. }) => None,
            Told::Invalid(why) => Some(Self::Invalid(why.to_string())),
            Told::Expired => Some(Self::Expired),
            Told::Parked(why) => Some(Self::Parked(why.to_string())),
            Told::Overloaded | Told::Unknown => None,
        }
    }
}

/// One thing a client asked for, under one id.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) message: ClientMessage,
    /// When it was asked first, in microseconds of the world.
    pub(crate) invoked: i64,
    /// When which answers came.
    pub(crate) answers: Vec<(i64, Answered)>,
    /// Whether the client asked until it was told.
    pub(crate) gave_up: bool,
    /// Whether it still asks.
    pub(crate) open: bool,
    /// Whether it was put into an inbox by hand: nobody hears the answer, or asks again.
    pub(crate) letter: bool,
}

impl Asked {
    pub(crate) fn id(&self) -> Uuid {
        self.message.id
    }
}

/// All of it.
#[derive(Clone, Default)]
pub(crate) struct History(Arc<Mutex<Vec<Asked>>>);

impl History {
    fn lock(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client asks; its number here.
    pub(crate) fn invoke(&self, message: &ClientMessage, now: i64) -> usize {
        let mut all = self.lock();
        all.push(Asked {
            message: message.clone(),
            invoked: now,
            answers: Vec::new(),
            gave_up: false,
            open: true,
            letter: false,
        });
        all.len() - 1
    }

    /// Somebody puts this into an inbox by hand.
    pub(crate) fn post(&self, message: &ClientMessage, now: i64) {
        self.lock().push(Asked {
            message: message.clone(),
            invoked: now,
            answers: Vec::new(),
            gave_up: false,
            open: false,
            letter: true,
        });
    }

    pub(crate) fn answer(&self, asked: usize, now: i64, answered: Answered) {
        if let Some(asked) = self.lock().get_mut(asked) {
            asked.answers.push((now, answered));
            asked.open = false;
        }
    }

    pub(crate) fn give_up(&self, asked: usize) {
        if let Some(asked) = self.lock().get_mut(asked) {
            asked.gave_up = asked.answers.is_empty();
            asked.open = false;
        }
    }

    pub(crate) fn all(&self) -> Vec<Asked> {
        self.lock().clone()
    }

    /// How many still wait.
    pub(crate) fn open(&self) -> usize {
        self.lock().iter().filter(|asked| asked.open).count()
    }
}
