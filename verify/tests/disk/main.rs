//! The embedded log on a disk that loses power and fails. A run of the log is recorded once, call by call of the system;
//! then every state that a power cut could have left is built from the record and opened. Nothing acknowledged is missing,
//! nothing else is there, and the log goes on.
//!
//! `PALINODE_DISK_STATES=n` takes n times as many torn states, and fails every change in every way.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod bank;
mod disk;
mod journal;
mod oracle;
mod program;
mod shim;
mod sweep;

use disk::{Disk, Loss};
use journal::Op;
use oracle::{Known, Wrong};
use palinode::log::memory::Chance;
use program::{BIG, SHORT, SMALL};
use sweep::{Sweep, times};

/// The test that a child runs.
const CHILD: &str = "the_program_runs_through";

fn steps(name: &str) -> &'static [program::Step] {
    match name {
        "small" => SMALL,
        "big" => BIG,
        _ => SHORT,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_runs_through() {
    if let Some((base, notes, name)) = shim::role() {
        return match &*name {
            "bank" => bank::run(base, notes).await,
            name => program::run(base, notes, steps(name)).await,
        };
    }
    for name in ["small", "big", "short"] {
        let place = shim::place();
        let ops = shim::record(place.path(), CHILD, name, None);
        let known = heard(&ops);
        assert!(matches!(ops.last(), Some(Op::Note(note)) if note == "end"), "{name}");
        known.check_and_go_on(place.path()).await.unwrap();
        println!(
            "{name}: {} changes, {} acknowledged",
            ops.iter().filter(|op| !op.is_note()).count(),
            known.acknowledged()
        );
    }
}

fn heard(ops: &[Op]) -> Known {
    let mut known = Known::default();
    ops.iter().for_each(|op| known.hear(op));
    known
}

#[tokio::test]
async fn a_power_cut_at_any_moment_loses_nothing_acknowledged() {
    let place = shim::place();
    let disk = Disk::of(place.path());
    let ops = shim::record(place.path(), CHILD, "small", None);
    let mut sweep = Sweep { singles: 8, torn: 3, ..Sweep::default() };

    let known = sweep.run(disk, &ops).await;

    println!("{} states opened, {} acknowledged", sweep.opened, known.acknowledged());
    assert_eq!(sweep.wrong, []);
    assert!(sweep.opened > 500 && known.acknowledged() > 15);
}

#[tokio::test]
async fn a_power_cut_amid_checkpoints_loses_nothing_acknowledged() {
    let place = shim::place();
    let disk = Disk::of(place.path());
    let ops = shim::record(place.path(), CHILD, "big", None);
    let begun_anew =
        ops.iter().filter(|op| matches!(op, Op::Write { at: 0, bytes, .. } if bytes.len() == 32)).count();
    assert!(begun_anew > 2, "the -wal file began anew {begun_anew} times: once at each start");
    let mut sweep = Sweep { singles: 1, torn: 1, every: 300, ..Sweep::default() };

    let known = sweep.run(disk, &ops).await;

    println!("{} states opened, {} acknowledged", sweep.opened, known.acknowledged());
    assert_eq!(sweep.wrong, []);
    assert!(sweep.opened > 50);
}

/// The sweep must find what it looks for: on a disk that forgets all syncs, acknowledged records go missing. What is
/// read is right all the same, and a log that its witness knows to be longer is refused.
#[tokio::test]
async fn on_a_disk_that_lies_nothing_is_misread() {
    let place = shim::place();
    let disk = Disk::of(place.path());
    let mut ops = shim::record(place.path(), CHILD, "small", None);
    ops.retain(|op| !matches!(op, Op::Sync { .. }));
    let mut sweep = Sweep { singles: 3, torn: 4, ..Sweep::default() };

    sweep.run(disk, &ops).await;

    let misread: Vec<_> =
        sweep.wrong.iter().filter(|(_, wrong)| matches!(wrong, Wrong::Misread(_))).collect();
    assert!(misread.is_empty(), "{misread:#?}");
    let missing = sweep.wrong.iter().filter(|(_, wrong)| matches!(wrong, Wrong::Missing(_))).count();
    let refused = sweep.wrong.iter().filter(|(_, wrong)| matches!(wrong, Wrong::NotOpened(_))).count();
    println!("{} states opened, {missing} without all, {refused} refused", sweep.opened);
    assert!(missing > 20 && refused > 20);
}

/// Lets changes fail one after another, in these modes of the shim.
async fn fail(modes: &[&str], stride: usize) {
    let place = shim::place();
    let clean = shim::record(place.path(), CHILD, "short", None);
    let changes = clean.iter().filter(|op| !op.is_note()).count();
    let (mut states, mut runs, mut wrong) = (0, 0, Vec::new());
    for mode in modes {
        for nth in (1..=changes).step_by(if times() > 1 { 1 } else { stride }) {
            let fault = format!("{nth} {mode}");
            let place = shim::place();
            let disk = Disk::of(place.path());
            let ops = shim::record(place.path(), CHILD, "short", Some(&fault));
            runs += 1;
            // The process has died, and the disk is well again.
            let restarted = heard(&ops).check_and_go_on(place.path()).await;
            wrong.extend(restarted.err().map(|wrong| (format!("{fault}, started again"), wrong)));
            // Or the power was cut, at any moment from the failure until after the next start.
            let from = ops.iter().enumerate().filter(|(_, op)| !op.is_note()).map(|(at, _)| at).nth(nth - 1);
            let from = from.unwrap_or(ops.len()).saturating_sub(1);
            let mut sweep = Sweep { torn: 1, every: 8, only: from..from + 45, ..Sweep::default() };
            sweep.run(disk, &ops).await;
            wrong.extend(sweep.wrong.into_iter().map(|(at, wrong)| (format!("{fault}, {at}"), wrong)));
            states += sweep.opened;
        }
    }
    println!("{runs} runs with a fault, {states} states opened");
    assert!(wrong.is_empty(), "{} are wrong: {:#?}", wrong.len(), wrong.iter().take(12).collect::<Vec<_>>());
    assert!(runs > 20 && states > runs);
}

/// `EIO`.
const BROKEN: &str = "5";
/// `ENOSPC`.
const FULL: &str = "28";

#[tokio::test]
async fn a_change_that_fails_once_loses_nothing_acknowledged() {
    fail(&[&format!("{BROKEN} once")], 1).await;
}

#[tokio::test]
async fn a_disk_that_stays_broken_or_full_loses_nothing_acknowledged() {
    let modes =
        [format!("{BROKEN} ever"), format!("{FULL} ever"), format!("{FULL} short"), format!("{FULL} once")];
    fail(&modes.each_ref().map(String::as_str), 7).await;
}

/// Snapshots and read models are written without waiting for the disk: after a power cut they are older, or gone, and
/// never wrong together with the log.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_power_cut_a_node_and_its_read_model_are_what_its_log_is() {
    let place = shim::place();
    let mut disk = Disk::of(place.path());
    let ops = shim::record(place.path(), CHILD, "bank", None);
    let mut known = bank::Known::default();
    let (mut chance, mut wrong, mut opened) = (Chance::new(1), Vec::new(), 0);
    let changes = ops.iter().filter(|op| !op.is_note()).count() as u64;

    for (nth, op) in ops.iter().enumerate() {
        disk.apply(op);
        known.hear(op);
        if op.is_note() || chance.below(changes) >= 100 * times() as u64 {
            continue;
        }
        for loss in [Loss::Nothing, Loss::Everything, Loss::Torn(Chance::new(nth as u64))] {
            let place = shim::place();
            disk::write(&disk.after(&loss), place.path());
            opened += 1;
            let checked = known.check(place.path()).await;
            wrong.extend(checked.err().map(|wrong| format!("after change {nth}, {op:?}, {loss:?}: {wrong}")));
        }
    }

    println!("{changes} changes, {opened} states opened");
    assert!(wrong.is_empty(), "{} are wrong: {:#?}", wrong.len(), wrong.iter().take(5).collect::<Vec<_>>());
    assert!(opened > 60 && known.acked == 24);
}
