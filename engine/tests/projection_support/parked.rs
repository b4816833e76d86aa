//! What cannot be taken sets its key aside, in order and in sight; everything else flows.

use std::{collections::BTreeMap, sync::Arc};

use crate::balances::{Balances, HURTING, tables};
use crate::journal::deposited;
use palinode::projection::{Parked, ReadModel, Said, State, Waited};

use crate::world::*;

/// The cents of every account in the table.
async fn cents(world: &World) -> BTreeMap<String, i64> {
    world.table().await.into_iter().map(|(account, row)| (account, row.0)).collect()
}

fn said() -> Said {
    Said::new("ada", "the code is mended")
}

/// The keys that are parked, each with how many events it holds.
async fn parked(model: &ReadModel) -> Vec<(u32, String, u64)> {
    model.parked().await.unwrap().into_iter().map(|p| (p.shard, p.key, p.held)).collect()
}

pub(crate) async fn an_event_that_cannot_be_taken_parks_its_key_and_the_rest_flows() {
    for hurting in HURTING {
        // given commits around one whose second event hurts
        let world = world().await;
        for n in 1..=3 {
            world.journal.deposit(0, "a", &[n]);
        }
        let hurt = world.journal.deposit(0, "b", &[5, hurting, 7]);
        world.journal.deposit(0, "c", &[9]);
        // when a projection that cannot take it runs
        let model = world.start(Balances::fragile()).await;
        let behind = world.journal.deposit(0, "b", &[11]);
        let last = world.journal.deposit(0, "a", &[4]);
        reached(&model, &last).await;
        // then everything before it and everything of others is in the tables
        let expected = BTreeMap::from([("a".into(), 10), ("b".into(), 5), ("c".into(), 9)]);
        assert_eq!(cents(&world).await, expected, "{hurting}");
        // and its key holds the rest, and says why
        let [found] = &model.parked().await.unwrap()[..] else { panic!("{:?}", model.parked().await) };
        assert_eq!((found.shard, found.key.as_str(), found.held, found.attempts), (0, "account/b", 3, 1));
        assert_eq!((found.first.pseq, found.first.idx, found.first.offset), (4, 1, 5));
        assert!(!found.resuming);
        for part in ["bank/0, record 5, commit 4, event 1", "account.deposited of account/b"] {
            assert!(found.error.contains(part), "{hurting}: {part} in {}", found.error);
        }
        let stage = ["fold: minus one hurts", "fold: ", "write: ", "write: "][(-hurting - 1) as usize];
        assert!(found.cause.starts_with(&format!("account.deposited: {stage}")), "{}", found.cause);
        assert!(!found.cause.contains("b="), "{}", found.cause);
        // and who waits for it is told so, at once
        for token in [&hurt, &behind] {
            let waited = model.wait_for(token, LONG).await;
            assert_eq!(waited, Waited::Parked { key: "account/b".into() });
        }
        assert_eq!(model.status()[0].parked, 1);
        // and readers can see whose rows are stale
        let stale = "select account from balance join palinode_stale on key = 'account/' || account";
        let stale: Vec<String> = sqlx::query_scalar(stale).fetch_all(world.db.readers()).await.unwrap();
        assert_eq!(stale, ["b"]);
        // and the other shard flows
        reached(&model, &world.journal.deposit(1, "d", &[1])).await;
        // and mended code takes all of it, in order
        model.stop().await;
        let model = world.start(Arc::default()).await;
        reached(&model, &last).await;
        assert_eq!(model.wait_for(&behind, LONG).await, Waited::Parked { key: "account/b".into() });
        model.retry(0, "account/b", &said()).await.unwrap();
        free(&model, 0).await;
        reached(&model, &behind).await;
        let row = world.table().await.remove("b").unwrap();
        let events = format!("bank/0/4/0=5 bank/0/4/1={hurting} bank/0/4/2=7 bank/0/6/0=11");
        assert_eq!(row, (23 + hurting, events));
    }
}

pub(crate) async fn an_event_that_cannot_be_read_parks_its_key() {
    let world = world().await;
    let mut strange = deposited(1);
    strange.data = serde_json::value::to_raw_value("not a number").unwrap();
    world.journal.commit(0, "a", vec![strange]);
    let mut newer = deposited(1);
    newer.schema = 9;
    world.journal.commit(0, "b", vec![newer]);
    let model = world.start(Arc::default()).await;
    reached(&model, &world.journal.deposit(0, "c", &[1])).await;
    let found = model.parked().await.unwrap();
    let errors: Vec<_> = found.iter().map(|p| (p.key.as_str(), p.error.as_str())).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].0 == "account/a" && errors[0].1.contains("not a number"), "{errors:?}");
    assert!(errors[1].0 == "account/b" && errors[1].1.contains("schema 9"), "{errors:?}");
    assert!(found[0].cause.starts_with("account.deposited: reading: "), "{}", found[0].cause);
}

pub(crate) async fn what_hurts_only_together_parks_nothing() {
    // given twenty commits, and a projection that can write two events at a time at most
    let world = world().await;
    for n in 1..=20 {
        world.journal.deposit(0, "a", &[n, n]);
    }
    let projection = Balances { at_most: Some(2), ..Balances::default() };
    // when the batch that holds them all cannot be written
    let model = world.start(Arc::new(projection)).await;
    // then they are written one commit after the other
    reached(&model, &world.journal.token(0)).await;
    assert_eq!(world.table().await["a"].0, 420);
    assert_eq!(parked(&model).await, []);
}

pub(crate) async fn a_record_whose_envelope_cannot_be_read_stops_its_shard() {
    let world = world().await;
    world.journal.deposit(0, "a", &[1]);
    world.damage(0);
    let model = world.start(Arc::default()).await;
    let why = why_stopped(&model).await;
    assert!(why.contains("bank.events/0, record 3"), "{why}");
    assert_eq!(parked(&model).await, []);
    assert_eq!(cents(&world).await, BTreeMap::from([("a".into(), 1)]));
}

pub(crate) async fn keys_are_retried_one_by_one_or_by_their_cause_and_it_is_recorded() {
    // given three keys parked for one bug, and one for another
    let world = world().await;
    let projection = Balances::fragile();
    for (account, hurting) in [("a", -1), ("b", -1), ("c", -3), ("d", -1)] {
        world.journal.deposit(0, account, &[1, hurting]);
    }
    let model = world.start(Arc::clone(&projection)).await;
    reached(&model, &world.journal.deposit(0, "z", &[1])).await;
    let found = model.parked().await.unwrap();
    let cause = found[0].cause.clone();
    assert_eq!(found.iter().map(|p| p.cause == cause).collect::<Vec<_>>(), [true, true, false, true]);
    // when one is retried too early
    model.retry(0, "account/a", &Said::new("grace", "a try")).await.unwrap();
    let again = loop {
        let again = model.parked().await.unwrap().remove(0);
        if !again.resuming {
            break again;
        }
        tokio::task::yield_now().await;
    };
    // then it is parked as before, and the try is counted
    assert_eq!((again.attempts, again.held, &again.cause), (2, 1, &cause));
    // when the code is mended and the cause retried
    projection.mend();
    assert_eq!(model.retry_cause("no such cause", &said()).await.unwrap(), 0);
    assert_eq!(model.retry_cause(&cause, &said()).await.unwrap(), 3);
    model.wait_until(0, |status| status.parked == 1).await.unwrap();
    // then only the other one is left
    assert_eq!(parked(&model).await, [(0, "account/c".to_owned(), 1)]);
    assert_eq!(cents(&world).await["a"], 0);
    // and what was done is recorded
    let acts = model.acts().await.unwrap();
    let acts: Vec<_> = acts.iter().map(|a| (a.verb.as_str(), a.about.as_str(), a.said.by.as_str())).collect();
    assert_eq!(acts[0], ("retry", "bank/0: account/a", "grace"));
    assert_eq!(acts[1..], [("retry-cause", format!("bank/0: {cause}").as_str(), "ada")]);
    // and what is not parked cannot be retried
    let e = model.retry(0, "account/z", &said()).await.unwrap_err();
    assert!(e.what.contains("\"account/z\" is not parked"), "{e}");
    assert!(model.retry(7, "account/a", &said()).await.is_err());
}

pub(crate) async fn an_event_is_skipped_and_a_key_discarded_for_good() {
    // given two parked keys
    let world = world().await;
    let model = world.start(Balances::fragile()).await;
    for account in ["a", "b"] {
        world.journal.deposit(0, account, &[5, -1, 7]);
    }
    reached(&model, &world.journal.deposit(0, "z", &[1])).await;
    let found = model.parked().await.unwrap();
    // when the event is skipped
    model.skip(&found[0], &Said::new("ada", "a test deposit")).await.unwrap();
    model.wait_until(0, |status| status.parked == 1).await.unwrap();
    // then only it is missing
    assert_eq!(world.table().await["a"], (12, "bank/0/1/0=5 bank/0/1/2=7".into()));
    // and it cannot be skipped twice
    assert!(model.skip(&found[0], &said()).await.is_err());
    // when the other key is discarded
    model.discard(0, "account/b", &Said::new("ada", "a test account")).await.unwrap();
    free(&model, 0).await;
    // then what it held is missing, and its later events are taken
    reached(&model, &world.journal.deposit(0, "b", &[3])).await;
    assert_eq!(world.table().await["b"], (8, "bank/0/2/0=5 bank/0/4/0=3".into()));
    let acts = model.acts().await.unwrap();
    let acts: Vec<_> = acts.iter().map(|a| format!("{} {} ({})", a.verb, a.about, a.said.why)).collect();
    assert_eq!(
        acts,
        [
            "skip bank/0: account/a, event 1 of commit 1 (a test deposit)",
            "discard bank/0: account/b, 2 events from commit 2 on (a test account)"
        ]
    );
}

pub(crate) async fn too_many_parked_keys_stop_the_shard_and_start_again_when_the_code_is_mended() {
    // given code that can take nothing
    let world = world().await;
    let projection = Balances::fragile();
    for n in 0..150 {
        world.journal.deposit(0, &format!("k{n:03}"), &[-1]);
    }
    let model = world.start(Arc::clone(&projection)).await;
    // when it runs
    let why = why_stopped(&model).await;
    // then it stops after a few keys, and says what that is
    assert!(why.contains("11 of 11 keys would be parked") && why.contains("mistake in the code"), "{why}");
    assert_eq!(parked(&model).await.len(), 10);
    let (_, at) = tables(&world.db).await;
    assert_eq!(at[&0].1, 10);
    // and what is parked cannot be retried while it stands still
    assert!(model.retry(0, "account/k000", &said()).await.unwrap_err().what.contains("stands still"));
    // when it is mended and started again
    projection.mend();
    let model = world.start(projection).await;
    reached_past(&model, 150).await;
    let cause = model.parked().await.unwrap()[0].cause.clone();
    assert_eq!(model.retry_cause(&cause, &said()).await.unwrap(), 10);
    free(&model, 0).await;
    // then nothing is lost
    assert_eq!(cents(&world).await.len(), 150);
}

/// The shard is past this commit.
async fn reached_past(model: &ReadModel, pseq: u64) {
    let past = |position: &palinode::Position| position.pseq >= pseq;
    model.wait_until(0, |s| s.position.as_ref().is_some_and(past) || stopped(s)).await.unwrap();
    assert!(!matches!(model.status()[0].state, State::Stopped { .. }), "{:?}", model.status()[0]);
}

pub(crate) async fn parked_mended_and_resumed_is_as_if_it_had_never_failed() {
    // given random deposits of a few accounts on both shards, some of which hurt
    let mut dice = 7_u64;
    let mut roll = move |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let mut parked_once = 0;
    for _ in 0..12 {
        let world = world().await;
        let projection = Balances::fragile();
        let mut model = world.start(Arc::clone(&projection)).await;
        let mut deposits = Vec::new();
        let (rounds, mended) = (20 + roll(20), 8 + roll(10));
        for round in 0..rounds {
            for _ in 0..roll(12) {
                let shard = roll(2) as u32;
                let account = format!("{shard}-{}", roll(5));
                let cents: Vec<i64> = (0..=roll(3)).map(|_| roll(20) as i64 - 4).collect();
                let pseq = world.journal.deposit(shard, &account, &cents).pseq;
                deposits.extend((0..).zip(cents).map(|(idx, n)| (shard, pseq, idx, account.clone(), n)));
            }
            if roll(4) == 0 {
                // a restart at any moment
                model.stop().await;
                model = world.start(Arc::clone(&projection)).await;
            }
            if roll(3) == 0 || round == mended {
                past(&world, &model).await;
            }
            if round == mended {
                projection.mend();
            }
            parked_once += model.status().iter().map(|status| status.parked).sum::<usize>();
            if roll(2) == 0 {
                // somebody retries what is parked, too early or not
                retry_all(&model).await;
            }
        }
        // when it is mended, and everything that is parked is retried while events keep coming
        past(&world, &model).await;
        for found in retry_all(&model).await {
            let account = found.key.trim_start_matches("account/").to_owned();
            for n in 0..5 {
                let pseq = world.journal.deposit(found.shard, &account, &[n]).pseq;
                deposits.push((found.shard, pseq, 0, account.clone(), n));
            }
        }
        for shard in 0..2 {
            free(&model, shard).await;
            if world.journal.token(shard).pseq > 0 {
                reached(&model, &world.journal.token(shard)).await;
            }
        }
        // then the tables are what they were if it had never failed
        assert_eq!(world.table().await, naive(&deposits));
    }
    assert!(parked_once > 12);
}

/// Retries every key that is parked, unless it is free by then.
async fn retry_all(model: &ReadModel) -> Vec<Parked> {
    let found = model.parked().await.unwrap();
    for parked in &found {
        if let Err(e) = model.retry(parked.shard, &parked.key, &said()).await {
            assert!(e.what.contains("is not parked"), "{e}");
        }
    }
    found
}

/// Both shards are past what is in the log, whether it is held back or not.
async fn past(world: &World, model: &ReadModel) {
    for token in [0, 1].map(|shard| world.journal.token(shard)).into_iter().filter(|token| token.pseq > 0) {
        let waited = model.wait_for(&token, LONG).await;
        assert!(matches!(waited, Waited::Reached | Waited::Parked { .. }), "{waited:?}");
    }
}
