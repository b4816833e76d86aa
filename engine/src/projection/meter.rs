//! When parking is no way to go on: so many keys that the code is wrong, not the data. Counts; knows no database.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{address::EntityKey, checkpoint::Parked, time::Micros};

/// The most keys that a projection parks within [`SPAN`], all shards together.
const MOST: usize = 100;
/// The time that is looked at.
const SPAN: Duration = Duration::from_secs(600);
/// So many keys of a shard are parked whatever their share is.
const FEW: usize = 10;
/// A shard that met more entities than this is large: a hundredth of them is more than [`MOST`].
const LARGE: usize = 10_000;

/// When keys were parked, by all shards of a projection.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent(Arc<Mutex<VecDeque<Micros>>>);

/// Counts for one shard.
#[derive(Debug)]
pub(super) struct Meter {
    recent: Recent,
    /// Entities met since the start, up to [`LARGE`].
    met: BTreeSet<EntityKey>,
    /// Keys parked since the start, as long as the shard is not large.
    parked: BTreeSet<String>,
}

impl Meter {
    pub(super) fn new(recent: Recent) -> Self {
        Self { recent, met: BTreeSet::new(), parked: BTreeSet::new() }
    }

    /// An event of this entity came by.
    pub(super) fn met(&mut self, entity: &EntityKey) {
        if self.met.len() <= LARGE && !self.met.contains(entity) {
            self.met.insert(entity.clone());
        }
    }

    /// Keys were found parked since these times.
    pub(super) fn found(&self, times: impl Iterator<Item = Micros>) {
        self.recent.0.lock().unwrap_or_else(PoisonError::into_inner).extend(times);
    }

    /// These keys are parked.
    pub(super) fn parked(&mut self, now: Micros, keys: &[Parked]) {
        self.found(std::iter::repeat_n(now, keys.len()));
        if self.met.len() <= LARGE {
            self.parked.extend(keys.iter().map(|parked| parked.key.clone()));
        }
    }

    /// Why these must not be parked too.
    pub(super) fn alarm(&self, now: Micros, keys: &[Parked]) -> Option<String> {
        if keys.is_empty() {
            return None;
        }
        let mut recent = self.recent.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|at| now.since(*at) < SPAN);
        let (many, met) = (recent.len().saturating_add(keys.len()), self.met.len());
        if many > MOST {
            return Some(format!("{many} keys would be parked within 10 minutes"));
        }
        let fresh = keys.iter().filter(|parked| !self.parked.contains(&parked.key)).count();
        let parked = self.parked.len().saturating_add(fresh);
        let share = parked.saturating_mul(100) > met;
        (parked > FEW && share && met <= LARGE).then(|| format!("{parked} of {met} keys would be parked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Held;

    fn at(seconds: i64) -> Micros {
        Micros(seconds * 1_000_000)
    }

    fn keys(range: std::ops::Range<u32>) -> Vec<Parked> {
        let first = Held { pseq: 1, idx: 0, offset: 2 };
        let parked = |n| Parked {
            shard: 0,
            key: format!("account/{n}"),
            first,
            held: 1,
            cause: "fold".into(),
            error: "it hurts".into(),
            attempts: 1,
            resuming: false,
            at: Micros(0),
        };
        range.map(parked).collect()
    }

    fn met(meter: &mut Meter, entities: usize) {
        (0..entities).for_each(|n| meter.met(&EntityKey::new("account", n.to_string())));
    }

    #[test]
    fn a_hundred_keys_in_ten_minutes_are_the_most_of_all_shards() {
        let recent = Recent::default();
        let (mut one, mut other) = (Meter::new(recent.clone()), Meter::new(recent));
        met(&mut one, 20_000);
        met(&mut other, 20_000);
        one.parked(at(0), &keys(0..60));
        other.parked(at(100), &keys(60..100));
        assert_eq!(one.alarm(at(599), &[]), None);
        assert!(one.alarm(at(599), &keys(100..101)).is_some());
        assert!(other.alarm(at(599), &keys(100..101)).is_some());
        assert_eq!(one.alarm(at(600), &keys(100..101)), None);
    }

    #[test]
    fn one_key_in_a_hundred_is_the_most_of_a_shard_but_a_few_are_always_parked() {
        let mut meter = Meter::new(Recent::default());
        met(&mut meter, 500);
        assert_eq!(meter.alarm(at(0), &keys(0..10)), None);
        assert!(meter.alarm(at(0), &keys(0..11)).is_some());
        met(&mut meter, 2_000);
        assert_eq!(meter.alarm(at(0), &keys(0..20)), None);
        assert!(meter.alarm(at(0), &keys(0..21)).is_some());
        // the same key again is not another one
        meter.parked(at(0), &keys(0..20));
        assert_eq!(meter.alarm(at(700), &keys(0..20)), None);
        assert!(meter.alarm(at(700), &keys(20..21)).is_some());
    }
}
