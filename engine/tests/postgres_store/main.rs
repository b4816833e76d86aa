//! The contracts of snapshots and checkpoints over PostgreSQL, and what only a server can show.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may be blunt")]

mod server;
mod swaps;

use futures_util::future::BoxFuture;
use palinode::{
    checkpoint::{ApplyError, Tables},
    store::{
        conformance::{self, versions::Rows},
        postgres::{PgDb, PgStore, fresh::FreshDatabase},
    },
};
use sqlx::{AssertSqlSafe, PgConnection};

macro_rules! promises {
    ($($suite:path: { $($name:ident $(with $rows:expr)?),+ $(,)? } over $of:expr;)+) => { $( $(
        #[tokio::test]
        #[ignore = "needs PostgreSQL: cargo xtask test starts one"]
        async fn $name() {
            use $suite as suite;
            let fresh = FreshDatabase::new().await.unwrap();
            let db = fresh.open().await.unwrap();
            suite::$name(&$of(db.clone()) $(, &$rows)?).await.unwrap();
            db.close().await;
        }
    )+ )+ };
}

promises! {
    conformance: {
        the_first_save_is_loaded,
        a_lost_race_changes_nothing,
        a_save_changes_its_rows_only,
        the_last_row_of_a_key_counts,
        many_rows_are_one_save,
        entities_come_with_their_base,
        bytes_come_back_as_they_were,
        shards_are_apart,
        a_save_never_goes_back,
    } over PgStore::new;
    conformance::checkpoints: {
        taking_over_raises_the_epoch,
        a_checkpoint_moves_by_compare_and_set,
        checkpoints_are_apart,
        failed_work_changes_nothing,
        a_dropped_caller_splits_nothing,
    } over PgDb::from;
    conformance::parking: {
        a_key_is_parked_once,
        held_events_come_back_in_order,
        a_key_that_holds_nothing_is_free,
        parked_keys_are_apart,
        failed_work_parks_nothing,
        acts_are_recorded_in_order,
    } over PgDb::from;
    conformance::versions: {
        readers_see_the_first_version with Texts,
        a_table_belongs_to_one_version_of_one_projection with Texts,
        readers_move_by_compare_and_set with Texts,
        a_removed_version_begins_anew with Texts,
        versions_know_how_far_they_are with Texts,
        versions_are_compared with Texts,
    } over PgDb::from;
}

/// Rows that are one text each.
#[derive(Clone)]
pub(crate) struct Texts;

impl Rows<PgDb> for Texts {
    fn make<'t>(
        &'t self,
        tx: &'t mut PgConnection,
        tables: &'t Tables,
        stable: &'static str,
        text: &'t str,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        Box::pin(async move {
            let table = tables.name(stable);
            let sql = format!("create table if not exists {table} (t text)");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
            let sql = format!("insert into {table} values ($1)");
            sqlx::query(AssertSqlSafe(sql)).bind(text).execute(tx).await?;
            Ok(())
        })
    }

    fn seen<'d>(&'d self, db: &'d PgDb, stable: &'static str) -> BoxFuture<'d, Vec<String>> {
        Box::pin(async move {
            let sql = AssertSqlSafe(format!("select t from {stable} order by t"));
            sqlx::query_scalar(sql).fetch_all(db.readers()).await.unwrap()
        })
    }
}
