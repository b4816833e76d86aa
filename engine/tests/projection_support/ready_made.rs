//! What comes ready made: entities, shards, and a read model seen from another process.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use palinode::{
    Token,
    projection::{Entities, Waited, Watch, start},
};
use uuid::Uuid;

use crate::balances::{Balances, HURTING};
use crate::db::again;
use crate::world::*;

pub(crate) async fn entities_are_kept_with_their_last_change() {
    // given deposits of several accounts on both shards
    let world = world().await;
    let mut expected = BTreeMap::new();
    for n in 0..200_u64 {
        let (shard, account) = ((n % 2) as u32, format!("{}-{}", n % 2, n % 7));
        let cents: Vec<i64> = (0..=(n % 3) as i64).collect();
        let token = world.journal.deposit(shard, &account, &cents);
        // The journal counts the events of a shard by its commits.
        let version = token.pseq - 1 + cents.len() as u64;
        expected.insert(
            account,
            (i64::from(shard), version as i64, token.pseq as i64, 1_000 * token.pseq as i64),
        );
    }
    // when they are followed
    let model =
        start(Arc::new(Entities), world.journal.source(&world.clock), world.db.clone()).await.unwrap();
    for shard in 0..2 {
        reached(&model, &world.journal.token(shard)).await;
    }
    // then each has a row
    let sql = "select id, cast(shard as bigint), version, pseq, since from palinode_entity \
               where service = 'bank' and kind = 'account'";
    let rows: Vec<(String, i64, i64, i64, i64)> =
        sqlx::query_as(sql).fetch_all(world.db.readers()).await.unwrap();
    let rows: BTreeMap<_, _> = rows.into_iter().map(|(id, a, b, c, d)| (id, (a, b, c, d))).collect();
    assert_eq!(rows, expected);
}

pub(crate) async fn shards_show_how_far_their_readers_are() {
    // given a read model that parks a key, and one that has stopped
    let world = world().await;
    let entities =
        start(Arc::new(Entities), world.journal.source(&world.clock), world.db.clone()).await.unwrap();
    reached(&entities, &world.journal.deposit(0, "a", &[1])).await;
    entities.stop().await;
    let model = world.start(Balances::fragile()).await;
    world.journal.deposit(0, "b", &[HURTING[0]]);
    reached(&model, &world.journal.deposit(0, "c", &[1])).await;
    // then both are seen, the one behind the other
    let sql = "select projection, pseq, behind, parked from palinode_shard where service = 'bank' and cast(shard as bigint) = 0 \
               order by projection";
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(sql).fetch_all(world.db.readers()).await.unwrap();
    assert_eq!(rows, [("balances".into(), 3, 0, 1), ("palinode-entities".into(), 1, 2, 0)]);
}

pub(crate) async fn a_read_model_that_runs_elsewhere_is_waited_for() {
    // given a read model, and another process that does not run it
    let world = world().await;
    let elsewhere = again(&world.home).await;
    let watch = Watch::new(elsewhere, "balances", "bank", Arc::new(world.clock.clone()));
    let (some, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    // before it began
    let token = world.journal.deposit(0, "a", &[1]);
    let waited = in_time(&world, watch.wait_for(&token, some)).await;
    assert!(matches!(waited, Waited::NotYet { pseq: 0, lag: 1, .. }), "{waited:?}");
    // while it runs
    let model = world.start(Balances::fragile()).await;
    assert_eq!(in_time(&world, watch.wait_for(&token, LONG)).await, Waited::Reached);
    let next = Token { pseq: token.pseq + 1, ..token.clone() };
    let waits = (0..20).map(|_| watch.wait_for(&next, LONG));
    let write = async { world.journal.deposit(0, "a", &[2]) };
    let (waited, _) =
        in_time(&world, async { tokio::join!(futures_util::future::join_all(waits), write) }).await;
    assert_eq!(waited, vec![Waited::Reached; 20]);
    let later = Token { pseq: token.pseq + 9, ..token.clone() };
    let waited = in_time(&world, watch.wait_for(&later, minute)).await;
    assert!(matches!(waited, Waited::NotYet { pseq: 2, lag: 8, .. }), "{waited:?}");
    // a parked key
    let hurt = world.journal.deposit(0, "b", &[HURTING[0]]);
    let waited = in_time(&world, watch.wait_for(&hurt, LONG)).await;
    assert_eq!(waited, Waited::Parked { key: "account/b".into() });
    assert_eq!(watch.parked().await.unwrap()[0].key, "account/b");
    assert_eq!(in_time(&world, watch.wait_for(&token, LONG)).await, Waited::Reached);
    // another log, another service
    for wrong in
        [Token { log_id: Uuid::nil(), ..token.clone() }, Token { service: "hotel".into(), ..token.clone() }]
    {
        let follows = ("bank".into(), crate::journal::LOG);
        assert_eq!(in_time(&world, watch.wait_for(&wrong, LONG)).await, Waited::WrongLog { follows });
    }
    // a shard that stands still
    world.damage(0);
    model.wait_until(0, stopped).await.unwrap();
    let waited = in_time(&world, watch.wait_for(&later, LONG)).await;
    assert!(matches!(&waited, Waited::Stopped { reason } if reason.contains("record")), "{waited:?}");
    assert_eq!(watch.versions().await.unwrap().len(), 1);
}
