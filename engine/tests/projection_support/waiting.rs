//! Waiting for one's own writes.

use std::{sync::Arc, time::Duration};

use crate::balances::{Balances, HURTING};
use palinode::{
    Token,
    projection::{State, Waited, start},
};
use uuid::Uuid;

use crate::world::*;

pub(crate) async fn waiting_for_a_token_answers_with_a_reason() {
    let world = world().await;
    let model = world.start(Balances::fragile()).await;
    // reached, also when it was already
    let token = world.journal.deposit(0, "a", &[1]);
    reached(&model, &token).await;
    assert_eq!(model.wait_for(&token, Duration::ZERO).await, Waited::Reached);
    // not yet
    model.wait_until(0, |s| s.state == State::Live).await.unwrap();
    let later = Token { pseq: token.pseq + 5, ..token.clone() };
    let waiting = model.wait_for(&later, Duration::from_millis(100));
    let (waited, ()) = tokio::join!(waiting, async { world.clock.advance(Duration::from_millis(100)) });
    assert_eq!(waited, Waited::NotYet { pseq: 1, lag: 5, state: State::Live });
    // wrong log, wrong service, no such shard
    let follows = ("bank".into(), crate::journal::LOG);
    for wrong in [
        Token { log_id: Uuid::nil(), ..token.clone() },
        Token { service: "hotel".into(), ..token.clone() },
        Token { shard: 99, ..token.clone() },
    ] {
        assert_eq!(model.wait_for(&wrong, LONG).await, Waited::WrongLog { follows: follows.clone() });
    }
    // parked while waiting
    let next = Token { pseq: token.pseq + 1, ..token.clone() };
    let hurt = async { world.journal.deposit(0, "a", &[HURTING[0]]) };
    let (waited, _) = tokio::join!(model.wait_for(&next, LONG), hurt);
    assert_eq!(waited, Waited::Parked { key: "account/a".into() });
    assert_eq!(model.wait_for(&token, LONG).await, Waited::Reached);
    // stopped while waiting; what is in the tables is still reached
    let (waited, ()) = tokio::join!(model.wait_for(&later, LONG), async { world.damage(0) });
    assert!(matches!(&waited, Waited::Stopped { reason } if reason.contains("record 4")), "{waited:?}");
    assert_eq!(model.wait_for(&token, LONG).await, Waited::Reached);
    // stopped on purpose
    let other = Token { shard: 1, ..later };
    let (waited, ()) = tokio::join!(model.wait_for(&other, LONG), model.stop());
    assert!(matches!(waited, Waited::Stopped { .. }), "{waited:?}");
}

pub(crate) async fn the_log_is_looked_at_when_no_owner_tells() {
    // given a log written by another process: this one's tail hears nothing
    let world = world().await;
    let theirs = world.journal.copy();
    let source = palinode::projection::Source {
        tail: palinode::tail::Tail::new(crate::journal::SHARDS),
        ..theirs.source(&world.clock)
    };
    let model = start(Arc::new(Balances::default()), source, world.db.clone()).await.unwrap();
    model.wait_until(0, |s| s.state == State::Live).await.unwrap();
    let token = theirs.deposit(0, "a", &[1]);
    assert!(matches!(model.wait_for(&token, Duration::ZERO).await, Waited::NotYet { lag: 1, .. }));
    // when half a second passes
    world.clock.advance(Duration::from_millis(500));
    // then it is seen
    reached(&model, &token).await;
}

pub(crate) async fn a_projection_whose_tables_cannot_be_made_does_not_start() {
    let world = world().await;
    sqlx::raw_sql("create table other (a int); create index balance on other (a)")
        .execute(&mut writer(&world).await)
        .await
        .unwrap();
    let model =
        start(Arc::new(Balances::default()), world.journal.source(&world.clock), world.db.clone()).await;
    let error = model.err().unwrap();
    assert!(error.what.contains("projection balances"), "{error}");
}
