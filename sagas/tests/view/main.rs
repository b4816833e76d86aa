//! Saga rows: equal to a fold of the journals, whatever the batches; right on a real node, after a token, after a restart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may be blunt"
)]

mod batches;
mod db {
    //! The database of these tests.
    pub(crate) type Database = palinode::store::sqlite::SqliteDb;
}
mod node;
mod reference;
mod shop;
mod standings;
#[path = "../sagas/world.rs"]
mod world;

#[tokio::test]
async fn rows_equal_the_fold_whatever_the_batches() {
    let folder = tempfile::tempdir().unwrap();
    let db = db::Database::open(folder.path().join("read.db")).await.unwrap();
    batches::rows_equal_the_fold_whatever_the_batches(db).await;
}
