//! What the observer of a world was told of spans: kept, to be judged when the world is over. A quarter of all worlds is
//! observed; the others show that nothing depends on it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use palinode::telemetry::{Fact, Observe, Span};

/// The spans of a world, with their services.
#[derive(Clone, Default)]
pub(crate) struct Spans(Arc<Mutex<Vec<(String, Span)>>>);

/// Whether the world of this seed is observed. No seed that failed once is: its story must stay what it was.
pub(crate) fn observed(seed: u64) -> bool {
    seed % 8 < 2
}

impl Spans {
    pub(crate) fn all(&self) -> MutexGuard<'_, Vec<(String, Span)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observe for Spans {
    fn span(&self, service: &str, span: Span) {
        self.all().push((service.to_owned(), span));
    }

    /// Half of the traces: what is not kept has no span at all.
    fn ratio(&self) -> Option<f64> {
        Some(0.5)
    }

    /// Shorter than much of what is waited for in a world.
    fn segment_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(2))
    }

    fn fact(&self, _service: &str, _fact: &Fact<'_>) {}
}
