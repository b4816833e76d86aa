//! Who waits for something an owner will say: a caller of this process, or a client that is told through the replies.
//! And what is said to such a client without a commit: it leaves only when no later owner takes the record again.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::value::RawValue;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    commit::Peer,
    receipt::Told,
    relay::Router,
    remote::{AnswerRecord, AnswerTo, Says},
    time::Micros,
};

/// How many refusals wait for the low mark at most; beyond it a client hears nothing and asks again.
const REFUSED: usize = 4_096;

/// Who waits for the answer to a message.
pub(crate) enum Waiter {
    /// A caller of this process.
    Here(oneshot::Sender<Told>),
    /// A client whose message came through the inbox.
    Away(Box<Away>),
}

/// Who waits for an entity's end.
pub(crate) enum Watcher {
    /// A caller of this process.
    Here(oneshot::Sender<Box<RawValue>>),
    /// A client, which is forgotten at this time unless it asks again.
    Away(Box<Away>, Micros),
}

/// A client of another process that has asked for something.
pub(crate) struct Away {
    pub(crate) router: Arc<Router>,
    /// The shard it asked.
    pub(crate) shard: Peer,
    /// What it asks under this id.
    pub(crate) id: Uuid,
    pub(crate) to: AnswerTo,
    /// Where its record lies in the inbox.
    pub(crate) offset: u64,
}

impl Waiter {
    /// Says it. Somebody who does not wait any more hears nothing.
    pub(crate) fn tell(self, told: Told) {
        match self {
            Self::Here(caller) => drop(caller.send(told)),
            Self::Away(away) => {
                if let Some(says) = Says::of(told) {
                    away.say(says);
                }
            }
        }
    }

    /// Where the record lies, for one that came through the inbox.
    pub(crate) fn offset(&self) -> Option<u64> {
        match self {
            Self::Here(_) => None,
            Self::Away(away) => Some(away.offset),
        }
    }
}

impl Watcher {
    pub(crate) fn tell(self, end: Box<RawValue>) {
        match self {
            Self::Here(caller) => drop(caller.send(end)),
            Self::Away(away, _) => away.say(Says::Ended(end)),
        }
    }

    /// Whether anybody still waits.
    pub(crate) fn waits(&self, now: Micros) -> bool {
        match self {
            Self::Here(caller) => !caller.is_closed(),
            Self::Away(_, until) => now < *until,
        }
    }

    /// Whether both are one client that asked twice.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Away(one, _), Self::Away(other, _)) => {
                (one.to.client, one.id) == (other.to.client, other.id)
            }
            _ => false,
        }
    }
}

impl Away {
    pub(crate) fn say(&self, says: Says) {
        let AnswerTo { partition, client, question } = self.to;
        self.router.answer(&self.shard, partition, &AnswerRecord { client, id: self.id, question, says });
    }
}

/// Refusals without a commit, by the place of their records in the inbox. A later owner that took such a record again
/// might execute it, so they leave only when an effective commit says that the inbox resumes behind it.
#[derive(Default)]
pub(super) struct Refusals(BTreeMap<u64, (Box<Away>, Told)>);

impl Refusals {
    pub(super) fn keep(&mut self, away: Box<Away>, told: Told) {
        if self.0.len() < REFUSED {
            self.0.insert(away.offset, (away, told));
        }
    }

    /// Whether one of them lies in this part of the inbox.
    pub(super) fn any_in(&self, from: u64, to: u64) -> bool {
        from < to && self.0.range(from..to).next().is_some()
    }

    /// The inbox resumes here, effectively.
    pub(super) fn passed(&mut self, low: u64) {
        let kept = self.0.split_off(&low);
        for (away, told) in std::mem::replace(&mut self.0, kept).into_values() {
            Waiter::Away(away).tell(told);
        }
    }
}
