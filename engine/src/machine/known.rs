//! Which entities may have a row in the snapshot, so that a new one is not looked for in the database. A chain of Bloom
//! filters (Bloom 1970, with the double hashing of Kirsch and Mitzenmacher 2006): a yes may be wrong and costs one look,
//! a no is certain. It knows hashes of keys only, and travels in the snapshot as rows of its own.

use crate::machine::rows::{Row, Section};

/// Keys of the first filter; the next ones have twice as many each, a few times. A full one is never changed again.
const FIRST: u32 = 1_024;
/// How often.
const DOUBLINGS: usize = 4;
/// Bytes for so many keys: twenty bits a key, so that one in seven thousand is wrong.
const fn bytes(keys: u32) -> usize {
    keys as usize * 20 / 8
}
/// Bits set for one key.
const PROBES: u64 = 8;

/// The keys that may have a row.
#[derive(Debug)]
pub struct Known {
    filters: Vec<Filter>,
    /// The first filter that changed since the last rows.
    changed: usize,
    /// Whether every key with a row is in a filter.
    complete: bool,
}

#[derive(Debug)]
struct Filter {
    nth: usize,
    keys: u32,
    bits: Vec<u8>,
}

impl Default for Known {
    /// Of a shard without a snapshot: there is no row.
    fn default() -> Self {
        Self { filters: Vec::new(), changed: 0, complete: true }
    }
}

impl Known {
    /// Whether the entity with this hash of its key may have a row.
    #[must_use]
    pub fn may_have(&self, hash: u32) -> bool {
        !self.complete || self.filters.iter().any(|filter| filter.has(hash))
    }

    /// An entity with this hash of its key gets a row.
    pub fn add(&mut self, hash: u32) {
        if self.filters.iter().any(|filter| filter.has(hash)) {
            return;
        }
        if self.filters.last().is_none_or(|last| last.keys >= room(last.nth)) {
            self.filters.push(Filter::new(self.filters.len()));
        }
        let last = self.filters.len().saturating_sub(1);
        self.changed = self.changed.min(last);
        if let Some(filter) = self.filters.last_mut() {
            filter.add(hash);
        }
    }

    /// How many filters there are, for the snapshot's head; nothing when some are missing.
    pub(crate) fn count(&self) -> Option<usize> {
        self.complete.then_some(self.filters.len())
    }

    /// Rows of what changed since the last call.
    pub(crate) fn drain_rows(&mut self, pseq: u64, rows: &mut Vec<Row>) {
        for Filter { nth, keys, bits } in self.filters.iter().skip(self.changed) {
            let value = [&keys.to_le_bytes(), bits.as_slice()].concat();
            rows.push(Row { section: Section::Known, key: nth.to_string(), pseq, value: Some(value) });
        }
        self.changed = self.filters.len();
    }

    /// Takes back what a snapshot wrote; in any order.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let nth: usize = key.parse().map_err(|e| format!("filter {key:?}: {e}"))?;
        let filter = value.split_first_chunk().filter(|(_, bits)| bits.len() == bytes(room(nth)));
        let (keys, bits) = filter.ok_or_else(|| format!("filter {nth} has {} bytes", value.len()))?;
        self.filters.push(Filter { nth, keys: u32::from_le_bytes(*keys), bits: bits.to_vec() });
        Ok(())
    }

    /// All rows were given: so many must there be.
    pub(crate) fn restored(&mut self, count: Option<usize>) {
        self.filters.sort_by_key(|filter| filter.nth);
        self.complete = count == Some(self.filters.len());
        self.changed = self.filters.len();
    }
}

/// How many keys the nth filter takes.
fn room(nth: usize) -> u32 {
    FIRST << nth.min(DOUBLINGS)
}

impl Filter {
    fn new(nth: usize) -> Self {
        Self { nth, keys: 0, bits: vec![0; bytes(room(nth))] }
    }

    fn has(&self, hash: u32) -> bool {
        self.places(hash).all(|(byte, bit)| self.bits.get(byte).is_some_and(|bits| bits & bit != 0))
    }

    fn add(&mut self, hash: u32) {
        for (byte, bit) in self.places(hash) {
            if let Some(bits) = self.bits.get_mut(byte) {
                *bits |= bit;
            }
        }
        self.keys = self.keys.saturating_add(1);
    }

    /// Where the bits of a key are: byte and mask.
    fn places(&self, hash: u32) -> impl Iterator<Item = (usize, u8)> + use<> {
        let mixed = mix(u64::from(hash));
        let (first, step, bits) = (mixed & 0xffff_ffff, (mixed >> 32) | 1, self.bits.len() as u64 * 8);
        (0..PROBES).map(move |n| {
            let bit = (first + n * step) % bits;
            (usize::try_from(bit / 8).unwrap_or(usize::MAX), 1 << (bit % 8))
        })
    }
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Different numbers: an odd factor permutes them.
    fn hashes(from: u32, count: u32) -> impl Iterator<Item = u32> {
        (from..from + count).map(|n| n.wrapping_mul(0x9e37_79b1))
    }

    fn filled(count: u32) -> Known {
        let mut known = Known::default();
        hashes(0, count).for_each(|hash| known.add(hash));
        known
    }

    fn rows(known: &mut Known, pseq: u64) -> Vec<Row> {
        let mut rows = Vec::new();
        known.drain_rows(pseq, &mut rows);
        rows
    }

    #[test]
    fn what_was_added_is_there_and_what_was_not_rarely_seems_to_be() {
        let known = filled(100_000);

        assert!(hashes(0, 100_000).all(|hash| known.may_have(hash)));
        let wrong = hashes(100_000, 100_000).filter(|hash| known.may_have(*hash)).count();
        assert!(wrong < 400, "{wrong} of 100 000");
    }

    #[test]
    fn rows_bring_it_back_and_only_what_changed_is_written_again() {
        let mut known = filled(FIRST + 10);
        let first = rows(&mut known, 7);
        known.add(u32::MAX);
        let second = rows(&mut known, 8);
        let keys = |rows: &[Row]| rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>();
        assert_eq!((keys(&first), keys(&second)), (vec!["0".into(), "1".into()], vec!["1".into()]));

        let mut again = Known::default();
        for row in [&second[0], &first[0]] {
            again.restore(&row.key, row.value.as_deref().unwrap()).unwrap();
        }
        again.restored(known.count());

        assert!(hashes(0, FIRST + 10).chain([u32::MAX]).all(|hash| again.may_have(hash)));
        assert!(hashes(2 * FIRST, 1_000).any(|hash| !again.may_have(hash)));
        assert_eq!(rows(&mut again, 9), []);
        again.add(5);
        assert_eq!(keys(&rows(&mut again, 9)), ["1"], "the one that is not full goes on");
    }

    #[test]
    fn while_a_filter_is_missing_anything_may_have_a_row() {
        let mut known = filled(2 * FIRST);
        let all = rows(&mut known, 1);
        let mut again = Known::default();
        again.restore(&all[0].key, all[0].value.as_deref().unwrap()).unwrap();
        again.restored(known.count());

        assert!(hashes(5 * FIRST, 1_000).all(|hash| again.may_have(hash)));
        assert_eq!(again.count(), None, "and the next snapshot does not claim otherwise");
        assert!(Known::default().restore("0", b"x").is_err());
        assert!(Known::default().restore("x", &[0; bytes(FIRST) + 4]).is_err());
    }
}
