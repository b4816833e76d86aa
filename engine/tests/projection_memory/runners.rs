//! Runners that fight over one read model, with transactions whose ends are not known: after every one of them the
//! tables are the fold.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use palinode::{
    ManualClock,
    checkpoint::{Db, Transacted, Versions},
    projection::{ReadModel, Said, State, start},
    store::memory::{MemoryDb, TxFault},
};

use crate::{
    journal::Journal,
    lines::{Deposit, Lines, naive, upto},
};

/// What the tables hold and how far they are, at one moment.
async fn check(db: &MemoryDb, deposits: &[Deposit], accounts: &[String]) {
    let accounts = accounts.to_vec();
    let seen = db.transact(Box::new(move |tx| {
        Box::pin(async move {
            let version = MemoryDb::versions(tx, "lines").await?.remove(0);
            let rows = accounts
                .iter()
                .filter_map(|account| Some((account.clone(), tx.get("line_v1", account)?.to_owned())));
            Ok((version, rows.collect()))
        })
    }));
    match seen.await {
        Transacted::Committed((version, rows)) => {
            let rows: std::collections::BTreeMap<String, String> = rows;
            assert_eq!(rows, naive(deposits, |shard| upto(&version, shard)));
        }
        // a fault that was meant for a runner
        Transacted::RolledBack(e) | Transacted::Unknown(e) => assert!(e.what.contains("told to"), "{e}"),
    }
}

#[tokio::test]
async fn the_tables_are_the_fold_after_every_transaction_of_two_runners() {
    let (journal, clock, db) = (Journal::new(), ManualClock::default(), MemoryDb::default());
    let follow = || async {
        let started = start(Arc::new(Lines::<1>::default()), journal.source(&clock), db.clone());
        started.await
    };
    let mut dice = 3_u64;
    let mut roll = move |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let accounts: Vec<String> = (0..2).flat_map(|s| (0..4).map(move |n| format!("{s}-{n}"))).collect();
    let mut running: Vec<ReadModel> = vec![follow().await.unwrap()];
    let (mut deposits, mut replaced) = (Vec::new(), 0);
    for _ in 0..2_000 {
        match roll(12) {
            0..5 => {
                let (shard, n) = (roll(2) as u32, roll(4));
                let pseq = journal.deposit(shard, &format!("{shard}-{n}"), &[5, 6]).pseq;
                deposits
                    .extend((0..).zip([5, 6]).map(|(idx, c)| (shard, pseq, idx, format!("{shard}-{n}"), c)));
            }
            5 => {
                let kinds = [TxFault::UnknownHappened, TxFault::UnknownNot, TxFault::Outage];
                db.fail_next(kinds[roll(3) as usize]).await;
            }
            // another one takes over, and the old one does not know
            6 if roll(4) == 0 => running.extend(follow().await.ok()),
            _ => clock.advance(Duration::from_millis(roll(400))),
        }
        tokio::task::yield_now().await;
        check(&db, &deposits, &accounts).await;
    }
    // the last one comes to the end
    let last = loop {
        if let Ok(model) = follow().await {
            break model;
        }
    };
    for shard in 0..2 {
        let end = journal.token(shard).pseq;
        let there = last.wait_until(shard, |s| s.position.as_ref().is_some_and(|p| p.pseq >= end));
        let time = async {
            loop {
                clock.advance(Duration::from_millis(10));
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            there = there => assert!(there.is_some()),
            () = time => {}
        }
    }
    check(&db, &deposits, &accounts).await;
    assert_eq!(db.table("line").await, naive(&deposits, |_| u64::MAX));
    for model in running {
        replaced += model.status().iter().filter(|s| matches!(s.state, State::Stopped { .. })).count();
    }
    assert!(replaced > 10, "{replaced}");
}

#[tokio::test]
async fn a_parked_key_is_resumed_once_whatever_becomes_of_the_transactions() {
    let (journal, clock, db) = (Journal::new(), ManualClock::default(), MemoryDb::default());
    let fragile = Arc::new(AtomicBool::new(true));
    let projection = Arc::new(Lines::<1> { fragile: Arc::clone(&fragile) });
    let model = start(projection, journal.source(&clock), db.clone()).await.unwrap();
    let mut deposits: Vec<Deposit> = Vec::new();
    let mut deposit = |n: i64| {
        let pseq = journal.deposit(0, "a", &[n, n]).pseq;
        deposits.extend((0..2).map(|idx| (0, pseq, idx, "a".to_owned(), n)));
        deposits.clone()
    };
    let kinds = [TxFault::UnknownHappened, TxFault::UnknownNot, TxFault::Outage];
    let said = Said::new("ada", "mended");
    for round in 0..40_usize {
        // given a key that is parked
        fragile.store(true, std::sync::atomic::Ordering::SeqCst);
        deposit(-1);
        deposit(4);
        passed(&clock, async { model.wait_until(0, |s| s.parked == 1).await.is_some() }).await;
        // when the code is mended and it is retried, with transactions that fail, while more events come
        fragile.store(false, std::sync::atomic::Ordering::SeqCst);
        let retried = async {
            while let Err(e) = model.retry(0, "account/a", &said).await {
                if e.what.contains("is not parked") {
                    break;
                }
                assert!(e.what.contains("told to"), "{e}");
            }
            true
        };
        passed(&clock, retried).await;
        for fault in kinds.iter().cycle().skip(round % 3).take(round % 5) {
            db.fail_next(*fault).await;
        }
        let deposits = deposit(5);
        passed(&clock, async { model.wait_until(0, |s| s.parked == 0).await.is_some() }).await;
        let end = journal.token(0).pseq;
        let there =
            async { model.wait_until(0, |s| s.position.as_ref().is_some_and(|p| p.pseq >= end)).await };
        passed(&clock, async { there.await.is_some() }).await;
        passed(&clock, async { model.wait_until(0, |s| s.parked == 0).await.is_some() }).await;
        // then every event is in the table once, in order
        assert_eq!(db.table("line").await, naive(&deposits, |_| u64::MAX), "round {round}");
    }
}

/// Waits for it while time passes; it must come true.
async fn passed(clock: &ManualClock, future: impl Future<Output = bool>) {
    let time = async {
        loop {
            clock.advance(Duration::from_millis(10));
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        so = future => assert!(so),
        () = time => {}
    }
}
