//! The bug zoo: planted bugs by name. Each must be found by a seed; without the feature `zoo` none can be planted.

/// All of them.
pub(crate) const BUGS: [&str; 60] = [
    "acknowledgement-not-compared",
    "answered-before-the-report",
    "answered-from-flight",
    "attempts-forgotten",
    "blind-re-append",
    "claim-id-of-the-node",
    "claim-not-compared",
    "claim-of-the-same-term",
    "closed-at-hand-over",
    "closed-by-inbox-produce",
    "compensated-before-the-undos",
    "counters-not-in-the-snapshot",
    "dead-records-projected",
    "declined-payment-captured",
    "dirty-set-cleared-on-unknown",
    "expired-by-what-dies",
    "footing-not-read",
    "future-claim-taken-as-dead",
    "gap-not-read",
    "ids-forgotten",
    "loaded-without-base",
    "lost-acknowledgement-never-repeated",
    "lost-attempts-not-reported",
    "no-second-claim",
    "number-skipped",
    "old-message-taken-again",
    "only-own-changes-written",
    "open-sends-forgotten",
    "overlay-applied-twice",
    "parent-not-compared",
    "participant-without-memory",
    "participant-without-tombstone",
    "payload-not-compared",
    "payment-captured-again",
    "pivot-guessed",
    "position-not-compared",
    "predecessor-not-compared",
    "refusals-not-remembered",
    "refused-undo-is-done",
    "relayed-before-effective",
    "resend-ignored",
    "room-released-twice",
    "rows-without-checkpoint",
    "saga-saved-without-its-tries",
    "serial-ignored",
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
    "unreadable-taken-as-dead",
    "version-before-id",
    "window-by-count-only",
    "zombie-commit-counts",
];

/// The bug of this name.
pub(crate) fn find(name: &str) -> Option<&'static str> {
    BUGS.into_iter().find(|bug| *bug == name)
}

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
