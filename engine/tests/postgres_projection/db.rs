//! What the tests of projections have to know of PostgreSQL.

use palinode::store::postgres::{PgDb, fresh::FreshDatabase};

pub(crate) type Database = PgDb;
pub(crate) type Tx = sqlx::PgConnection;
pub(crate) type Row = sqlx::postgres::PgRow;

/// Where the database is.
pub(crate) struct Home(FreshDatabase);

/// Begins a transaction that sees one moment.
pub(crate) const MOMENT: &str = "begin isolation level repeatable read";

pub(crate) const BALANCES: &str = "create table if not exists {balance} (account text primary key, cents bigint not null, events text not null, \
     last bigint not null check (last <> -3))";

/// With the sums, and with the number of deposits too.
pub(crate) const SUMS: (&str, &str) = (
    "create table if not exists {sum} (account text primary key, cents bigint not null)",
    "create table if not exists {sum} (account text primary key, cents bigint not null, \
     deposits bigint not null default 0); \
     create or replace view {deposits} as select account, deposits from {sum}",
);

pub(crate) async fn open() -> (Home, Database) {
    let fresh = FreshDatabase::new().await.unwrap();
    let db = fresh.open().await.unwrap();
    (Home(fresh), db)
}

/// The same database, as another process opens it.
pub(crate) async fn again(home: &Home) -> Database {
    home.0.open().await.unwrap()
}

/// Somebody else's connection.
pub(crate) async fn connect(home: &Home) -> Tx {
    home.0.connect().await.unwrap()
}

/// Whether there is a table or view of this name.
pub(crate) async fn exists(db: &Database, name: &str) -> bool {
    sqlx::query_scalar("select to_regclass($1) is not null").bind(name).fetch_one(db.readers()).await.unwrap()
}

/// A row as a difference shows it.
pub(crate) fn quoted(account: &str, cents: i64) -> String {
    format!("'{account}', '{cents}'")
}
