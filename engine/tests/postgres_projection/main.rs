//! Projections on PostgreSQL: rows equal the fold, exactly once, whatever dies, lies or goes away.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may be blunt")]

#[path = "../projection_support/balances.rs"]
mod balances;
mod db;
#[path = "../projection_support/following.rs"]
mod following;
#[path = "../projection_support/journal.rs"]
mod journal;
#[path = "../projection_support/outages.rs"]
mod outages;
#[path = "../projection_support/parked.rs"]
mod parked;
#[path = "../projection_support/ready_made.rs"]
mod ready_made;
#[path = "../projection_support/rebuild.rs"]
mod rebuild;
#[path = "../projection_support/records.rs"]
mod records;
#[path = "../projection_support/suite.rs"]
mod suite;
mod terminated;
mod told;
#[path = "../projection_support/waiting.rs"]
mod waiting;
#[path = "../projection_support/world.rs"]
mod world;

macro_rules! test {
    ($file:ident: $($name:ident $(on $threads:literal)?),+ $(,)?) => { $( test! { @ $file $name $($threads)? } )+ };
    (@ $file:ident $name:ident) => {
        #[tokio::test]
        #[ignore = "needs PostgreSQL: cargo xtask test starts one"]
        async fn $name() {
            crate::$file::$name().await;
        }
    };
    (@ $file:ident $name:ident $threads:literal) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = $threads)]
        #[ignore = "needs PostgreSQL: cargo xtask test starts one"]
        async fn $name() {
            crate::$file::$name().await;
        }
    };
}
suite::suite!(test);
