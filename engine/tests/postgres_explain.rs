//! What people ask of the tables of read models, with a million rows in each that can grow: every query of
//! docs/read-models.md is answered by an index.

#![allow(clippy::unwrap_used, reason = "tests may be blunt")]

use futures_util::FutureExt;
use palinode::{
    checkpoint::{Db, EntityTable, Tables, Transacted, Versions},
    store::postgres::{PgDb, fresh::FreshDatabase},
};
use sqlx::AssertSqlSafe;

/// A million entities, of which a user's table knows a million more things; a thousand of them are parked and hold a
/// million events; a million rows of snapshots; the checkpoints of fifty read models.
const MILLION: &str = "
    insert into palinode_entity_v1 (service, kind, id, shard, version, pseq, since)
      select 'bank', 'kind-' || n % 5, 'e' || n, n % 32, n % 100, n, n from generate_series(1, 1000000) as n;
    create table balance (account text collate \"C\" primary key, cents bigint not null);
    insert into balance select 'e' || n, n from generate_series(1, 1000000) as n;
    insert into palinode_active values ('balances', 1) on conflict do nothing;
    insert into palinode_parked select 'balances', 1, 'bank', n % 32, 'kind-1/e' || n, n, 'a bug', 'it hurts', 1, 'parked', n
      from generate_series(1, 1000) as n;
    insert into palinode_held select 'balances', 1, 'bank', n % 32, 'kind-1/e' || n % 1000, n, 0, n
      from generate_series(1, 1000000) as n;
    insert into palinode_snapshot_row select 'bank', n % 32, 'entity', convert_to('kind-1/e' || n, 'utf8'), n, 0, '{}'
      from generate_series(1, 1000000) as n;
    insert into palinode_checkpoint select 'p' || n, v, 'bank', s, gen_random_uuid(), 1, 1, gen_random_uuid(), 1, '', 0, 1,
      '', 'live' from generate_series(1, 50) as n, generate_series(1, 2) as v, generate_series(0, 31) as s;
    analyze";

/// What is asked, and the indexes that answer.
const ASKED: [(&str, &[&str]); 9] = [
    (
        "select version, since from palinode_entity where service = 'bank' and kind = 'kind-1' and id = 'e77'",
        &["palinode_entity_v1_pkey"],
    ),
    (
        "select id from palinode_entity where service = 'bank' and kind = 'kind-1' and id > 'e77' order by id limit 100",
        &["palinode_entity_v1_pkey"],
    ),
    (
        "select id from palinode_entity where service = 'bank' and kind = 'kind-1' order by since desc limit 100",
        &["palinode_entity_v1_since"],
    ),
    (
        "select balance.cents, entity.version from balance join palinode_entity as entity \
         on entity.service = 'bank' and entity.kind = 'kind-1' and entity.id = balance.account \
         where balance.account in ('e1', 'e6', 'e11')",
        &["balance_pkey", "palinode_entity_v1_pkey"],
    ),
    (
        "select balance.cents, stale.cause from balance left join palinode_stale as stale \
         on stale.projection = 'balances' and stale.key = 'kind-1/' || balance.account where balance.account = 'e77'",
        &["balance_pkey", "palinode_parked_key"],
    ),
    (
        "select key from palinode_held where projection = 'balances' and version = 1 and service = 'bank' and shard = 3 \
         and pseq = 500003 limit 1",
        &["palinode_held_commit"],
    ),
    (
        "select pseq, idx, log_offset from palinode_held where projection = 'balances' and version = 1 \
         and service = 'bank' and shard = 3 and key = 'kind-1/e3' order by pseq, idx limit 500",
        &["palinode_held_pkey"],
    ),
    (
        "select k.nth, r.value from unnest(array['\\x6b'::bytea, '\\x6c'::bytea]) with ordinality as k (key, nth) \
         left join palinode_snapshot_row r on r.service = 'bank' and r.shard = 3 and r.section = 'entity' and r.key = k.key",
        &["palinode_snapshot_row_pkey"],
    ),
    (
        "select pseq, behind, parked, snapshot from palinode_shard where projection = 'p7'",
        &["palinode_checkpoint_pkey"],
    ),
];

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn every_query_on_a_million_rows_is_answered_by_an_index() {
    // given a million rows
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    let tables = Tables::new(&["palinode_entity"], 1).unwrap();
    let made = db.transact(Box::new(move |tx| {
        async move {
            PgDb::prepare_entities(tx, &tables).await?;
            PgDb::register(tx, "palinode-entities", &tables).await
        }
        .boxed()
    }));
    assert_eq!(made.await, Transacted::Committed(1));
    sqlx::raw_sql(MILLION).execute(&mut fresh.connect().await.unwrap()).await.unwrap();
    for (query, indexes) in ASKED {
        // when somebody asks
        let sql = AssertSqlSafe(format!("explain (format json) {query}"));
        let plan: serde_json::Value = sqlx::query_scalar(sql).fetch_one(db.readers()).await.unwrap();
        // then indexes answer, and no table that grows is read as a whole
        let plan = plan.to_string();
        for index in indexes {
            assert!(plan.contains(&format!("\"Index Name\":\"{index}\"")), "{query}: {index} in {plan}");
        }
        for table in
            ["palinode_entity_v1", "balance", "palinode_parked", "palinode_held", "palinode_snapshot_row"]
        {
            assert!(!read_whole(&serde_json::from_str(&plan).unwrap(), table), "{query}: {table} in {plan}");
        }
    }
}

/// Whether a plan reads a table from its beginning to its end.
fn read_whole(plan: &serde_json::Value, table: &str) -> bool {
    match plan {
        serde_json::Value::Object(node) => {
            let whole = node
                .get("Node Type")
                .is_some_and(|kind| kind.as_str().is_some_and(|k| k.contains("Seq Scan")));
            (whole && node.get("Relation Name").is_some_and(|name| name == table))
                || node.values().any(|inner| read_whole(inner, table))
        }
        serde_json::Value::Array(nodes) => nodes.iter().any(|inner| read_whole(inner, table)),
        _ => false,
    }
}
