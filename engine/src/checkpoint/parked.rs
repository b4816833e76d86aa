//! The port of parked keys: what is held back because an event cannot be taken. Knows keys and places in the log, no
//! events.
//!
//! # The contract
//!
//! K1. `park` sets a key aside, or says anew why it is: of a key there is one entry.
//! K2. `hold` adds events to what a parked key holds back; they are held once, and come back in the order of the log.
//! K3. `release` lets go of what a key holds up to an event. A key that holds nothing any more is not parked.
//! K4. Everything happens in the caller's transaction, or not at all.

use futures_util::future::BoxFuture;

use super::{ApplyError, Db, Key};
use crate::time::Micros;

/// A key that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The shard whose events it holds back.
    pub shard: u32,
    /// The key: an entity, unless the projection says otherwise.
    pub key: String,
    /// The first event that is held back.
    pub first: Held,
    /// How many events are held back.
    pub held: u64,
    /// What failed, without the data: one bug is one cause.
    pub cause: String,
    /// What it said last, and about which event.
    pub error: String,
    /// How often the first event was tried.
    pub attempts: u32,
    /// Whether its events are being taken now.
    pub resuming: bool,
    /// Since when.
    pub at: Micros,
}

/// An event that is held back, by its place in the log of its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// Number of its commit.
    pub pseq: u64,
    /// Its index in the commit.
    pub idx: u32,
    /// Offset of the commit's record.
    pub offset: u64,
}

/// A database that keeps parked keys. See the module's contract K1 to K4.
pub trait Parking: Db {
    /// Sets a key aside or says anew why it is (K1); what it holds, `first` and `held`, is not of this call.
    fn park<'t>(
        tx: &'t mut Self::Tx,
        of: &'t Key,
        parked: &'t Parked,
    ) -> BoxFuture<'t, Result<(), ApplyError>>;

    /// Adds to what a parked key holds back (K2).
    fn hold<'t>(
        tx: &'t mut Self::Tx,
        of: &'t Key,
        key: &'t str,
        events: &'t [Held],
    ) -> BoxFuture<'t, Result<(), ApplyError>>;

    /// The parked keys of a shard, by key.
    fn parked<'t>(tx: &'t mut Self::Tx, of: &'t Key) -> BoxFuture<'t, Result<Vec<Parked>, ApplyError>>;

    /// The first events that a key holds back, in order, at most so many.
    fn held<'t>(
        tx: &'t mut Self::Tx,
        of: &'t Key,
        key: &'t str,
        limit: usize,
    ) -> BoxFuture<'t, Result<Vec<Held>, ApplyError>>;

    /// Lets go of what a key holds, up to and with this event (K3): the first event that is held now, and how many are;
    /// `None` when the key is not parked any more.
    fn release<'t>(
        tx: &'t mut Self::Tx,
        of: &'t Key,
        key: &'t str,
        upto: Held,
    ) -> BoxFuture<'t, Result<Option<(Held, u64)>, ApplyError>>;

    /// A key that holds back events of this commit.
    fn holder<'t>(
        tx: &'t mut Self::Tx,
        of: &'t Key,
        pseq: u64,
    ) -> BoxFuture<'t, Result<Option<String>, ApplyError>>;
}
