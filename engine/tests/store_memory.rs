//! The contracts of snapshots and checkpoints over the store in memory, and the faults it can be told to have.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may be blunt")]

use futures_util::future::BoxFuture;
use palinode::{
    checkpoint::{ApplyError, Tables},
    snapshots::{Saved, Section, SnapshotStore},
    store::{
        conformance::{self, position, row, save, versions::Rows},
        memory::{Fault, MemoryDb, MemoryStore, MemoryTx},
    },
};

macro_rules! promises {
    ($($name:ident),+ $(,)?) => { $(
        #[tokio::test]
        async fn $name() {
            conformance::$name(&MemoryStore::default()).await.unwrap();
        }
    )+ };
}

promises! {
    the_first_save_is_loaded,
    a_lost_race_changes_nothing,
    a_save_changes_its_rows_only,
    the_last_row_of_a_key_counts,
    many_rows_are_one_save,
    entities_come_with_their_base,
    bytes_come_back_as_they_were,
    shards_are_apart,
    a_save_never_goes_back,
}

macro_rules! checkpoint_promises {
    ($($name:ident),+ $(,)?) => { $(
        #[tokio::test]
        async fn $name() {
            conformance::checkpoints::$name(&MemoryDb::default()).await.unwrap();
        }
    )+ };
}

checkpoint_promises! {
    taking_over_raises_the_epoch,
    a_checkpoint_moves_by_compare_and_set,
    checkpoints_are_apart,
    failed_work_changes_nothing,
    a_dropped_caller_splits_nothing,
}

macro_rules! parking_promises {
    ($($name:ident),+ $(,)?) => { $(
        #[tokio::test]
        async fn $name() {

            conformance::parking::$name(&MemoryDb::default()).await.unwrap();
        }
    )+ };
}

parking_promises! {
    a_key_is_parked_once,
    held_events_come_back_in_order,
    a_key_that_holds_nothing_is_free,
    parked_keys_are_apart,
    failed_work_parks_nothing,
    acts_are_recorded_in_order,
}

macro_rules! version_promises {
    ($($name:ident $(with $rows:expr)?),+ $(,)?) => { $(
        #[tokio::test]
        async fn $name() {

            conformance::versions::$name(&MemoryDb::default() $(, &$rows)?).await.unwrap();
        }
    )+ };
}

version_promises! {
    readers_see_the_first_version with Texts,
    a_table_belongs_to_one_version_of_one_projection with Texts,
    readers_move_by_compare_and_set with Texts,
    a_removed_version_begins_anew with Texts,
    versions_know_how_far_they_are with Texts,
    versions_are_compared with Texts,
}

/// Rows that are one text each.
#[derive(Clone)]
struct Texts;

impl Rows<MemoryDb> for Texts {
    fn make<'t>(
        &'t self,
        tx: &'t mut MemoryTx,
        tables: &'t Tables,
        stable: &'static str,
        text: &'t str,
    ) -> BoxFuture<'t, Result<(), ApplyError>> {
        tx.put(&tables.name(stable), text, text);
        Box::pin(async { Ok(()) })
    }

    fn seen<'d>(&'d self, db: &'d MemoryDb, stable: &'static str) -> BoxFuture<'d, Vec<String>> {
        Box::pin(async move { db.table(stable).await.into_values().collect() })
    }
}

#[tokio::test]
async fn a_snapshot_survives_reopening() {
    let store = MemoryStore::default();
    let again = store.clone();
    let reopen = || async { Box::new(again) as Box<dyn SnapshotStore> };
    conformance::a_snapshot_survives_reopening(&store, reopen).await.unwrap();
}

/// Saves commit 2 on commit 1 under a fault: the answer, and whether it happened.
async fn faulted(fault: Fault) -> (Saved, bool) {
    let store = MemoryStore::default();
    assert_eq!(store.save("hotel", 0, None, save(1, &[])).await, Saved::Saved);
    store.fail_next_save(fault);
    let rows = [row(Section::Entity, "room/1", 2, "{}")];
    let end = store.save("hotel", 0, Some(&position(1)), save(2, &rows)).await;
    let (base, found) = store.entities("hotel", 0, &["room/1".into()]).await.unwrap();
    assert_eq!(base == Some(position(2)), found[0].is_some(), "the base belongs to the rows");
    (end, found[0].is_some())
}

#[tokio::test]
async fn an_unknown_save_happened_or_not() {
    assert!(matches!(faulted(Fault::UnknownHappened).await, (Saved::Unknown(_), true)));
    assert!(matches!(faulted(Fault::UnknownNot).await, (Saved::Unknown(_), false)));
}

#[tokio::test]
async fn a_lost_or_refused_save_did_not_happen() {
    assert_eq!(faulted(Fault::Lost).await, (Saved::Lost, false));
    assert!(matches!(faulted(Fault::Refused).await, (Saved::Refused(_), false)));
}

#[tokio::test]
async fn a_store_set_back_answers_from_the_past() {
    // given a store whose copy was taken at commit 1
    let store = MemoryStore::default();
    assert_eq!(
        store.save("hotel", 0, None, save(1, &[row(Section::Entity, "a", 1, "1")])).await,
        Saved::Saved
    );
    let earlier = store.copy();
    let next = save(2, &[row(Section::Entity, "a", 2, "2")]);
    assert_eq!(store.save("hotel", 0, Some(&position(1)), next.clone()).await, Saved::Saved);
    // when it is set back
    store.set_back(&earlier);
    // then it shows the past with the past's base, and a save on what was lost is lost
    let (base, found) = store.entities("hotel", 0, &["a".into()]).await.unwrap();
    assert_eq!((base, found), (Some(position(1)), vec![Some(row(Section::Entity, "a", 1, "1"))]));
    assert_eq!(store.save("hotel", 0, Some(&position(2)), save(3, &[])).await, Saved::Lost);
    assert_eq!(store.save("hotel", 0, Some(&position(1)), next).await, Saved::Saved);
}
