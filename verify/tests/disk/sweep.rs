//! Opens every state that a power cut could have left of a recorded run, each once.

use std::{collections::BTreeSet, ops::Range};

use palinode::log::memory::Chance;

use crate::{
    disk::{self, Disk, Image, Loss},
    journal::Op,
    oracle::{Known, Wrong},
    shim,
};

/// How many times the usual number of torn states.
pub(crate) fn times() -> usize {
    std::env::var("PALINODE_DISK_STATES").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// What is looked at, and what was found.
#[derive(Default)]
pub(crate) struct Sweep {
    /// Of the changes that may be lost, so many of the latest are each lost alone, and each kept alone.
    pub(crate) singles: usize,
    /// So many states of each moment are torn at random.
    pub(crate) torn: usize,
    /// Only each so-many-th moment is looked at, and those around a sync or a change of names.
    pub(crate) every: usize,
    /// Only these moments are looked at; all when there are none.
    pub(crate) only: Range<usize>,
    pub(crate) opened: usize,
    pub(crate) wrong: Vec<(String, Wrong)>,
    pub(crate) seen: BTreeSet<(usize, u64)>,
}

impl Sweep {
    /// All moments of a run. What the program knew at the end.
    pub(crate) async fn run(&mut self, mut disk: Disk, ops: &[Op]) -> Known {
        let mut known = Known::default();
        for (nth, op) in ops.iter().enumerate() {
            let next = ops.get(nth + 1);
            disk.apply(op);
            known.hear(op);
            if !self.only.is_empty() && !self.only.contains(&nth) {
                continue;
            }
            let rare = |op: &Op| !op.is_note() && !matches!(op, Op::Write { .. });
            if rare(op) || next.is_none_or(rare) || nth.is_multiple_of(self.every.max(1)) {
                for loss in self.losses(nth, disk.uncertain()) {
                    let at = || format!("power lost after change {nth}, {loss:?}");
                    self.open(&disk.after(&loss), &known, at).await;
                }
            }
        }
        known
    }

    fn losses(&self, moment: usize, changes: usize) -> Vec<Loss> {
        if changes == 0 {
            return vec![Loss::Nothing];
        }
        let mut losses = vec![Loss::Nothing, Loss::Everything];
        let latest = (0..changes).rev().take(self.singles);
        losses.extend(latest.flat_map(|n| [Loss::Only(n), Loss::AllBut(n)]));
        let seeds = 0..self.torn * times();
        losses.extend(seeds.map(|n| Loss::Torn(Chance::new((moment * 10_000 + n) as u64))));
        losses
    }

    /// A state, and what was known by then. Of every eighth the log goes on as well.
    async fn open(&mut self, image: &Image, known: &Known, at: impl Fn() -> String) {
        if !self.seen.insert((known.notes, digest(image))) {
            return;
        }
        self.opened += 1;
        let place = shim::place();
        disk::write(image, place.path());
        let checked = if self.opened.is_multiple_of(8) {
            known.check_and_go_on(place.path()).await
        } else {
            known.check(place.path()).await
        };
        self.wrong.extend(checked.err().map(|wrong| (at(), wrong)));
    }
}

fn digest(image: &Image) -> u64 {
    let mut sums = (0u32, 0u32);
    for (name, content) in image {
        let content = content.as_deref().unwrap_or_default();
        sums.0 = crc32c::crc32c_append(crc32c::crc32c_append(sums.0, name.as_bytes()), content);
        sums.1 = sums.1.rotate_left(7) ^ crc32c::crc32c(&content.len().to_le_bytes());
    }
    (u64::from(sums.0) << 32) | u64::from(sums.1)
}
