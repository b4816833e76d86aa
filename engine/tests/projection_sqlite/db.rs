//! What the tests of projections have to know of SQLite.

use palinode::store::sqlite::SqliteDb;
use sqlx::Connection;
use tempfile::TempDir;

pub(crate) type Database = SqliteDb;
pub(crate) type Tx = sqlx::SqliteConnection;
pub(crate) type Row = sqlx::sqlite::SqliteRow;

/// Where the file is.
pub(crate) struct Home(TempDir);

/// Begins a transaction that sees one moment.
pub(crate) const MOMENT: &str = "begin";

pub(crate) const BALANCES: &str = "create table if not exists {balance} (account text primary key, cents integer not null, events text not null, \
     last integer not null check (last <> -3)) strict";

/// With the sums, and with the number of deposits too.
pub(crate) const SUMS: (&str, &str) = (
    "create table if not exists {sum} (account text primary key, cents integer not null) strict",
    "create table if not exists {sum} (account text primary key, cents integer not null, \
     deposits integer not null default 0) strict; \
     create view if not exists {deposits} as select account, deposits from {sum}",
);

pub(crate) async fn open() -> (Home, Database) {
    let folder = tempfile::tempdir().unwrap();
    let db = SqliteDb::open(folder.path().join("read.db")).await.unwrap();
    (Home(folder), db)
}

/// The same database, as another process opens it.
pub(crate) async fn again(home: &Home) -> Database {
    SqliteDb::open(home.0.path().join("read.db")).await.unwrap()
}

/// Somebody else's connection.
pub(crate) async fn connect(home: &Home) -> Tx {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.0.path().join("read.db"));
    Tx::connect_with(&options).await.unwrap()
}

/// Whether there is a table or view of this name.
pub(crate) async fn exists(db: &Database, name: &str) -> bool {
    let sql = "select count(*) > 0 from sqlite_schema where name = $1";
    sqlx::query_scalar(sql).bind(name).fetch_one(db.readers()).await.unwrap()
}

/// A row as a difference shows it.
pub(crate) fn quoted(account: &str, cents: i64) -> String {
    format!("'{account}', {cents}")
}
