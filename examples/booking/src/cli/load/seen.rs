//! What the clients saw, counted.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::domain::TripId;

/// Latencies are kept up to a minute, to three digits.
const LONGEST: u64 = 60_000_000;

/// What one client saw, or all of them together.
#[derive(Debug, Serialize)]
pub(super) struct Seen {
    /// Trips that were accepted.
    pub(super) accepted: u64,
    /// Requests sent again because the outcome was unknown, or the server away.
    pub(super) asked_again: u64,
    /// Trips that were accepted and are not known any more.
    pub(super) lost: Vec<TripId>,
    /// Trips that were accepted and have not ended.
    pub(super) unfinished: u64,
    /// Trips by how they ended.
    pub(super) ends: BTreeMap<String, u64>,
    /// Answers that should not have been, each with one of its kind.
    pub(super) unexpected: BTreeMap<String, u64>,
    /// From the first post of a trip to its acceptance, in microseconds.
    #[serde(skip)]
    latency: Option<Histogram<u64>>,
}

impl Seen {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            accepted: 0,
            asked_again: 0,
            lost: Vec::new(),
            unfinished: 0,
            ends: BTreeMap::new(),
            unexpected: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1, LONGEST, 3).ok(),
        }
    }

    /// Counts an accepted trip.
    pub(super) fn accept(&mut self, micros: u64) {
        self.accepted += 1;
        if let Some(latency) = &mut self.latency {
            latency.saturating_record(micros.clamp(1, LONGEST));
        }
    }

    /// Adds what another client saw.
    pub(super) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.asked_again += other.asked_again;
        self.lost.extend(other.lost);
        self.unfinished += other.unfinished;
        for (end, n) in other.ends {
            *self.ends.entry(end).or_default() += n;
        }
        for (answer, n) in other.unexpected {
            *self.unexpected.entry(answer).or_default() += n;
        }
        if let (Some(all), Some(one)) = (&mut self.latency, &other.latency) {
            // Both have the same bounds.
            let _ = all.add(one);
        }
    }

    /// Nothing was lost, nothing is unfinished, nothing was unexpected.
    pub(super) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.unfinished == 0 && self.unexpected.is_empty()
    }

    /// The latency in microseconds that this share of the accepted trips stayed below.
    pub(super) fn percentile(&self, percent: f64) -> u64 {
        self.latency.as_ref().map_or(0, |latency| latency.value_at_percentile(percent))
    }
}
