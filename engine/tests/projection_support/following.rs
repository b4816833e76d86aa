//! Rows follow the log, exactly once.

use std::sync::Arc;

use crate::balances::tables;
use crate::journal::Journal;
use palinode::projection::Waited;

use crate::world::*;

pub(crate) async fn rows_equal_the_fold_after_every_batch() {
    // given a running read model, and a reader of tables and checkpoints that looks all the time
    let world = world().await;
    let model = world.start(Arc::default()).await;
    let (mut deposits, mut dice) = (Vec::new(), 1_u64);
    for round in 0..60 {
        // when batches of all sizes arrive on both shards
        for _ in 0..(round * 7) % 41 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (shard, account) = ((dice >> 40) as u32 % 2, (dice >> 50) % 5);
            let account = format!("{shard}-{account}");
            let cents: Vec<i64> = (0..(dice >> 60) as i64 % 4).map(|n| n + 10).collect();
            let pseq = world.journal.deposit(shard, &account, &cents).pseq;
            deposits.extend((0..).zip(cents).map(|(idx, n)| (shard, pseq, idx, account.clone(), n)));
        }
        if round % 3 == 0 {
            for shard in 0..2 {
                reached(&model, &world.journal.token(shard)).await;
            }
        }
        // then at every moment the tables equal the fold up to the checkpoints
        let (table, at) = tables(&world.db).await;
        let upto = |shard: &u32| at.get(shard).map_or(0, |(_, pseq)| *pseq);
        let seen: Vec<_> = deposits.iter().filter(|d| d.1 <= upto(&d.0)).cloned().collect();
        assert_eq!(table, naive(&seen));
    }
    assert!(deposits.len() > 500);
}

pub(crate) async fn a_restart_continues_exactly_once() {
    let world = world().await;
    let mut deposits = Vec::new();
    for run in 0..4 {
        let model = world.start(Arc::default()).await;
        for n in 0..30 {
            let pseq = world.journal.deposit(0, "a", &[n]).pseq;
            deposits.push((0, pseq, 0, "a".to_owned(), n));
        }
        if run != 2 {
            reached(&model, &world.journal.token(0)).await;
        }
        model.stop().await;
        assert!(model.status().iter().all(stopped));
    }
    let model = world.start(Arc::default()).await;
    reached(&model, &world.journal.token(0)).await;
    assert_eq!(world.table().await, naive(&deposits));
}

pub(crate) async fn a_replaced_runner_changes_nothing() {
    // given a runner that was replaced by another
    let world = world().await;
    let zombie = world.start(Arc::default()).await;
    reached(&zombie, &world.journal.deposit(0, "a", &[1])).await;
    let other = Journal::copy(&world.journal);
    let model = world.start_on(&other, Arc::default()).await;
    model.wait_until(0, |s| s.position.is_some()).await.unwrap();
    // when it meets the next commit before its successor does
    let token = world.journal.deposit(0, "a", &[2]);
    let waited = zombie.wait_for(&token, LONG).await;
    // then it changes nothing and says why
    let Waited::Stopped { reason } = waited else { panic!("{waited:?}") };
    assert!(reason.contains("another runner has taken over") && reason.contains("balances"), "{reason}");
    assert_eq!(world.table().await["a"], (1, "bank/0/1/0=1".into()));
    reached(&model, &other.deposit(0, "a", &[2])).await;
    assert_eq!(world.table().await["a"].0, 3);
}
