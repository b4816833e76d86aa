//! The tables of the read models, as anybody reads them in SQL, against the fold of the log.

use std::{collections::BTreeMap, fmt::Debug};

use sqlx::PgConnection;

use super::Folded;
use crate::{
    domain::{SERVICES, SHARDS},
    place::Place,
};

/// Every read model, and the services it follows.
const FOLLOWS: [(&str, &[&str]); 3] =
    [("balances", &SERVICES), ("palinode-entities", &SERVICES), ("palinode-sagas", &["left"])];

/// What is in the tables.
pub(super) struct Tables {
    balances: BTreeMap<(String, String), (i64, i64)>,
    entities: BTreeMap<(String, String, String), i64>,
    sagas: BTreeMap<(String, String), String>,
    /// Projection, service and shard: the last commit that is in the rows.
    checkpoints: BTreeMap<(String, String, i32), i64>,
    parked: i64,
    /// Sessions inside a transaction that nobody ends.
    idle: i64,
}

impl Tables {
    /// Reads them at one moment.
    pub(super) async fn read(place: &Place) -> anyhow::Result<Self> {
        let mut conn = place.connect().await?;
        let conn = &mut conn;
        sqlx::raw_sql("begin isolation level repeatable read").execute(&mut *conn).await?;
        let balances: Vec<(String, String, i64, i64)> =
            sqlx::query_as("select service, account, cents, events from balance")
                .fetch_all(&mut *conn)
                .await?;
        let entities: Vec<(String, String, String, i64)> =
            sqlx::query_as("select service, kind, id, version from palinode_entity")
                .fetch_all(&mut *conn)
                .await?;
        let sagas: Vec<(String, String, String)> =
            sqlx::query_as("select definition, id, status from palinode_saga").fetch_all(&mut *conn).await?;
        let checkpoints: Vec<(String, String, i32, i64)> =
            sqlx::query_as("select projection, service, shard, pseq from palinode_checkpoint")
                .fetch_all(&mut *conn)
                .await?;
        Ok(Self {
            balances: balances.into_iter().map(|(s, a, cents, events)| ((s, a), (cents, events))).collect(),
            entities: entities.into_iter().map(|(s, k, id, version)| ((s, k, id), version)).collect(),
            sagas: sagas.into_iter().map(|(d, id, status)| ((d, id), status)).collect(),
            checkpoints: checkpoints.into_iter().map(|(p, s, shard, pseq)| ((p, s, shard), pseq)).collect(),
            parked: number(conn, "select count(*) from palinode_parked").await?,
            // A runner is inside of one for as long as its batch takes; nobody is for a second.
            idle: number(
                conn,
                "select count(*) from pg_stat_activity where datname = current_database() \
                 and state like 'idle in transaction%' and pid <> pg_backend_pid() \
                 and state_change < now() - interval '2 seconds'",
            )
            .await?,
        })
    }

    /// A read model that does not hold everything yet.
    pub(super) fn behind(&self, folded: &Folded) -> Option<String> {
        for (projection, services) in FOLLOWS {
            for (service, shard) in
                services.iter().flat_map(|service| (0..SHARDS).map(move |n| (*service, n)))
            {
                let head = folded.heads.get(&(service, shard)).copied().unwrap_or_default();
                let key = (projection.to_owned(), service.to_owned(), i32::try_from(shard).unwrap_or(-1));
                let at = self.checkpoints.get(&key).copied().unwrap_or_default();
                if u64::try_from(at).ok() != Some(head) {
                    return Some(format!("{projection} of {service}/{shard} stands at {at} of {head}"));
                }
            }
        }
        None
    }

    /// Where they differ from the fold.
    pub(super) fn wrong(&self, folded: &Folded) -> Vec<String> {
        let mut wrong = Vec::new();
        wrong.extend(difference("balance", &self.balances, &folded.accounts));
        wrong.extend(difference("palinode_entity", &self.entities, &folded.entities));
        let sagas = folded.sagas.iter().map(|(key, end)| (key.clone(), (*end).to_owned())).collect();
        wrong.extend(difference("palinode_saga", &self.sagas, &sagas));
        if self.parked > 0 {
            wrong.push(format!("{} keys of read models are parked", self.parked));
        }
        if self.idle > 0 {
            wrong.push(format!(
                "{} sessions of the database are inside a transaction that nobody ends",
                self.idle
            ));
        }
        wrong
    }
}

async fn number(conn: &mut PgConnection, sql: &'static str) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)
}

/// The first row that is not the same in both.
fn difference<K: Ord + Debug, V: PartialEq + Debug>(
    table: &str,
    rows: &BTreeMap<K, V>,
    fold: &BTreeMap<K, V>,
) -> Option<String> {
    let missing = fold.iter().find(|(key, value)| rows.get(key) != Some(value));
    let more = || rows.keys().find(|key| !fold.contains_key(key));
    if let Some((key, value)) = missing {
        return Some(format!("{table}: the row {key:?} is {:?}, and the log says {value:?}", rows.get(key)));
    }
    more().map(|key| format!("{table}: the row {key:?} is of nothing in the log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_too_many_a_row_too_few_and_another_row_are_found() {
        let fold = BTreeMap::from([("a", 1), ("b", 2)]);
        assert_eq!(difference("t", &fold, &fold), None);
        for (rows, what) in [
            (BTreeMap::from([("a", 1)]), "\"b\" is None"),
            (BTreeMap::from([("a", 1), ("b", 3)]), "\"b\" is Some(3)"),
            (BTreeMap::from([("a", 1), ("b", 2), ("c", 4)]), "\"c\" is of nothing"),
        ] {
            let found = difference("t", &rows, &fold).unwrap();
            assert!(found.contains(what), "{found}");
        }
    }
}
