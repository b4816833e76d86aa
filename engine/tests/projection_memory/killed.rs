//! A rebuild whose process dies at any moment, again and again, ends as one that lived.

use std::{sync::Arc, time::Duration};

use palinode::{
    ManualClock,
    projection::{ReadModel, Said, Waited, start},
    store::memory::{MemoryDb, TxFault},
};

use crate::{
    journal::Journal,
    lines::{Deposit, Lines, naive, upto, versions},
};

const LONG: Duration = Duration::from_secs(3_600);

struct World {
    journal: Journal,
    clock: ManualClock,
    db: MemoryDb,
}

impl World {
    async fn start<const V: u32>(&self) -> ReadModel {
        loop {
            let started =
                start(Arc::new(Lines::<V>::default()), self.journal.source(&self.clock), self.db.clone())
                    .await;
            // a fault that a test has ordered may meet the start too
            match started {
                Ok(model) => return model,
                Err(e) => assert!(e.what.contains("told to"), "{e}"),
            }
        }
    }

    /// What an operator does, from whatever is there: build version 2, move readers to it, take version 1 away.
    async fn rebuild(&self) {
        let there = versions(&self.db).await;
        let one =
            if there.is_empty() || there[0].version == 1 { Some(self.start::<1>().await) } else { None };
        let two = self.start::<2>().await;
        let said = Said::new("ada", "line by line");
        while let Err(e) = two.swap(2, LONG, &said).await {
            assert!(e.what.contains("told to"), "{e}");
        }
        while let Err(e) = two.remove(1, &said).await {
            if e.what.contains("no version 1") {
                break;
            }
            assert!(e.what.contains("told to"), "{e}");
        }
        drop(one);
        for shard in 0..2 {
            let end = self.journal.token(shard).pseq;
            let there = move |p: &palinode::Position| p.pseq >= end;
            two.wait_until(shard, |s| s.position.as_ref().is_some_and(there)).await.unwrap();
        }
    }

    /// Runs it in a process of its own that dies after so many turns. Whether it came to its end.
    fn live(&self, turns: usize, faults: &[TxFault]) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = runtime.block_on(async {
            for fault in faults {
                self.db.fail_next(*fault).await;
            }
            let time = async {
                for _ in 0..turns {
                    self.clock.advance(Duration::from_millis(10));
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                () = self.rebuild() => true,
                () = time => false,
            }
        });
        runtime.shutdown_background();
        ended
    }

    /// Every version's table is its fold up to its checkpoints, and readers see one of them.
    fn check(&self, deposits: &[Deposit]) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let found = versions(&self.db).await;
            for version in &found {
                let expected = naive(deposits, |shard| upto(version, shard));
                let name = format!("line_v{}", version.version);
                assert_eq!(self.db.table(&name).await, expected, "{version:?}");
                if version.active {
                    assert_eq!(self.db.table("line").await, expected);
                }
            }
            assert_eq!(found.iter().filter(|version| version.active).count(), usize::from(!found.is_empty()));
            if found.iter().all(|version| version.version != 1) {
                assert!(self.db.table("line_v1").await.is_empty());
            }
        });
    }
}

/// Deposits of a few accounts on both shards, some of them more.
fn more(world: &World, deposits: &mut Vec<Deposit>, roll: &mut impl FnMut(u64) -> u64) {
    for _ in 0..roll(30) {
        let shard = roll(2) as u32;
        let account = format!("{shard}-{}", roll(5));
        let pseq = world.journal.deposit(shard, &account, &[7]).pseq;
        deposits.push((shard, pseq, 0, account, 7));
    }
}

#[test]
fn a_rebuild_that_dies_at_any_moment_ends_as_one_that_lived() {
    let mut dice = 11_u64;
    let mut roll = move |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let mut phases = std::collections::BTreeSet::new();
    for life in 0..150 {
        let world = World { journal: Journal::new(), clock: ManualClock::default(), db: MemoryDb::default() };
        let mut deposits = Vec::new();
        more(&world, &mut deposits, &mut roll);
        let kinds = [TxFault::UnknownHappened, TxFault::UnknownNot, TxFault::Outage];
        for _ in 0..1 + roll(4) {
            // given a process that dies, with transactions that fail or whose end is not known
            let faults: Vec<TxFault> = (0..roll(3)).map(|_| kinds[roll(3) as usize]).collect();
            world.live(roll(4 + life) as usize, &faults);
            world.check(&deposits);
            more(&world, &mut deposits, &mut roll);
            phases.insert(phase(&world));
        }
        // when one lives to the end
        assert!(world.live(usize::MAX, &[]));
        // then readers see version 2, all of it, and version 1 is gone
        world.check(&deposits);
        assert_eq!(phase(&world), vec![(2, true)]);
        let all = naive(&deposits, |_| u64::MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(world.db.table("line")), all);
    }
    // it died before it began, while it built, between the swap and the end, and at the end
    let expected =
        [vec![], vec![(1, true)], vec![(1, true), (2, false)], vec![(1, false), (2, true)], vec![(2, true)]];
    assert_eq!(phases, expected.into());
}

/// The versions there are, and which one readers see.
fn phase(world: &World) -> Vec<(u32, bool)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(versions(&world.db));
    found.iter().map(|version| (version.version, version.active)).collect()
}

#[tokio::test]
async fn a_swap_whose_caller_goes_away_never_lets_a_wait_end_in_rows_that_readers_do_not_see() {
    let (said, mut active) = (Said::new("ada", "and gone"), std::collections::BTreeSet::new());
    for turns in 0..40 {
        // given two versions that hold everything, and a swap that is dropped after so many turns
        let world = World { journal: Journal::new(), clock: ManualClock::default(), db: MemoryDb::default() };
        let before = world.journal.deposit(0, "0-1", &[7]);
        let (one, two) = (world.start::<1>().await, world.start::<2>().await);
        for model in [&one, &two] {
            let there = move |p: &palinode::Position| p.pseq >= before.pseq;
            model.wait_until(0, |s| s.position.as_ref().is_some_and(there)).await.unwrap();
        }
        tokio::select! {
            biased;
            moved = one.swap(2, LONG, &said) => moved.unwrap(),
            () = turn(turns) => {}
        }
        turn(100).await;
        // when only the old version goes on
        two.stop().await;
        let token = world.journal.deposit(0, "0-1", &[8]);
        let time = async {
            loop {
                world.clock.advance(Duration::from_millis(100));
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::select! {
            biased;
            waited = one.wait_for(&token, Duration::from_secs(10)) => waited,
            () = time => unreachable!(),
        };
        // then its rows count only where readers see them
        let seen = phase_of(&world.db).await;
        assert_eq!(waited == Waited::Reached, seen == 1, "after {turns} turns: {waited:?}");
        active.insert(seen);
    }
    assert_eq!(active, [1, 2].into());
}

async fn turn(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

async fn phase_of(db: &MemoryDb) -> u32 {
    versions(db).await.iter().find(|version| version.active).map(|version| version.version).unwrap()
}
