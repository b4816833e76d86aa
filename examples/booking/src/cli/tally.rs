//! What became of the trips of one run: how many ended how, and how long they took.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{domain::TripId, world::Ended};

/// Latencies are kept up to ten minutes, to three digits.
const LONGEST: u64 = 600_000_000;

/// How one trip ended, as its client saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The trip.
    pub(super) trip: TripId,
    /// How it ended; none when nobody could tell in time.
    pub(super) ended: Option<Ended>,
    /// From the start to the end.
    pub(super) took: Duration,
    /// It had been started before.
    pub(super) again: bool,
}

/// The trips of a run, counted.
#[derive(Debug)]
pub(super) struct Tally {
    /// Trips whose every step was done.
    pub(super) completed: u64,
    /// Trips refused somewhere and taken back.
    pub(super) compensated: u64,
    /// Trips cancelled by the guest and taken back.
    pub(super) cancelled: u64,
    /// Trips whose guest never answered, taken back.
    pub(super) expired: u64,
    /// Trips without an end.
    pub(super) stuck: u64,
    /// Trips that had been started before.
    pub(super) again: u64,
    /// The compensated ones, by the step that was refused.
    pub(super) refused_at: BTreeMap<String, u64>,
    /// From start to end, of the completed ones that began in this run, in microseconds.
    latency: Option<Histogram<u64>>,
    /// A trip taken back after something was held, to be shown.
    pub(super) example: Option<TripId>,
}

impl Tally {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            completed: 0,
            compensated: 0,
            cancelled: 0,
            expired: 0,
            stuck: 0,
            again: 0,
            refused_at: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1, LONGEST, 3).ok(),
            example: None,
        }
    }

    /// Counts a trip.
    pub(super) fn take(&mut self, seen: &Seen) {
        self.again += u64::from(seen.again);
        match &seen.ended {
            None | Some(Ended::Killed) => self.stuck += 1,
            Some(Ended::Completed) => self.completed += 1,
            Some(Ended::Cancelled) => self.cancelled += 1,
            Some(Ended::Expired) => self.expired += 1,
            Some(Ended::Compensated(step)) => {
                self.compensated += 1;
                *self.refused_at.entry(step.to_string()).or_default() += 1;
                let undid_something = &**step != "hold-room";
                if undid_something && (self.example.is_none() || &**step == "hold-car") && !seen.again {
                    self.example = Some(seen.trip);
                }
            }
        }
        if seen.ended == Some(Ended::Completed) && !seen.again {
            let micros = u64::try_from(seen.took.as_micros()).unwrap_or(LONGEST).clamp(1, LONGEST);
            if let Some(latency) = &mut self.latency {
                latency.saturating_record(micros);
            }
        }
    }

    /// All trips counted.
    pub(super) fn trips(&self) -> u64 {
        self.completed + self.compensated + self.cancelled + self.expired + self.stuck
    }

    /// The latency in microseconds that this share of the completed trips stayed below.
    pub(super) fn percentile(&self, percent: f64) -> u64 {
        self.latency.as_ref().map_or(0, |latency| latency.value_at_percentile(percent))
    }
}

/// How fast a run was.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Speed {
    /// How long it took.
    pub(super) seconds: f64,
    /// Trips that ended, a second.
    pub(super) sagas_per_second: f64,
    /// Commits to the logs of all services, a second; none when other processes made them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commits_per_second: Option<f64>,
}

impl Speed {
    /// So many sagas and commits in this time.
    pub(super) fn of(sagas: u64, commits: Option<u64>, took: Duration) -> Self {
        let seconds = took.as_secs_f64().max(0.000_001);
        let rate = |n: u64| {
            (u32::try_from(n).map_or(f64::from(u32::MAX), f64::from) / seconds * 10.0).round() / 10.0
        };
        Self {
            seconds: (seconds * 1_000.0).round() / 1_000.0,
            sagas_per_second: rate(sagas),
            commits_per_second: commits.map(rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ended: Option<Ended>, millis: u64) -> Seen {
        Seen { trip: TripId(millis), ended, took: Duration::from_millis(millis), again: false }
    }

    #[test]
    fn every_trip_is_counted_once() {
        let mut tally = Tally::new();
        tally.take(&seen(Some(Ended::Completed), 2));
        tally.take(&seen(Some(Ended::Completed), 4));
        tally.take(&seen(Some(Ended::Compensated("hold-room".into())), 5));
        tally.take(&seen(Some(Ended::Compensated("hold-seat".into())), 6));
        tally.take(&seen(Some(Ended::Cancelled), 7));
        tally.take(&seen(Some(Ended::Expired), 8));
        tally.take(&seen(None, 9));
        assert_eq!(tally.trips(), 7);
        assert_eq!((tally.completed, tally.compensated, tally.stuck), (2, 2, 1));
        assert_eq!(tally.refused_at.get("hold-seat"), Some(&1));
        assert_eq!(tally.example, Some(TripId(6)), "one that had something to undo");
        assert!((3_990..=4_010).contains(&tally.percentile(99.0)));
    }

    #[test]
    fn a_repeat_is_counted_but_not_timed() {
        let mut tally = Tally::new();
        tally.take(&Seen { again: true, ..seen(Some(Ended::Completed), 2) });
        assert_eq!((tally.completed, tally.again, tally.percentile(50.0)), (1, 1, 0));
    }

    #[test]
    fn rates_are_by_the_second() {
        let speed = Speed::of(500, Some(10_000), Duration::from_millis(2_500));
        assert_eq!(
            serde_json::to_string(&speed).unwrap(),
            r#"{"seconds":2.5,"sagas_per_second":200.0,"commits_per_second":4000.0}"#
        );
    }
}
