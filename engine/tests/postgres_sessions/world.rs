//! A fresh database, reached through a proxy or directly, with a table that transactions put their numbers into.

use palinode::{
    checkpoint::{Db, Transacted},
    store::postgres::{PgDb, PgSettings, fresh::FreshDatabase},
};

use crate::proxy::Proxy;

pub(crate) struct World {
    /// Through the proxy.
    pub(crate) db: PgDb,
    pub(crate) proxy: Proxy,
    pub(crate) fresh: FreshDatabase,
}

pub(crate) async fn world(settings: impl Fn(PgSettings) -> PgSettings) -> World {
    let fresh = FreshDatabase::new().await.unwrap();
    sqlx::raw_sql("create table done (n bigint primary key); create table twice (n bigint primary key)")
        .execute(&mut fresh.connect().await.unwrap())
        .await
        .unwrap();
    let proxy = Proxy::before(fresh.options().get_port()).await;
    let db = PgDb::connect(settings(through(&fresh, &proxy))).await.unwrap();
    World { db, proxy, fresh }
}

/// How the database is reached through the proxy.
pub(crate) fn through(fresh: &FreshDatabase, proxy: &Proxy) -> PgSettings {
    let options = fresh.options();
    PgSettings::new("127.0.0.1", proxy.port(), options.get_username(), options.get_database().unwrap())
}

/// A transaction that puts a number into both tables: how many there were before.
pub(crate) fn put(db: &PgDb, n: i64) -> impl Future<Output = Transacted<i64>> + use<> {
    db.transact(Box::new(move |tx| {
        Box::pin(async move {
            let before = sqlx::query_scalar("select count(*) from done").fetch_one(&mut *tx).await?;
            sqlx::query("insert into done values ($1)").bind(n).execute(&mut *tx).await?;
            sqlx::query("insert into twice values ($1)").bind(n).execute(&mut *tx).await?;
            Ok(before)
        })
    }))
}

impl World {
    /// The numbers in both tables, which must be the same, as somebody else sees them.
    pub(crate) async fn numbers(&self) -> Vec<i64> {
        let mut conn = self.fresh.connect().await.unwrap();
        let sql = "select a.n, b.n from done as a full join twice as b on a.n = b.n order by a.n";
        let rows: Vec<(Option<i64>, Option<i64>)> = sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap();
        rows.into_iter()
            .map(|(a, b)| {
                assert_eq!(a, b, "half of a transaction");
                a.unwrap()
            })
            .collect()
    }

    /// How many sessions of this database are in this state, somebody else's not counted.
    pub(crate) async fn sessions(&self, state: &'static str) -> i64 {
        let mut conn = self.fresh.connect().await.unwrap();
        let sql = "select count(*) from pg_stat_activity \
                   where datname = current_database() and pid <> pg_backend_pid() and state like $1";
        sqlx::query_scalar(sql).bind(state).fetch_one(&mut conn).await.unwrap()
    }
}
