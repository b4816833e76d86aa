//! The window of client ids: which were used, for what, and where their answers lie. Folded from commits alone, so that
//! owners with different clocks agree.
//!
//! The horizon is the later of the highest commit time less the window, and the latest birth among ids dropped for
//! space. It never goes back. An id born at or before it is *expired*: whether it was executed cannot be told. So the
//! window is exactly the ids seen that were born after the horizon, and a snapshot need not say which were dropped: it has
//! a row of ids for each capture, until all of them are expired (`ids/page.rs`).

mod births;
mod page;

use std::time::Duration;

use uuid::Uuid;

use crate::{digest::Digest, machine::rows::Row, message::born, time::Micros};

/// How long and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// How long an id is remembered after its birth.
    pub span: Duration,
    /// How many are remembered at most.
    pub most: usize,
}

impl Default for WindowSize {
    fn default() -> Self {
        Self { span: Duration::from_secs(3_600), most: 262_144 }
    }
}

/// The ids of a shard.
#[derive(Debug, Default)]
pub struct IdWindow {
    size: WindowSize,
    horizon: Micros,
    /// In the order of their births, because a UUIDv7 begins with its own.
    known: births::Births,
    /// Added since the last rows.
    fresh: Vec<Uuid>,
    pages: page::Pages,
}

/// What is remembered of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Of type, data and expected version.
    pub digest: Digest,
    /// The commit that answered it.
    pub pseq: u64,
    /// Where that commit lies; `None` while it is in flight.
    pub offset: Option<u64>,
}

/// What the window says of an id that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Not used within the window.
    New,
    /// Used for the same thing: its answer is that commit's.
    Again(Used),
    /// Used for something else.
    Reused,
    /// Born at or before the horizon.
    Expired,
    /// Not a UUIDv7.
    NotBorn,
}

impl IdWindow {
    /// An empty window.
    #[must_use]
    pub fn new(size: WindowSize) -> Self {
        Self { size, horizon: Micros(i64::MIN), ..Self::default() }
    }

    /// What is known of this id.
    #[must_use]
    pub fn look(&self, id: Uuid, digest: Digest) -> Seen {
        match (self.known.get(id), born(id)) {
            (Some(used), _) if used.digest == digest || zoo!("payload-not-compared") => Seen::Again(used),
            (Some(_), _) => Seen::Reused,
            (None, None) => Seen::NotBorn,
            (None, Some(born)) if born <= self.horizon => Seen::Expired,
            (None, Some(_)) => Seen::New,
        }
    }

    /// Folds a commit's time, and its client's id if it has one.
    pub fn fold(&mut self, time: Micros, used: Option<(Uuid, Used)>) {
        if let Some((id, used)) = used
            && born(id).is_some()
        {
            self.known.insert(id, used);
            self.fresh.push(id);
        }
        self.horizon = self.horizon.max(time.minus(self.size.span));
        while let Some(id) = self.known.first() {
            let birth = born(id).unwrap_or(self.horizon);
            if birth > self.horizon && self.known.len() <= self.size.most {
                break;
            }
            if !zoo!("window-by-count-only") {
                self.horizon = self.horizon.max(birth);
            }
            self.known.pop_first();
        }
    }

    /// The commit of this id is effective and lies here.
    pub fn located(&mut self, id: Uuid, offset: u64) {
        self.known.locate(id, offset);
    }

    /// The horizon, for the snapshot's head.
    #[must_use]
    pub fn horizon(&self) -> Micros {
        self.horizon
    }

    /// Rows of what changed since the last call.
    pub(crate) fn drain_rows(&mut self, pseq: u64, rows: &mut Vec<Row>) {
        let fresh = std::mem::take(&mut self.fresh);
        let used = fresh.into_iter().filter_map(|id| Some((id, self.known.get(id)?)));
        self.pages.drain_rows(used, self.horizon, pseq, rows);
    }

    /// Takes back what a snapshot wrote. The horizon must be known by then.
    ///
    /// # Errors
    /// What cannot be read.
    pub(crate) fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        for (id, used) in self.pages.restore(key, value)? {
            if born(id).is_some_and(|birth| birth > self.horizon) {
                self.known.insert(id, used);
            }
        }
        Ok(())
    }

    /// Takes the horizon of a snapshot's head.
    pub(crate) fn restore_horizon(&mut self, horizon: Micros) {
        self.horizon = self.horizon.max(horizon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{CountedIds, Ids};

    const MINUTE: Duration = Duration::from_secs(60);

    fn used(pseq: u64) -> Used {
        Used { digest: Digest::of(b"a"), pseq, offset: Some(pseq) }
    }

    #[test]
    fn an_id_within_the_window_is_answered_again_and_another_payload_is_a_conflict() {
        let ids = CountedIds::default();
        let mut window = IdWindow::new(WindowSize::default());
        let id = ids.fresh(Micros(1_000_000));
        window.fold(Micros(1_000_001), Some((id, used(1))));
        assert_eq!(window.look(id, Digest::of(b"a")), Seen::Again(used(1)));
        assert_eq!(window.look(id, Digest::of(b"b")), Seen::Reused);
    }

    #[test]
    fn cx14_cx26_the_horizon_is_of_commit_times_and_what_is_behind_it_is_expired() {
        let ids = CountedIds::default();
        let mut window = IdWindow::new(WindowSize { span: MINUTE, most: 10 });
        let old = ids.fresh(Micros(0).plus(MINUTE));
        window.fold(Micros(0).plus(MINUTE * 2), None);
        assert_eq!(window.look(old, Digest::of(b"a")), Seen::Expired, "born at the horizon");
        let young = ids.fresh(Micros(0).plus(MINUTE * 2));
        assert_eq!(window.look(young, Digest::of(b"a")), Seen::New);
        window.fold(Micros(5), None);
        assert_eq!(window.look(old, Digest::of(b"a")), Seen::Expired, "the horizon never goes back");
    }

    #[test]
    fn cx14_a_full_window_moves_its_horizon_to_the_birth_of_what_it_drops() {
        let ids = CountedIds::default();
        let mut window = IdWindow::new(WindowSize { span: MINUTE * 60, most: 2 });
        let at = |s: u32| Micros(0).plus(Duration::from_secs(10_000 + u64::from(s)));
        let all: Vec<_> = (0..3).map(|n| ids.fresh(at(n))).collect();
        for (n, id) in (0..).zip(&all) {
            window.fold(at(10), Some((*id, used(n))));
        }
        assert_eq!(window.look(all[0], Digest::of(b"a")), Seen::Expired);
        assert_eq!(window.look(all[1], Digest::of(b"a")), Seen::Again(used(1)));
        assert_eq!(
            window.look(ids.fresh(at(0)), Digest::of(b"a")),
            Seen::Expired,
            "born with the dropped one"
        );
    }
    #[test]
    fn a_snapshot_brings_back_the_ids_that_are_not_expired() {
        let ids = CountedIds::default();
        let mut window = IdWindow::new(WindowSize { span: MINUTE, most: 10 });
        let [old, young] = [1, 2].map(|n| ids.fresh(Micros(0).plus(MINUTE * n)));
        let mut rows = Vec::new();
        for (n, id) in [(1, old), (2, young)] {
            window.fold(Micros(0).plus(MINUTE * 2), Some((id, used(n))));
            window.drain_rows(n, &mut rows);
        }

        let mut again = IdWindow::new(WindowSize { span: MINUTE, most: 10 });
        again.restore_horizon(window.horizon());
        for row in rows.iter().filter(|row| row.value.is_some()) {
            again.restore(&row.key, row.value.as_deref().unwrap()).unwrap();
        }
        assert_eq!(again.look(young, Digest::of(b"a")), Seen::Again(used(2)));
        assert_eq!(again.look(old, Digest::of(b"a")), Seen::Expired);
    }
}
