//! The bug zoo: planted bugs by name. Each must be found by a seed; without the feature `zoo` none can be planted.

/// All of them.
pub(crate) const BUGS: [&str; 44] = [
    "answered-before-the-report",
    "answered-from-flight",
    "attempts-forgotten",
    "claim-id-of-the-node",
    "claim-not-compared",
    "claim-of-the-same-term",
    "closed-at-hand-over",
    "compensated-before-the-undos",
    "counters-not-in-the-snapshot",
    "dead-records-projected",
    "declined-payment-captured",
    "expired-by-what-dies",
    "gap-not-read",
    "ids-forgotten",
    "loaded-without-base",
    "lost-acknowledgement-never-repeated",
    "lost-attempts-not-reported",
    "number-skipped",
    "old-message-taken-again",
    "open-sends-forgotten",
    "participant-without-memory",
    "participant-without-tombstone",
    "payment-captured-again",
    "pivot-guessed",
    "refusals-not-remembered",
    "refused-undo-is-done",
    "relayed-before-effective",
    "resend-ignored",
    "room-released-twice",
    "rows-without-checkpoint",
    "spans-by-the-wall-clock",
    "speculative-snapshot",
    "tail-never-advertised",
    "time-by-the-wall",
    "timer-early",
    "timer-fires-by-the-second-look",
    "timers-not-in-the-snapshot",
    "undone-all-at-once",
    "unknown-ignored",
    "unknown-is-a-refusal",
    "unknown-step-not-undone",
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
