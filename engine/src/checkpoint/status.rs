//! Where a running projection is in one shard, as its runner tells it.

use std::sync::Arc;

use crate::{position::Position, time::Micros};

/// How far a projection is in one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardStatus {
    /// The shard.
    pub shard: u32,
    /// What its runner does.
    pub state: State,
    /// The last record that is in the tables; `None` until the checkpoint was read and compared with the log.
    pub position: Option<Position>,
    /// Time of the last commit that is in the tables; zero before the first.
    pub time: Micros,
    /// When it last held everything that was in the log.
    pub caught_up: Option<Micros>,
    /// The offset after the last record that it has read.
    pub read: u64,
    /// How many keys are parked.
    pub parked: usize,
}

impl ShardStatus {
    pub(crate) fn starting(shard: u32) -> Self {
        Self {
            shard,
            state: State::Starting,
            position: None,
            time: Micros(0),
            caught_up: None,
            read: 0,
            parked: 0,
        }
    }
}

/// What the runner of a shard does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It takes over.
    Starting,
    /// It is behind the log and reads as fast as it can.
    CatchingUp,
    /// It has reached the end of the log and waits for more.
    Live,
    /// Another process owns the shard and writes its rows; how far they are is read from the checkpoint.
    Elsewhere,
    /// Something is away; it tries again.
    Retrying {
        /// What.
        why: Arc<str>,
    },
    /// It stands still until it is started again.
    Stopped {
        /// Why, and what to do.
        why: Arc<str>,
    },
}
