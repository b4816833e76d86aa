//! Saga rows in PostgreSQL: equal to a fold of the journals, whatever the batches; found by indexes among a million.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may be blunt"
)]

#[path = "../view/batches.rs"]
mod batches;
mod db {
    //! The database of these tests.
    pub(crate) type Database = palinode::store::postgres::PgDb;
}
mod explain;
#[path = "../view/reference.rs"]
mod reference;
mod strange;
#[path = "../sagas/world.rs"]
mod world;

use palinode::store::postgres::fresh::FreshDatabase;

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one"]
async fn rows_equal_the_fold_whatever_the_batches() {
    let fresh = FreshDatabase::new().await.unwrap();
    batches::rows_equal_the_fold_whatever_the_batches(fresh.open().await.unwrap()).await;
}
