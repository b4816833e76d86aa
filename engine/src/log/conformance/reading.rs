//! L2, L6, L7: what is read, in which pages, and where a partition ends.

use super::{Harness, PARTITIONS, appended, read_all, texts, with_service};
use crate::{address::Topic, log::Append, record::Record, time::Micros};

/// L2: mark, checksum, key, value and time come back as they were written, whatever the bytes are.
pub async fn records_come_back_as_they_were(harness: &impl Harness) {
    let log = with_service(harness).await;
    let inbox = Topic::inbox("hotel");
    let every_byte: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let records = vec![
        Record::ours("".into(), Vec::new(), Micros(0)),
        Record::ours("room/lisbon/A/12".into(), b"{\"t\":\"commit\"}".to_vec(), Micros(1_000_123)),
        Record::ours("raum/\u{fc}ber\u{1F30D}".into(), every_byte, Micros(-5)),
        Record::ours("room/large".into(), vec![7; 1024 * 1024], Micros(2_000_000)),
    ];

    let outcome = log.append(&inbox, 0, records.clone()).await;
    assert!(matches!(outcome, Append::Appended(_)), "{outcome:?}");

    let stored = read_all(&*log, &inbox, 0, 0).await;
    assert_eq!(stored.into_iter().map(|s| s.record).collect::<Vec<_>>(), records);
}

/// L6: pages of any size, one after the other, are the partition.
pub async fn pages_join_without_gap_or_repeat(harness: &impl Harness) {
    let log = with_service(harness).await;
    let inbox = Topic::inbox("hotel");
    let values: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    appended(&*log, &inbox, 0, &values.iter().map(String::as_str).collect::<Vec<_>>()).await;

    for limit in [1, 7, 99, 100, 1_000] {
        let (mut next, mut found) = (0, Vec::new());
        while found.len() < values.len() {
            let page = log.read(&inbox, 0, next, limit).await.unwrap();
            assert!(!page.is_empty() && page.len() <= limit, "{} records of {limit}", page.len());
            assert!(page.iter().zip(next..).all(|(s, offset)| s.offset == offset), "from {next}");
            next += page.len() as u64;
            found.extend(texts(&page));
        }
        assert_eq!(found, values);
    }
}

/// L6: behind the last record there is nothing, and that is no error.
pub async fn the_end_of_a_partition_is_an_empty_batch(harness: &impl Harness) {
    let log = with_service(harness).await;
    let inbox = Topic::inbox("hotel");
    appended(&*log, &inbox, 0, &["a", "b"]).await;

    for (partition, from) in [(0, 2), (0, 3), (0, u64::MAX), (1, 0)] {
        assert!(log.read(&inbox, partition, from, 10).await.unwrap().is_empty(), "{partition}, {from}");
    }
    assert!(log.read(&inbox, 0, 0, 0).await.unwrap().is_empty());
}

/// L2: a record once read never changes and never moves.
pub async fn what_was_read_stays(harness: &impl Harness) {
    let log = with_service(harness).await;
    let inbox = Topic::inbox("hotel");
    appended(&*log, &inbox, 0, &["a", "b"]).await;
    let before = read_all(&*log, &inbox, 0, 0).await;

    appended(&*log, &inbox, 0, &["c"]).await;

    let after = read_all(&*log, &inbox, 0, 0).await;
    for (old, new) in before.iter().zip(&after) {
        assert_eq!((old.offset, &old.record), (new.offset, &new.record));
    }
    assert_eq!((before.len(), after.len()), (2, 3));
}

/// L7: the end may lag, but not behind what this process has read.
pub async fn the_end_is_not_before_what_was_read(harness: &impl Harness) {
    let log = with_service(harness).await;
    let (events, inbox) = (Topic::events("hotel"), Topic::inbox("hotel"));

    for partition in 0..PARTITIONS {
        read_all(&*log, &events, partition, 0).await;
        assert_eq!(log.end(&events, partition).await.unwrap(), 1);
        assert_eq!(log.end(&inbox, partition).await.unwrap(), 0);
    }
    for n in 1..20 {
        appended(&*log, &inbox, 0, &["more"]).await;
        let read = read_all(&*log, &inbox, 0, 0).await.len() as u64;
        let end = log.end(&inbox, 0).await.unwrap();
        assert!(read <= end && end <= n, "read {read}, end {end}, appended {n}");
    }
}

/// A partition that is not there is not an empty one.
pub async fn an_unknown_partition_is_an_error(harness: &impl Harness) {
    let log = with_service(harness).await;

    for (topic, partition) in [(Topic::inbox("hotel"), PARTITIONS), (Topic::events("flight"), 0)] {
        let place = format!("{topic}/{partition}");
        let read = log.read(&topic, partition, 0, 1).await.unwrap_err();
        let end = log.end(&topic, partition).await.unwrap_err();
        assert!(read.to_string().contains(&place) && end.to_string().contains(&place), "{read}; {end}");
    }
}
