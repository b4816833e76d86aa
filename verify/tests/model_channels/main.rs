//! Channels between two shards, exhaustively: both roads, an inbox that loses, reorders and doubles, crashes and moves of
//! either side, recovery from a log or a snapshot. The engine's own channels judge the numbers; what its owners do around
//! them (when something is handed over, acknowledged, asked for again) is told again in `model.rs`.
//!
//! With all rules kept, every message is effective at its receiver exactly once and in order, no hole stays, and nothing
//! is forgotten early. With any one of them left out, some run breaks a promise.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

mod channels;
mod healing;
mod model;
mod promises;
mod shards;

use std::collections::BTreeSet;

use model::{Bounds, LeftOut};
use promises::{HEALS, LOW, ONCE, SAFE};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

fn bounds(sends: u8, crashes: u8, losses: u8, doubles: u8, snapshots: u8) -> Bounds {
    let left_out = BTreeSet::new();
    Bounds { sends, crashes, losses, doubles, snapshots, records: 2, left_out, healing: false }
}

/// For whoever has the time: `PALINODE_MODEL=long`.
fn long() -> bool {
    std::env::var("PALINODE_MODEL").is_ok_and(|how| how == "long")
}

/// Expects that no run breaks a promise, and that every rare state is reached.
#[track_caller]
fn hold(bounds: Bounds) {
    let checker = bounds.checker().threads(2).spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    for property in checker.model().properties() {
        match property.expectation {
            Expectation::Always => checker.assert_no_discovery(property.name),
            _ => drop(checker.assert_any_discovery(property.name)),
        }
    }
}

/// Whether some run without these rules breaks a promise.
fn broken(bounds: Bounds, left_out: &[LeftOut], promise: &'static str) -> bool {
    let bounds = Bounds { left_out: left_out.iter().copied().collect(), ..bounds };
    let wanted = HasDiscoveries::AnyOf(BTreeSet::from([promise]));
    let checker = bounds.checker().finish_when(wanted).spawn_bfs().join();
    checker.discovery(promise).is_some()
}

#[track_caller]
fn breaks(left_out: LeftOut, promise: &'static str) {
    let broken = broken(bounds(2, 2, 1, 0, 1), &[left_out], promise);
    assert!(broken, "{left_out:?} can be left out, and {promise:?} still holds");
}

#[test]
fn two_crashes_break_no_promise() {
    let more = u8::from(long());
    hold(bounds(2, 2, more, more, 1));
}

#[test]
fn a_crash_a_loss_and_a_doubled_record_break_no_promise() {
    hold(bounds(2, 1, 1, 1, 0));
}

#[test]
fn a_snapshot_and_a_loss_break_no_promise() {
    hold(bounds(2, 1, 1, 0, 1));
}

#[test]
fn three_messages_break_no_promise() {
    let more = u8::from(long());
    hold(bounds(3, 1, more, 0, more));
}

#[test]
fn a_message_must_not_leave_before_its_commit_is_effective() {
    breaks(LeftOut::RelayEffective, ONCE);
}

#[test]
fn a_message_must_not_be_acknowledged_before_its_acceptance_is_effective() {
    breaks(LeftOut::AckEffective, SAFE);
}

#[test]
fn cx7_a_message_must_not_be_closed_when_it_is_handed_over() {
    breaks(LeftOut::CloseNotAtHandOver, SAFE);
    breaks(LeftOut::CloseNotAtHandOver, HEALS);
}

#[test]
fn cx10_a_message_must_not_be_closed_when_the_inbox_has_it() {
    breaks(LeftOut::CloseNotAtProduce, SAFE);
    breaks(LeftOut::CloseNotAtProduce, HEALS);
}

#[test]
fn cx8_the_inbox_must_resume_at_the_lowest_offset() {
    breaks(LeftOut::ResumeAtLowest, LOW);
}

/// The log of the sender covers for it: what was passed over is asked for again.
#[test]
fn cx8_what_was_passed_over_is_asked_for_again() {
    let bounds = || bounds(2, 1, 0, 0, 0);
    assert!(!broken(bounds(), &[LeftOut::ResumeAtLowest], HEALS));
}

#[test]
fn cx9_a_snapshot_must_know_the_open_sends() {
    breaks(LeftOut::SnapshotSends, HEALS);
}

#[test]
fn a_snapshot_must_know_what_was_accepted() {
    breaks(LeftOut::SnapshotCounters, ONCE);
}

#[test]
fn cx24_the_last_message_must_be_advertised() {
    breaks(LeftOut::Advertise, HEALS);
}

#[test]
fn what_is_held_back_must_be_accepted_in_its_turn() {
    breaks(LeftOut::Release, HEALS);
}
