//! The log contract as a suite: one function a promise, run over every adapter without faults. What faults may do
//! beyond it is each adapter's own test.
//!
//! An adapter's test file implements [`Harness`] and names it once in [`log_conformance!`](crate::log_conformance).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, for many adapters"
)]

pub mod appending;
pub mod creating;
pub mod reading;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    address::Topic,
    log::{Append, Created, Log, Stored},
    record::Record,
    time::Micros,
};

/// What the suite needs of an adapter: a place of its own for a log.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens the log of this place; the first time it is empty.
    async fn open(&self) -> Arc<dyn Log>;
}

/// One `#[tokio::test]` for each promise, on a harness made anew by the expression. Attributes after it are those of
/// every test.
#[macro_export]
macro_rules! log_conformance {
    (@ one [$(#[$of_each:meta])*] $harness:expr; $room:ident: $promise:ident) => {
        $(#[$of_each])*
        #[tokio::test]
        async fn $promise() {
            $crate::log::conformance::$room::$promise(&$harness).await;
        }
    };
    (@ all $of_each:tt $harness:expr; $($room:ident: $promise:ident,)*) => {
        $($crate::log_conformance! { @ one $of_each $harness; $room: $promise })*
    };
    ($harness:expr $(, #[$of_each:meta])*) => {
        $crate::log_conformance! { @ all [$(#[$of_each])*] $harness;
            appending: calls_are_taken_in_order,
            appending: a_dropped_future_withdraws_nothing,
            appending: an_offset_for_each_record,
            appending: partitions_do_not_touch,
            appending: acknowledged_records_survive,
            appending: no_records_are_no_trouble,
            appending: a_refused_append_leaves_nothing,
            appending: records_without_our_mark_are_refused,
            reading: records_come_back_as_they_were,
            reading: pages_join_without_gap_or_repeat,
            reading: the_end_of_a_partition_is_an_empty_batch,
            reading: what_was_read_stays,
            reading: the_end_is_not_before_what_was_read,
            reading: an_unknown_partition_is_an_error,
            creating: genesis_is_first_everywhere,
            creating: creating_again_changes_nothing,
            creating: another_number_of_partitions_is_refused,
            creating: two_racing_creates_leave_one_genesis,
            creating: names_that_cannot_be_topics_are_refused,
            creating: services_have_logs_of_their_own,
            creating: the_only_member_gets_every_shard_once,
            creating: joining_an_unknown_service_is_an_error,
        }
    };
}

/// The service the scenarios use.
pub const SERVICE: &str = "hotel";
/// Its partitions.
pub const PARTITIONS: u32 = 3;

/// A record of ours with this text as its value.
#[must_use]
pub fn record(text: &str) -> Record {
    Record::ours("room/1".into(), text.as_bytes().to_vec(), Micros(1_000_000))
}

/// The value of each record as text.
#[must_use]
pub fn texts(stored: &[Stored]) -> Vec<String> {
    stored.iter().map(|s| String::from_utf8_lossy(&s.record.value).into_owned()).collect()
}

/// An id that is the same in every run.
#[must_use]
pub fn log_id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// A log with the service on it, its inbox empty.
pub async fn with_service(harness: &impl Harness) -> Arc<dyn Log> {
    let log = harness.open().await;
    let created = log.create(SERVICE, PARTITIONS, log_id(1)).await;
    assert!(matches!(created, Created::Ready { .. }), "{created:?}");
    log
}

/// Appends that must be acknowledged with known offsets.
pub async fn appended(log: &dyn Log, topic: &Topic, partition: u32, values: &[&str]) -> Vec<u64> {
    let outcome = log.append(topic, partition, values.iter().map(|v| record(v)).collect()).await;
    let Append::Appended(offsets) = &outcome else { panic!("{outcome:?}") };
    offsets.iter().map(|o| o.expect("an adapter without faults knows its offsets")).collect()
}

/// Reads a partition from an offset to the end.
pub async fn read_all(log: &dyn Log, topic: &Topic, partition: u32, from: u64) -> Vec<Stored> {
    let mut all = Vec::new();
    let mut next = from;
    loop {
        let page = log.read(topic, partition, next, 1_000).await.expect("it can be read");
        let Some(last) = page.last() else { return all };
        next = last.offset + 1;
        all.extend(page);
    }
}
