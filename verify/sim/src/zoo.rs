//! The bug zoo: planted bugs by name. Each must be found by a seed; without the feature `zoo` none can be planted.

/// All of them.
pub(crate) const BUGS: [&str; 88] = [
    "acknowledgement-not-compared",
    "act-not-recorded",
    "answered-before-the-report",
    "answered-from-flight",
    "answers-known-by-their-id-alone",
    "answers-of-a-pause-forgotten",
    "any-answer-taken",
    "attempts-forgotten",
    "blind-re-append",
    "checkpoint-in-its-own-transaction",
    "claim-id-of-the-node",
    "claim-not-compared",
    "claim-of-the-same-term",
    "closed-at-hand-over",
    "closed-by-inbox-produce",
    "compared-with-itself",
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
    "inbox-read-from-its-end",
    "known-entities-forgotten",
    "loaded-without-base",
    "lost-acknowledgement-never-repeated",
    "lost-attempts-not-reported",
    "low-mark-past-unanswered-client",
    "no-second-claim",
    "number-skipped",
    "old-message-taken-again",
    "only-own-changes-written",
    "open-sends-forgotten",
    "overlay-applied-twice",
    "parent-not-compared",
    "parked-key-overtaken",
    "part-told-below-the-present-root",
    "participant-without-memory",
    "participant-without-tombstone",
    "paused-saga-asks",
    "payload-not-compared",
    "payment-captured-again",
    "pivot-guessed",
    "poison-skipped-silently",
    "position-not-compared",
    "predecessor-not-compared",
    "reached-one-too-early",
    "reached-though-parked",
    "refusals-not-remembered",
    "refused-undo-is-done",
    "relayed-before-effective",
    "released-before-it-is-written",
    "remote-client-new-id-on-retry",
    "removed-version-goes-on",
    "reply-before-effective",
    "resend-ignored",
    "room-released-twice",
    "rows-without-checkpoint",
    "saga-saved-without-its-tries",
    "send-seen-again",
    "serial-ignored",
    "skip-runs-the-undo",
    "span-before-effective",
    "spans-by-the-wall-clock",
    "spans-forgotten-at-a-take-over",
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
    "unreadable-taken-as-dead",
    "verb-applied-twice",
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
