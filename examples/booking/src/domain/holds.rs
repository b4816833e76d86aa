//! Who holds what at one aggregate: the part rooms, flights and cars have in common.
//!
//! | standing  | hold                       | release                 | confirm      |
//! |-----------|----------------------------|-------------------------|--------------|
//! | New       | Held, or refused: stays New| Released: the tombstone | refused      |
//! | Held      | done already               | Released                | Confirmed    |
//! | Confirmed | done already               | Released                | done already |
//! | Released  | refused                    | done already            | refused      |
//!
//! A release is therefore never refused, not even of what was never held, and what comes late to a released trip
//! finds the tombstone. A saga confirms only what it holds, so its confirmations are never refused either.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::TripId;

/// The trips of one aggregate; each is in at most one of the three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holds<H> {
    held: BTreeMap<TripId, H>,
    confirmed: BTreeMap<TripId, H>,
    released: BTreeSet<TripId>,
}

impl<H> Default for Holds<H> {
    fn default() -> Self {
        Self { held: BTreeMap::new(), confirmed: BTreeMap::new(), released: BTreeSet::new() }
    }
}

/// How a trip stands at one aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was recorded of it; perhaps it was refused.
    New,
    /// It holds something.
    Held,
    /// What it holds is its own for good.
    Confirmed,
    /// It gave back what it had, or said beforehand that it will never want anything.
    Released,
}

impl<H> Holds<H> {
    /// How this trip stands.
    pub(crate) fn standing(&self, trip: TripId) -> Standing {
        if self.held.contains_key(&trip) {
            Standing::Held
        } else if self.confirmed.contains_key(&trip) {
            Standing::Confirmed
        } else if self.released.contains(&trip) {
            Standing::Released
        } else {
            Standing::New
        }
    }

    /// What this trip holds, confirmed or not.
    pub(crate) fn of(&self, trip: TripId) -> Option<&H> {
        self.held.get(&trip).or_else(|| self.confirmed.get(&trip))
    }

    /// The trip holds this now.
    pub(crate) fn hold(&mut self, trip: TripId, what: H) {
        self.held.insert(trip, what);
    }

    /// The trip's hold is confirmed.
    pub(crate) fn confirm(&mut self, trip: TripId) {
        if let Some(what) = self.held.remove(&trip) {
            self.confirmed.insert(trip, what);
        }
    }

    /// The trip holds nothing any more, and never will; returns what it held.
    pub(crate) fn release(&mut self, trip: TripId) -> Option<H> {
        self.released.insert(trip);
        self.held.remove(&trip).or_else(|| self.confirmed.remove(&trip))
    }
}
