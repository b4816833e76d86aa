//! Counts of the last while, in slots: what leaves the window is forgotten a slot at a time. Time comes in as an argument.

use std::{collections::VecDeque, time::Duration};

use palinode::Micros;

/// Slots of a window.
const SLOTS: u32 = 10;

/// How many there were of late, and how many of them were marked.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    width: Duration,
    slots: VecDeque<Slot>,
}

#[derive(Debug, Clone)]
struct Slot {
    from: Micros,
    all: u64,
    marked: u64,
}

impl Window {
    pub(crate) fn new(width: Duration) -> Self {
        Self { width, slots: VecDeque::new() }
    }

    /// Counts one.
    pub(crate) fn add(&mut self, now: Micros, marked: bool) {
        let (width, current) = (self.width, |slot: &Slot| now.since(slot.from) < self.width / SLOTS);
        self.slots.retain(|slot| within(slot, now, width));
        if !self.slots.back().is_some_and(current) {
            self.slots.push_back(Slot { from: now, all: 0, marked: 0 });
        }
        if let Some(slot) = self.slots.back_mut() {
            slot.all += 1;
            slot.marked += u64::from(marked);
        }
    }

    /// All of late, and those marked.
    pub(crate) fn counts(&self, now: Micros) -> (u64, u64) {
        let late = self.slots.iter().filter(|slot| within(slot, now, self.width));
        late.fold((0, 0), |(all, marked), slot| (all + slot.all, marked + slot.marked))
    }

    /// When the oldest of late leave; none when there are none.
    pub(crate) fn leaves(&self, now: Micros) -> Option<Micros> {
        self.slots.iter().find(|slot| within(slot, now, self.width)).map(|slot| slot.from.plus(self.width))
    }
}

/// What lies ahead of a clock that went back is forgotten as well.
fn within(slot: &Slot, now: Micros, width: Duration) -> bool {
    slot.from <= now && now.since(slot.from) < width
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Micros {
        Micros(ms * 1_000)
    }

    #[test]
    fn what_is_older_than_the_window_is_not_counted() {
        let mut window = Window::new(Duration::from_secs(10));
        for (ms, marked) in [(0, true), (500, false), (5_000, true)] {
            window.add(at(ms), marked);
        }
        for (ms, counts, leaves) in [
            (5_000, (3, 2), Some(10_000)),
            (9_999, (3, 2), Some(10_000)),
            (10_000, (1, 1), Some(15_000)),
            (15_000, (0, 0), None),
        ] {
            assert_eq!(
                (window.counts(at(ms)), window.leaves(at(ms))),
                (counts, leaves.map(at)),
                "at {ms} ms"
            );
        }
    }

    #[test]
    fn it_is_small_and_forgets_a_future_that_a_clock_took_back() {
        let mut window = Window::new(Duration::from_secs(10));
        (0..100_000).for_each(|ms| window.add(at(ms), true));
        assert!(window.slots.len() <= 11, "{} slots", window.slots.len());
        window.add(at(10), false);
        assert_eq!(window.counts(at(10)), (1, 0));
    }
}
