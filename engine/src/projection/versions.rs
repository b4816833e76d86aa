//! What the handle of a read model can do with versions: see them, compare them, know when one is ready, move readers,
//! take one away.

use std::time::Duration;

use super::{ReadModel, ShardStatus, State};
use crate::{
    checkpoint::{ApplyError, Difference, Said, Version},
    time::Micros,
};

/// How far behind the end of the log a version may be to be ready.
const LAG: Duration = Duration::from_secs(1);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Whether readers may be moved to a version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it may not be ready"]
pub enum Ready {
    /// It has kept up with the log on every shard for that long, and parked no key.
    Yes,
    /// Not within the time given.
    NotYet {
        /// What was missing last.
        why: String,
    },
}

impl ReadModel {
    /// The versions of this projection, by number: which one readers see, and how far each is.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn versions(&self) -> Result<Vec<Version>, ApplyError> {
        self.desk().versions().await
    }

    /// How the tables of this version differ from those of another one, with so many examples a side. Both are compared
    /// as they are now: while events come, one may be a little behind.
    ///
    /// # Errors
    /// When there is no such version, or the database cannot be read.
    pub async fn diff(&self, other: u32, examples: usize) -> Result<Vec<Difference>, ApplyError> {
        self.desk().diff(self.version(), other, examples).await
    }

    /// Waits until this version has kept up with the log on every shard, within a second, for `calm`, and has parked no
    /// key in that time; at most `within`. A minute of calm is a good measure.
    pub async fn ready(&self, calm: Duration, within: Duration) -> Ready {
        let clock = self.clock();
        let until = clock.now().plus(within);
        let (mut since, mut parked) = (clock.now(), self.keys_parked());
        loop {
            let now = clock.now();
            let late = self.status().iter().find_map(|status| late(status, now));
            let why = match late {
                Some(why) => Some(why),
                None if self.keys_parked() > parked => Some("another key was parked".to_owned()),
                None => None,
            };
            if why.is_some() {
                (since, parked) = (now, self.keys_parked());
            } else if now.since(since) >= calm {
                return Ready::Yes;
            }
            if now >= until {
                let why = why.unwrap_or_else(|| format!("it has kept up for {:?} only", now.since(since)));
                return Ready::NotYet { why };
            }
            clock.pass(LOOK.min(until.since(now))).await;
        }
    }

    /// Moves readers to a version, this one or another, in one transaction. The version they see now stands still until
    /// the other one is at or beyond it on every shard, so what was visible stays visible; it goes on afterwards, so one
    /// can go back. Waits for that at most `within`. Done again, it changes nothing.
    ///
    /// # Errors
    /// When there is no such version, it is not there in time (an outage: try again), or it names no tables.
    pub async fn swap(&self, to: u32, within: Duration, said: &Said) -> Result<(), ApplyError> {
        self.desk().swap(&*self.clock(), to, within, said).await
    }

    /// Takes a version away that readers do not see: its runners in this process, its tables, its parked keys. Its place
    /// in the log is forgotten: started again, it begins at the first record.
    ///
    /// # Errors
    /// When readers see it, or there is none.
    pub async fn remove(&self, version: u32, said: &Said) -> Result<(), ApplyError> {
        self.desk().remove(&*self.clock(), version, said).await
    }

    fn keys_parked(&self) -> usize {
        self.status().iter().map(|status| status.parked).sum()
    }
}

/// Why a shard is not up to date.
fn late(status: &ShardStatus, now: Micros) -> Option<String> {
    let shard = status.shard;
    match (&status.state, status.caught_up) {
        (State::Stopped { why } | State::Retrying { why }, _) => Some(format!("shard {shard}: {why}")),
        (_, None) => Some(format!("shard {shard} has not seen the end of the log yet")),
        (_, Some(at)) if now.since(at) > LAG => Some(format!("shard {shard} is {:?} behind", now.since(at))),
        _ => None,
    }
}
