//! How long and how large: the full measure, or the quick look.

use std::time::Duration;

/// The sizes of one run of the benchmark.
pub(crate) struct Setting {
    /// Whether it is the quick look.
    pub(crate) quick: bool,
    /// How often each figure is measured.
    pub(crate) repeat: usize,
    /// How long a closed loop runs.
    pub(crate) time: Duration,
    /// How long it runs before it is measured.
    pub(crate) warm: Duration,
    /// How many producers of commits a process has, when that is not left to the engine.
    #[cfg(feature = "servers")]
    pub(crate) producers: Option<usize>,
}

impl Setting {
    /// The sizes for this way of running.
    pub(crate) fn new(quick: bool, repeat: usize) -> Self {
        let seconds = if quick { 1 } else { 5 };
        Self {
            quick,
            repeat: repeat.max(1),
            time: Duration::from_secs(seconds),
            warm: Duration::from_millis(seconds * 200),
            #[cfg(feature = "servers")]
            producers: None,
        }
    }

    /// `full`, or `quick` in a quick look.
    pub(crate) fn size(&self, full: u64, quick: u64) -> u64 {
        if self.quick { quick } else { full }
    }
}
