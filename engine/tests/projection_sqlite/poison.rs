//! What cannot be taken stops its shard; nothing is skipped.

use std::{collections::BTreeMap, sync::Arc};

use crate::journal::{Balances, HURTING, deposited, tables};
use palinode::projection::State;

use crate::world::*;

#[tokio::test]
async fn an_event_that_cannot_be_taken_stops_its_shard_and_nothing_is_skipped() {
    for hurting in HURTING {
        // given commits around one whose second event hurts
        let world = world().await;
        for n in 1..=3 {
            world.journal.deposit(0, "a", &[n]);
        }
        world.journal.deposit(0, "b", &[5, hurting, 7]);
        world.journal.deposit(0, "c", &[9]);
        // when a projection that cannot take it runs
        let model = world.start(Balances::fragile()).await;
        let why = why_stopped(&model).await;
        // then it stops there, naming it, with everything before it in the tables
        for part in [
            "balances version 1",
            "bank/0, record 5, commit 4, event 1",
            "account.deposited of account/b",
            "hurts",
            "start again",
        ] {
            let part = if hurting == -3 && part == "hurts" { "CHECK constraint" } else { part };
            assert!(why.contains(part), "{hurting}: {part} in {why}");
        }
        let (table, at) = tables(&world.db).await;
        assert_eq!(table.into_iter().map(|(k, v)| (k, v.0)).collect::<Vec<_>>(), [("a".to_owned(), 6)]);
        assert_eq!(at[&0], (4, 3));
        let sql = "select state from palinode_checkpoint where shard = 0";
        let state: String = sqlx::query_scalar(sql).fetch_one(world.db.readers()).await.unwrap();
        assert!(state.starts_with("stopped: ") && state.contains("commit 4, event 1"), "{state}");
        // and the other shard flows
        reached(&model, &world.journal.deposit(1, "d", &[1])).await;
        // and one that can take it goes on exactly there
        model.stop().await;
        let model = world.start(Arc::default()).await;
        reached(&model, &world.journal.token(0)).await;
        let table: BTreeMap<_, _> = world.table().await.into_iter().map(|(k, v)| (k, v.0)).collect();
        assert_eq!(
            table,
            BTreeMap::from([("a".into(), 6), ("b".into(), 12 + hurting), ("c".into(), 9), ("d".into(), 1)])
        );
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stops_its_shard() {
    let world = world().await;
    let mut strange = deposited(1);
    strange.data = serde_json::value::to_raw_value("not a number").unwrap();
    world.journal.commit(0, "a", vec![strange]);
    let mut newer = deposited(1);
    newer.schema = 9;
    world.journal.commit(1, "a", vec![newer]);
    let model = world.start(Arc::default()).await;
    let why = why_stopped(&model).await;
    assert!(why.contains("commit 1, event 0") && why.contains("not a number"), "{why}");
    let State::Stopped { why } = model.wait_until(1, stopped).await.unwrap().state else { unreachable!() };
    assert!(why.contains("schema 9") && why.contains("newer build"), "{why}");
}

#[tokio::test]
async fn what_hurts_only_together_does_not_stop_anything() {
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
}
