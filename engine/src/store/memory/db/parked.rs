//! Parked keys and the audit trail in memory.

use std::collections::BTreeMap;

use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
};

use super::{MemoryDb, MemoryTx, Undo};
use crate::checkpoint::{Act, ApplyError, Audit, Held, Key, Parked, Parking};

/// Whose key.
type Place = (Key, String);

/// A parked key, and what it holds.
#[derive(Clone)]
pub(super) struct Entry {
    parked: Parked,
    held: BTreeMap<(u64, u32), Held>,
}

impl Entry {
    /// The entry as it is told, if it holds anything.
    fn told(&self) -> Option<Parked> {
        let first = *self.held.values().next()?;
        Some(Parked { first, held: self.held.len() as u64, ..self.parked.clone() })
    }
}

impl MemoryTx {
    fn shelve(&mut self, place: Place, entry: Option<Entry>) {
        let before = match entry {
            Some(entry) => self.inner.parked.insert(place.clone(), entry),
            None => self.inner.parked.remove(&place),
        };
        self.undo.push(Undo::Parked(place, before));
    }

    /// Takes away everything that a version of a projection holds.
    pub(super) fn unpark(&mut self, projection: &str, version: u32) {
        let mine = |(key, _): &&Place| &*key.projection == projection && key.version == version;
        let places: Vec<Place> = self.inner.parked.keys().filter(mine).cloned().collect();
        places.into_iter().for_each(|place| self.shelve(place, None));
    }
}

impl Parking for MemoryDb {
    fn park<'t>(
        tx: &'t mut MemoryTx,
        of: &'t Key,
        parked: &'t Parked,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        let place = (of.clone(), parked.key.clone());
        let before = tx.inner.parked.get(&place);
        let at = before.map_or(parked.at, |entry| entry.parked.at);
        let held = before.map(|entry| entry.held.clone()).unwrap_or_default();
        let entry = Entry { parked: Parked { at, ..parked.clone() }, held };
        tx.shelve(place, Some(entry));
        ready(Ok(())).boxed()
    }

    fn hold<'t>(
        tx: &'t mut MemoryTx,
        of: &'t Key,
        key: &'t str,
        events: &'t [Held],
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        let place = (of.clone(), key.to_owned());
        if let Some(mut entry) = tx.inner.parked.get(&place).cloned() {
            for event in events {
                entry.held.entry((event.pseq, event.idx)).or_insert(*event);
            }
            tx.shelve(place, Some(entry));
        }
        ready(Ok(())).boxed()
    }

    fn parked<'t>(tx: &'t mut MemoryTx, of: &'t Key) -> BoxFuture<'t, Result<Vec<Parked>, ApplyError>> {
        let mine = tx.inner.parked.iter().filter(|((key, _), _)| key == of);
        ready(Ok(mine.filter_map(|(_, entry)| entry.told()).collect())).boxed()
    }

    fn held<'t>(
        tx: &'t mut MemoryTx,
        of: &'t Key,
        key: &'t str,
        limit: usize,
    ) -> BoxFuture<'t, Result<Vec<Held>, ApplyError>> {
        let entry = tx.inner.parked.get(&(of.clone(), key.to_owned()));
        let held = entry.map(|entry| entry.held.values().take(limit).copied().collect());
        ready(Ok(held.unwrap_or_default())).boxed()
    }

    fn release<'t>(
        tx: &'t mut MemoryTx,
        of: &'t Key,
        key: &'t str,
        upto: Held,
    ) -> BoxFuture<'t, Result<Option<(Held, u64)>, ApplyError>> {
        let place = (of.clone(), key.to_owned());
        let entry = tx.inner.parked.get(&place).cloned().and_then(|mut entry| {
            entry.held.retain(|place, _| *place > (upto.pseq, upto.idx));
            (!entry.held.is_empty()).then_some(entry)
        });
        let left = entry.as_ref().and_then(Entry::told).map(|left| (left.first, left.held));
        tx.shelve(place, entry);
        ready(Ok(left)).boxed()
    }

    fn holder<'t>(
        tx: &'t mut MemoryTx,
        of: &'t Key,
        pseq: u64,
    ) -> BoxFuture<'t, Result<Option<String>, ApplyError>> {
        let mine = tx.inner.parked.iter().filter(|((key, _), _)| key == of);
        let mut holding =
            mine.filter(|(_, entry)| entry.held.range((pseq, 0)..=(pseq, u32::MAX)).next().is_some());
        ready(Ok(holding.next().map(|((_, key), _)| key.clone()))).boxed()
    }
}

impl Audit for MemoryDb {
    fn record<'t>(tx: &'t mut MemoryTx, act: &'t Act) -> BoxFuture<'t, Result<(), ApplyError>> {
        tx.inner.acts.push(act.clone());
        tx.undo.push(Undo::Act);
        ready(Ok(())).boxed()
    }

    fn acts<'t>(tx: &'t mut MemoryTx, projection: &'t str) -> BoxFuture<'t, Result<Vec<Act>, ApplyError>> {
        let acts = tx.inner.acts.iter().filter(|act| act.projection == projection);
        ready(Ok(acts.cloned().collect())).boxed()
    }
}
