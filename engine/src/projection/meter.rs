//! When parking is no way to go on: so many keys that the code is wrong, not the data. Counts; knows no database.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{address::EntityKey, time::Micros};

/// The most keys that a projection parks within [`SPAN`], all shards together.
const MOST: usize = 100;
/// The time that is looked at.
const SPAN: Duration = Duration::from_secs(600);
/// So many keys of a shard are parked whatever their share is.
const FEW: u64 = 10;
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
    /// Keys parked since the start.
    parked: u64,
}

impl Meter {
    pub(super) fn new(recent: Recent) -> Self {
        Self { recent, met: BTreeSet::new(), parked: 0 }
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

    /// So many more keys are parked.
    pub(super) fn parked(&mut self, now: Micros, keys: usize) {
        self.found(std::iter::repeat_n(now, keys));
        self.parked = self.parked.saturating_add(keys as u64);
    }

    /// Why so many more must not be parked.
    pub(super) fn alarm(&self, now: Micros, keys: usize) -> Option<String> {
        let mut recent = self.recent.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|at| now.since(*at) < SPAN);
        let (many, met) = (recent.len().saturating_add(keys), self.met.len());
        if many > MOST {
            return Some(format!("{many} keys would be parked within 10 minutes"));
        }
        let parked = self.parked.saturating_add(keys as u64);
        let share = parked.saturating_mul(100) > met as u64;
        (parked > FEW && share && met <= LARGE).then(|| format!("{parked} of {met} keys would be parked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Micros {
        Micros(seconds * 1_000_000)
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
        one.parked(at(0), 60);
        other.parked(at(100), 40);
        assert!(one.alarm(at(599), 1).is_some());
        assert!(other.alarm(at(599), 1).is_some());
        assert_eq!(one.alarm(at(600), 1), None);
    }

    #[test]
    fn one_key_in_a_hundred_is_the_most_of_a_shard_but_a_few_are_always_parked() {
        let mut meter = Meter::new(Recent::default());
        met(&mut meter, 500);
        assert_eq!(meter.alarm(at(0), 10), None);
        assert!(meter.alarm(at(0), 11).is_some());
        met(&mut meter, 2_000);
        assert_eq!(meter.alarm(at(0), 20), None);
        assert!(meter.alarm(at(0), 21).is_some());
    }
}
