//! L1 to L4: order, offsets, durability, refusal.

use std::sync::Arc;

use super::{Harness, PARTITIONS, appended, read_all, record, texts, with_service};
use crate::{
    address::Topic,
    log::{Append, Log},
};

/// L1: appends not yet answered are in the log in the order of their calls.
pub async fn calls_are_taken_in_order(harness: &impl Harness) {
    let log = with_service(harness).await;
    let inbox = Topic::inbox("hotel");
    let texts_in: Vec<String> = (0..500).map(|n| format!("record {n}")).collect();

    let calls: Vec<_> = texts_in.iter().map(|t| log.append(&inbox, 0, vec![record(t)])).collect();
    // Waiting for the last first: the answers' order is not the calls'.
    for call in calls.into_iter().rev() {
        assert!(matches!(call.await, Append::Appended(_)));
    }

    assert_eq!(texts(&read_all(&*log, &inbox, 0, 0).await), texts_in);
}

/// L1: a call has taken its records when it returns; its future is for the answer only.
pub async fn a_dropped_future_withdraws_nothing(harness: &impl Harness) {
    let log = with_service(harness).await;
    let inbox = Topic::inbox("hotel");

    drop(log.append(&inbox, 0, vec![record("nobody waits")]));
    appended(&*log, &inbox, 0, &["somebody waits"]).await;

    assert_eq!(texts(&read_all(&*log, &inbox, 0, 0).await), ["nobody waits", "somebody waits"]);
}

/// L2, L3: offsets are dense from zero, one for each record, in order.
pub async fn an_offset_for_each_record(harness: &impl Harness) {
    let log = with_service(harness).await;
    let inbox = Topic::inbox("hotel");

    assert_eq!(appended(&*log, &inbox, 0, &["a", "b", "c"]).await, [0, 1, 2]);
    assert_eq!(appended(&*log, &inbox, 0, &["d"]).await, [3]);

    let stored = read_all(&*log, &inbox, 0, 0).await;
    assert_eq!(stored.iter().map(|s| s.offset).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(texts(&stored), ["a", "b", "c", "d"]);
}

/// L2: each partition of each topic counts for itself.
pub async fn partitions_do_not_touch(harness: &impl Harness) {
    let log = with_service(harness).await;
    let (events, inbox) = (Topic::events("hotel"), Topic::inbox("hotel"));

    for partition in 0..PARTITIONS {
        assert_eq!(appended(&*log, &inbox, partition, &["first"]).await, [0]);
        assert_eq!(appended(&*log, &events, partition, &["after genesis"]).await, [1]);
    }
    assert_eq!(appended(&*log, &inbox, 1, &["second"]).await, [1]);

    assert_eq!(texts(&read_all(&*log, &inbox, 1, 0).await), ["first", "second"]);
    assert_eq!(texts(&read_all(&*log, &inbox, 2, 0).await), ["first"]);
    assert_eq!(texts(&read_all(&*log, &events, 0, 1).await), ["after genesis"]);
}

/// L3: what was acknowledged is there when the log is opened again after everything was dropped.
pub async fn acknowledged_records_survive(harness: &impl Harness) {
    let inbox = Topic::inbox("hotel");
    let log = with_service(harness).await;
    appended(&*log, &inbox, 0, &["a", "b"]).await;
    drop(log);

    let log = harness.open().await;

    assert_eq!(texts(&read_all(&*log, &inbox, 0, 0).await), ["a", "b"]);
    assert_eq!(appended(&*log, &inbox, 0, &["c"]).await, [2]);
}

/// L3: an append of nothing is acknowledged, with no offsets.
pub async fn no_records_are_no_trouble(harness: &impl Harness) {
    let log = with_service(harness).await;
    let inbox = Topic::inbox("hotel");

    assert_eq!(log.append(&inbox, 0, Vec::new()).await, Append::Appended(Vec::new()));
    assert_eq!(appended(&*log, &inbox, 0, &["a"]).await, [0]);
}

/// L4: a refused append is nowhere, and what comes after it is taken.
pub async fn a_refused_append_leaves_nothing(harness: &impl Harness) {
    let log: Arc<dyn Log> = with_service(harness).await;
    let inbox = Topic::inbox("hotel");

    for (topic, partition) in [(inbox.clone(), PARTITIONS), (Topic::inbox("flight"), 0)] {
        let outcome = log.append(&topic, partition, vec![record("lost")]).await;
        let Append::Refused(error) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains(&format!("{topic}/{partition}")), "{error}");
    }

    for partition in 0..PARTITIONS {
        assert_eq!(appended(&*log, &inbox, partition, &["kept"]).await, [0]);
        assert_eq!(texts(&read_all(&*log, &inbox, partition, 0).await), ["kept"]);
    }
}

/// L4: nobody can write foreign records through us, not even one among good ones.
pub async fn records_without_our_mark_are_refused(harness: &impl Harness) {
    let log = with_service(harness).await;
    let inbox = Topic::inbox("hotel");
    let unmarked = crate::Record { mark: None, ..record("unmarked") };
    let unsummed = crate::Record { crc: None, ..record("unsummed") };

    for bad in [unmarked, unsummed] {
        let outcome = log.append(&inbox, 0, vec![record("good"), bad]).await;
        assert!(matches!(outcome, Append::Refused(_)), "{outcome:?}");
    }

    assert_eq!(appended(&*log, &inbox, 0, &["kept"]).await, [0]);
}
