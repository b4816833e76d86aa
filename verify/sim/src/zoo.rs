//! The bug zoo: planted bugs by name. Each must be found by a seed; without the feature `zoo` none can be planted.

/// All of them.
pub(crate) const BUGS: [&str; 58] = [
    "act-not-recorded",
    "answered-before-the-report",
    "answered-from-flight",
    "answers-of-a-pause-forgotten",
    "attempts-forgotten",
    "checkpoint-in-its-own-transaction",
    "claim-id-of-the-node",
    "claim-not-compared",
    "claim-of-the-same-term",
    "closed-at-hand-over",
    "compared-with-itself",
    "compensated-before-the-undos",
    "counters-not-in-the-snapshot",
    "dead-records-projected",
    "expired-by-what-dies",
    "gap-not-read",
    "ids-forgotten",
    "loaded-without-base",
    "lost-acknowledgement-never-repeated",
    "lost-attempts-not-reported",
    "number-skipped",
    "old-message-taken-again",
    "open-sends-forgotten",
    "parked-key-overtaken",
    "participant-without-memory",
    "participant-without-tombstone",
    "paused-saga-asks",
    "pivot-guessed",
    "poison-skipped-silently",
    "reached-one-too-early",
    "reached-though-parked",
    "refusals-not-remembered",
    "refused-undo-is-done",
    "relayed-before-effective",
    "released-before-it-is-written",
    "removed-version-goes-on",
    "resend-ignored",
    "rows-without-checkpoint",
    "skip-runs-the-undo",
    "spans-by-the-wall-clock",
    "speculative-snapshot",
    "swap-without-position",
    "tail-never-advertised",
    "time-by-the-wall",
    "time-passes-in-a-pause",
    "timer-early",
    "timer-fires-by-the-second-look",
    "timers-not-in-the-snapshot",
    "token-of-a-version-nobody-reads",
    "undone-all-at-once",
    "unknown-ignored",
    "unknown-is-a-refusal",
    "unknown-step-not-undone",
    "unparked-without-what-was-kept",
    "verb-applied-twice",
    "version-before-id",
    "window-by-count-only",
    "zombie-commit-counts",
];

/// Runs something while this bug is planted.
#[cfg(feature = "zoo")]
pub(crate) fn with<T>(bug: &'static str, run: impl FnOnce() -> T) -> T {
    palinode::fault::plant(Some(bug));
    let done = run();
    palinode::fault::plant(None);
    done
}

/// Without the feature there is nothing to plant.
#[cfg(not(feature = "zoo"))]
pub(crate) fn with<T>(_bug: &'static str, run: impl FnOnce() -> T) -> T {
    run()
}
