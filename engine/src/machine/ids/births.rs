//! Ids in the order of their births, 40 bytes each: sorted pages, so that a window of a quarter of a million ids is small and
//! an id that comes about in order goes to the end. Knows nothing of windows and horizons.

use std::collections::VecDeque;

use uuid::Uuid;

use super::Used;
use crate::digest::Digest;

/// Ids of a page.
const PAGE: usize = 512;
/// Stands for an offset that is not known.
const NOWHERE: u64 = u64::MAX;

/// What is remembered of many ids.
#[derive(Debug, Default)]
pub(super) struct Births {
    /// None is empty; every id is below those of the next page.
    pages: VecDeque<VecDeque<Entry>>,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    id: Uuid,
    digest: Digest,
    pseq: u64,
    offset: u64,
}

impl Entry {
    fn new(id: Uuid, Used { digest, pseq, offset }: Used) -> Self {
        Self { id, digest, pseq, offset: offset.unwrap_or(NOWHERE) }
    }

    fn used(&self) -> Used {
        let offset = Some(self.offset).filter(|offset| *offset != NOWHERE);
        Used { digest: self.digest, pseq: self.pseq, offset }
    }
}

impl Births {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The id born first; of one moment, the lowest.
    pub(super) fn first(&self) -> Option<Uuid> {
        Some(self.pages.front()?.front()?.id)
    }

    pub(super) fn get(&self, id: Uuid) -> Option<Used> {
        let page = self.pages.get(self.page(id))?;
        let at = page.binary_search_by_key(&id, |entry| entry.id).ok()?;
        page.get(at).map(Entry::used)
    }

    /// Remembers an id; what was known of it is replaced.
    pub(super) fn insert(&mut self, id: Uuid, used: Used) {
        let entry = Entry::new(id, used);
        let nth = self.page(id);
        let last = self.pages.len().saturating_sub(1);
        let Some(page) = self.pages.get_mut(nth.min(last)) else {
            return self.begin(entry);
        };
        match page.binary_search_by_key(&id, |entry| entry.id) {
            Ok(at) => page.iter_mut().skip(at).take(1).for_each(|known| *known = entry),
            Err(at) if at == PAGE => self.begin(entry),
            Err(_) if page.len() == PAGE => {
                self.make_room(nth);
                self.insert(id, used);
            }
            Err(at) => {
                page.insert(at, entry);
                self.len += 1;
            }
        }
    }

    /// A full page gives its last id to the next one, or to a new last one, so that a few that come late leave pages full;
    /// when the next is full too, it gives its upper half to a new one.
    fn make_room(&mut self, nth: usize) {
        let next = self.pages.get(nth + 1).map_or(0, VecDeque::len);
        if next == 0 || next == PAGE {
            self.pages.insert(nth + 1, VecDeque::with_capacity(PAGE));
        }
        let stays = if next == PAGE { PAGE / 2 } else { PAGE - 1 };
        let Some(page) = self.pages.get_mut(nth) else { return };
        let moved = page.split_off(stays);
        if let Some(next) = self.pages.get_mut(nth + 1) {
            moved.into_iter().rev().for_each(|entry| next.push_front(entry));
        }
    }

    /// An id above all others, on a page of its own.
    fn begin(&mut self, entry: Entry) {
        let mut page = VecDeque::with_capacity(PAGE);
        page.push_back(entry);
        self.pages.push_back(page);
        self.len += 1;
    }

    /// Its commit lies here.
    pub(super) fn locate(&mut self, id: Uuid, offset: u64) {
        let nth = self.page(id);
        let Some(page) = self.pages.get_mut(nth) else { return };
        if let Ok(at) = page.binary_search_by_key(&id, |entry| entry.id)
            && let Some(entry) = page.get_mut(at)
        {
            entry.offset = offset;
        }
    }

    /// Forgets the first one.
    pub(super) fn pop_first(&mut self) {
        let Some(page) = self.pages.front_mut() else { return };
        if page.pop_front().is_some() {
            self.len -= 1;
        }
        if page.is_empty() {
            self.pages.pop_front();
        }
    }

    /// The page that has this id if one has; beyond the last when it is above all.
    fn page(&self, id: Uuid) -> usize {
        self.pages.partition_point(|page| page.back().is_some_and(|last| last.id < id))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn used(n: u64) -> Used {
        Used { digest: Digest::of(&n.to_le_bytes()), pseq: n, offset: None }
    }

    #[test]
    fn an_entry_has_forty_bytes() {
        assert_eq!(size_of::<Entry>(), 40);
    }

    #[test]
    fn ids_in_order_fill_their_pages() {
        let mut births = Births::default();
        (0..4 * PAGE as u128).for_each(|n| births.insert(Uuid::from_u128(n), used(1)));
        assert_eq!(births.pages.len(), 4);
        assert!(births.pages.iter().all(|page| page.capacity() == PAGE));
    }

    #[test]
    fn ids_that_come_a_little_late_leave_pages_full() {
        let mut births = Births::default();
        for n in 0..40 * PAGE as u128 {
            births.insert(Uuid::from_u128((n + 32) ^ 0x3f), used(1));
        }
        let pages = births.pages.len();
        assert!((40..44).contains(&pages) && births.pages.iter().all(|p| p.capacity() == PAGE), "{pages}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against the map that it stands for.
        #[test]
        fn it_is_a_sorted_map(steps in proptest::collection::vec((0..4_u8, 0..3_000_u64), 1..4_000)) {
            let (mut births, mut map) = (Births::default(), BTreeMap::new());
            for (n, (what, id)) in (0..).zip(steps) {
                let id = Uuid::from_u128(u128::from(id));
                match what {
                    0 => {
                        births.pop_first();
                        map.pop_first();
                    }
                    1 => {
                        births.locate(id, n);
                        if let Some(used) = map.get_mut(&id) {
                            let used: &mut Used = used;
                            used.offset = Some(n);
                        }
                    }
                    _ => {
                        births.insert(id, used(n));
                        map.insert(id, used(n));
                    }
                }
                prop_assert_eq!(births.get(id), map.get(&id).copied());
                prop_assert_eq!((births.len(), births.first()), (map.len(), map.keys().next().copied()));
            }
            let all: Vec<_> = births.pages.iter().flatten().map(|entry| (entry.id, entry.used())).collect();
            prop_assert_eq!(all, map.into_iter().collect::<Vec<_>>());
        }
    }
}
