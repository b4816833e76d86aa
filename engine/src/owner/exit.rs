//! The ways an owner ends, as data; what is done then is `node/shard.rs`'s business.

use std::sync::Arc;

use super::{recover::Halt, waiter::Waiter};
use crate::machine::Input;

/// An input that broke its entity, to be refused by the next owner.
pub(crate) struct Broken {
    pub(super) input: Input,
    pub(super) waiter: Option<Waiter>,
    pub(super) why: Arc<str>,
}

/// Why an owner ended.
pub(crate) enum End {
    Stopped,
    Deposed,
    Again(String),
    Unfit(Box<Broken>),
}

/// The ways out of an owner's loop.
pub(super) enum Exit {
    End(End),
    Halt(Halt),
}

impl From<End> for Exit {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<Halt> for Exit {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}
