//! Texts that PostgreSQL cannot keep as they are.

use std::sync::Arc;

use futures_util::FutureExt;
use palinode::{
    Address, EntityKey, Micros,
    checkpoint::{Db, Transacted, Versions},
    projection::{Projection, Recorded, Tables},
    store::postgres::fresh::FreshDatabase,
};
use palinode_sagas::{
    Event, SagaRows,
    view::{Changes, Entry, rows},
};

use crate::db::Database;

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn an_error_with_a_zero_in_it_is_shown_with_a_mark_for_it() {
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    let mut changes = Changes::default();
    let parked = Event::StepRefused {
        node: "pay".into(),
        round: 1,
        code: "no".into(),
        text: "a\0b".into(),
        data: None,
        late: false,
    };
    let entity = EntityKey::new("trip", "t1");
    let (name, service) = ("saga.step_refused".into(), "trip".into());
    let (event, time) = (Entry(parked), Micros(1));
    let recorded = Recorded { event, name, service, shard: 0, pseq: 1, idx: 0, entity, version: 1, time };
    Projection::<Database>::fold(&SagaRows, &mut changes, &recorded).unwrap();
    let tables = Tables::new(SagaRows::TABLES, SagaRows::VERSION).unwrap();
    let written = db.transact(Box::new(move |tx| {
        async move {
            Projection::<Database>::prepare(&SagaRows, tx, &tables).await?;
            Database::register(tx, SagaRows::NAME, &tables).await?;
            Projection::<Database>::write(&SagaRows, tx, &tables, changes).await
        }
        .boxed()
    }));
    assert_eq!(written.await, Transacted::Committed(()));
    let row = rows::at(&db, &Address::new("trip", "trip", "t1")).await.unwrap().unwrap();
    assert_eq!(row.last_error.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(Arc::from(row.id), Arc::<str>::from("t1"));
}
