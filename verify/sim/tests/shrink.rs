//! A failure is cut to what one would be glad to be given: planted bugs whose scripts shrink to a few actions.

#![cfg(feature = "zoo")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may be blunt")]

use palinode_sim::{replay, smallest};

#[track_caller]
fn shrinks(bug: &str, most: usize) {
    let cut = (1..=60).find_map(|seed| smallest(seed, Some(bug))).unwrap();
    assert!(cut.actions <= most, "{bug}: {} of {} actions are left:\n{}", cut.actions, cut.of, cut.told);
    assert!(cut.of > 3 * cut.actions, "{bug}: it was small before: {} actions", cut.of);
    let again = replay(&cut.script, Some(bug)).unwrap();
    assert_eq!(again, cut.wrong, "what is left fails again, in the same way");
    assert!(replay(&cut.script, None).unwrap().is_empty(), "without the bug it is well");
}

#[test]
fn an_old_message_taken_again_shrinks_to_a_few_actions() {
    shrinks("old-message-taken-again", 6);
}

#[test]
fn a_commit_that_skips_a_number_shrinks_to_a_few_actions() {
    shrinks("number-skipped", 6);
}

#[test]
fn a_forgotten_refusal_shrinks_to_a_few_actions() {
    shrinks("refusals-not-remembered", 6);
}
