//! The same commits folded give the same state: from the log alone, or from a snapshot and the rest of the log.

use palinode::{Digest, Position, commit::Commit, machine::Machine, snapshots::Save};
use proptest::prelude::*;
use uuid::Uuid;

use crate::bench::{Bench, Command, arriving, machine};

/// A history of commands to three counters and messages between them.
fn history(script: &[(u8, i64)]) -> Bench {
    let mut bench = Bench::single();
    for (who, amount) in script {
        let id = format!("c{}", who % 3);
        if who % 5 == 0 {
            let message = bench.send_to("s", &id);
            let raw = bench.client(&message).sends[0].message.clone();
            let answer = bench.commit(&arriving(&raw, None)).sends[0].message.clone();
            bench.commit(&arriving(&answer, None));
        } else {
            let message = bench.command(&id, &Command::Add(*amount));
            bench.client(&message);
        }
    }
    bench
}

fn replay(machine: &mut Machine, bench: &Bench, after: u64) {
    for (offset, stepped) in (1..).zip(&bench.commits).filter(|(_, s)| s.commit.pseq > after) {
        let commit: Commit = serde_json::from_slice(&stepped.value).unwrap();
        if let Some(key) = machine.needs(&commit) {
            machine.load(&key, None).unwrap();
        }
        machine.replay(&commit, Digest::of(&stepped.value), offset).unwrap();
    }
}

fn position(machine: &Machine) -> Position {
    let head = *machine.head();
    Position {
        log_id: Uuid::nil(),
        offset: head.pseq,
        term: 1,
        claim_id: head.claim_id,
        pseq: head.pseq,
        digest: head.digest,
    }
}

/// The whole state as text, whatever it was built from.
fn state(machine: &mut Machine) -> Save {
    let mut save = machine.capture(position(machine)).unwrap();
    save.rows.retain(|row| row.value.is_some() && row.section != palinode::snapshots::Section::Id);
    save
}

proptest! {
    #[test]
    fn a_replayed_machine_equals_the_one_that_decided(script in prop::collection::vec((0..30u8, -3..9i64), 0..40)) {
        let mut bench = history(&script);
        let mut again = machine(0, 1);
        replay(&mut again, &bench, 0);
        again.claimed(1, Uuid::from_u128(1));
        prop_assert_eq!(again.head(), bench.machine.head());
        let (a, b) = (state(&mut again), state(&mut bench.machine));
        prop_assert_eq!((a.head, a.rows), (b.head, b.rows));
    }

    #[test]
    fn cx9_cx12_a_snapshot_and_the_rest_of_the_log_equal_the_log(
        script in prop::collection::vec((0..30u8, -3..9i64), 1..40),
        cut in 0..40usize,
    ) {
        let mut bench = history(&script);
        let cut = cut.min(bench.commits.len()) as u64;
        let mut half = machine(0, 1);
        for (offset, stepped) in (1..).zip(&bench.commits).take_while(|(_, s)| s.commit.pseq <= cut) {
            let commit: Commit = serde_json::from_slice(&stepped.value).unwrap();
            if let Some(key) = half.needs(&commit) {
                half.load(&key, None).unwrap();
            }
            half.replay(&commit, Digest::of(&stepped.value), offset).unwrap();
        }
        let save = half.capture(position(&half)).unwrap();
        let mut again = machine(0, 1);
        let (entities, rows): (Vec<_>, Vec<_>) =
            save.rows.into_iter().partition(|r| r.section == palinode::snapshots::Section::Entity);
        again.restore(&save.head, &rows).unwrap();
        for row in &entities {
            let (kind, id) = row.key.split_once('/').unwrap();
            again.load(&palinode::EntityKey::new(kind, id), Some(row)).unwrap();
        }
        replay(&mut again, &bench, cut);
        again.claimed(1, Uuid::from_u128(1));
        prop_assert_eq!(again.head(), bench.machine.head());
        for id in ["c0", "c1", "c2"] {
            let ask = bench.command(id, &Command::Add(0));
            let was = bench.client(&ask).commit.answer.as_ref().map(|a| a.get().to_owned());
            let key = palinode::EntityKey::new("counter", id);
            let input = palinode::machine::Input::Client(Box::new(ask));
            if again.missing(&input).is_some() {
                again.load(&key, None).unwrap();
            }
            let palinode::machine::Step::Commit(stepped) = again.step(bench.now, &input) else { panic!() };
            prop_assert_eq!(stepped.commit.answer.as_ref().map(|a| a.get().to_owned()), was);
        }
    }
}
