//! What people ask of saga rows, among a million of them: every query is answered by an index, in its order.

use futures_util::FutureExt;
use palinode::{
    checkpoint::{Db, Transacted, Versions},
    projection::{Projection, Tables},
    store::postgres::fresh::FreshDatabase,
};
use palinode_sagas::SagaRows;

use crate::db::Database;

/// A million instances of three definitions in two services. One in a hundred is under way, fewer need a person.
const MILLION: &str = "
    insert into palinode_saga_v2 (service, definition, id, version, phase, stuck, parked, paused, leaks, waiting_since, since,
      attempts, retries, exceptions, shard, pseq, nodes, leaked)
    select 'travel' || n % 2, 'saga-' || n % 3, 't' || n, 1,
      case when n % 100 > 0 then 'completed' when n % 200 > 0 then 'forward' else 'undoing' end,
      case when n % 5000 = 0 then 1 else 0 end,
      case when n % 5000 = 1 then 'a bug' end,
      case when n % 5000 = 2 then 'ada: look' end,
      case when n % 5000 = 3 then 'pay' end,
      n, n, 3, 0, 0, n % 32, n, '{}', '{}'
    from generate_series(1, 1000000) as n;
    analyze palinode_saga_v2";

/// What is asked, and the index that answers.
const ASKED: [(&str, &str); 9] = [
    ("where service = 'travel1' and id = 't77' and definition = 'saga-2'", "pkey"),
    ("where service = 'travel1' and id = 't77' order by definition", "pkey"),
    (
        "where status = 'stuck' and (definition, service, id) > ('saga-1', '', '') \
         order by definition, service, id limit 100",
        "status",
    ),
    (
        "where status = 'completed' and definition = 'saga-1' and (service, id) > ('travel0', 't5') \
         order by service, id limit 100",
        "status",
    ),
    (
        "where parked is not null and (definition, service, id) > ('', '', '') order by definition, service, id limit 100",
        "parked",
    ),
    (
        "where paused is not null and (definition, service, id) > ('', '', '') order by definition, service, id limit 100",
        "paused",
    ),
    (
        "where leaks is not null and (definition, service, id) > ('', '', '') order by definition, service, id limit 100",
        "leaks",
    ),
    ("where status = 'stuck' and definition = 'saga-1'", "status"),
    ("where status = 'undoing' and service = 'travel0' order by waiting_since limit 10", "status"),
];

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn every_query_on_a_million_rows_is_answered_by_an_index() {
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    let tables = Tables::new(SagaRows::TABLES, SagaRows::VERSION).unwrap();
    let prepared = db.transact(Box::new(move |tx| {
        async move {
            Projection::<Database>::prepare(&SagaRows, tx, &tables).await?;
            Database::register(tx, SagaRows::NAME, &tables).await
        }
        .boxed()
    }));
    assert_eq!(prepared.await, Transacted::Committed(SagaRows::VERSION));
    sqlx::raw_sql(MILLION).execute(&mut fresh.connect().await.unwrap()).await.unwrap();
    for (query, index) in ASKED {
        let sql = sqlx::AssertSqlSafe(format!("explain (format json) select * from palinode_saga {query}"));
        let plan: serde_json::Value = sqlx::query_scalar(sql).fetch_one(db.readers()).await.unwrap();
        let plan = plan.to_string();
        assert!(plan.contains(&format!("\"Index Name\":\"palinode_saga_v2_{index}\"")), "{query}: {plan}");
        assert!(!plan.contains("Seq Scan"), "{query}: {plan}");
    }
    // and a batch finds the rows it changes by their key
    let write = tables.sql(include_str!("../../src/view/postgres/write.sql"));
    let change = serde_json::json!([{ "service": "travel1", "definition": "saga-2", "id": "t77", "shard": 0, "pseq": 1,
        "since": 1, "stuck": 0, "unparked": 0, "resumed": 0, "leaked": {}, "attempts": 0, "retries": 0,
        "exceptions": 0, "nodes": {} }]);
    let sql = sqlx::AssertSqlSafe(format!("explain (format json) {write}"));
    let mut conn = fresh.connect().await.unwrap();
    let plan: serde_json::Value =
        sqlx::query_scalar(sql).bind(change.to_string()).fetch_one(&mut conn).await.unwrap();
    assert!(plan.to_string().contains("\"Index Name\":\"palinode_saga_v2_pkey\""), "{plan}");
}
