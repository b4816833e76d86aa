//! Whether an owner makes progress, as counts that somebody beside it compares. Knows no clock: a count that was the same
//! at several looks in a row stands still, however the machine's time jumps.
//!
//! | stands still | because | seen by |
//! |---|---|---|
//! | the owner's loop | it waits for a port that does not answer | no turns |
//! | its commits | nothing is reported of them | the same one is the oldest in flight |
//! | its inbox | a read does not return | the same read is under way |

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// What one owner and its reader count; shared with who watches them.
#[derive(Clone, Default)]
pub(crate) struct Pulse(Arc<Counts>);

#[derive(Default)]
struct Counts {
    turns: AtomicU64,
    /// The number of the oldest commit in flight; zero when there is none.
    oldest: AtomicU64,
    reads: AtomicU64,
    reading: AtomicBool,
}

impl Pulse {
    /// Something was done: a turn of the loop, a page of the log.
    pub(crate) fn turned(&self) {
        self.0.turns.fetch_add(1, Relaxed);
    }

    /// The oldest commit in flight now.
    pub(super) fn oldest(&self, pseq: Option<u64>) {
        self.0.oldest.store(pseq.unwrap_or(0), Relaxed);
    }

    /// Reads a page of the inbox. May be dropped.
    pub(crate) async fn reading<T>(&self, read: impl Future<Output = T>) -> T {
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(false, Relaxed);
            }
        }
        self.0.reads.fetch_add(1, Relaxed);
        self.0.reading.store(true, Relaxed);
        let _over = Over(&self.0.reading);
        read.await
    }

    /// Somebody who looks at it now and then.
    pub(crate) fn watch(&self) -> Watch {
        Watch { pulse: self.clone(), seen: [None; 3], still: [0; 3] }
    }
}

/// Compares what is counted with the last look.
pub(crate) struct Watch {
    pulse: Pulse,
    seen: [Option<u64>; 3],
    still: [u32; 3],
}

impl Watch {
    /// What stands still for the most looks in a row, this one included, and for how many.
    pub(crate) fn look(&mut self) -> Option<(&'static str, u32)> {
        let Counts { turns, oldest, reads, reading } = &*self.pulse.0;
        let now = [
            Some(turns.load(Relaxed)),
            Some(oldest.load(Relaxed)).filter(|pseq| *pseq > 0),
            reading.load(Relaxed).then(|| reads.load(Relaxed)),
        ];
        for ((still, seen), now) in self.still.iter_mut().zip(&mut self.seen).zip(now) {
            *still = if now.is_some() && now == *seen { still.saturating_add(1) } else { 0 };
            *seen = now;
        }
        let what = ["its owner does not go on", "its commits are not reported", "its inbox is not read"];
        what.into_iter().zip(self.still).filter(|(_, still)| *still > 0).max_by_key(|(_, still)| *still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_not_still_and_what_is_not_under_way_neither() {
        let pulse = Pulse::default();
        let mut watch = pulse.watch();
        for _ in 0..3 {
            pulse.turned();
            assert_eq!(watch.look(), None);
        }
        assert_eq!(watch.look(), Some(("its owner does not go on", 1)));
        assert_eq!(watch.look(), Some(("its owner does not go on", 2)));
        pulse.turned();
        assert_eq!(watch.look(), None);
    }

    #[tokio::test]
    async fn commits_in_flight_and_reads_are_watched_as_long_as_there_are_any() {
        let pulse = Pulse::default();
        let mut watch = pulse.watch();
        let mut look = || {
            pulse.turned();
            watch.look()
        };
        pulse.oldest(Some(7));
        assert_eq!((look(), look()), (None, Some(("its commits are not reported", 1))));
        pulse.oldest(Some(8));
        assert_eq!((look(), look()), (None, Some(("its commits are not reported", 1))));
        pulse.oldest(None);
        assert_eq!((look(), look()), (None, None));
        let mut read = Box::pin(pulse.reading(std::future::pending::<()>()));
        assert!(futures_util::poll!(&mut read).is_pending());
        assert_eq!((look(), look()), (None, Some(("its inbox is not read", 1))));
        drop(read);
        assert_eq!((look(), look()), (None, None));
    }
}
