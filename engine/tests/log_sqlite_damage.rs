//! Damage of the embedded log's file is refused, when it is opened or when it is read: whatever is returned is what was
//! written, and nothing acknowledged is missing in silence.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use palinode::{
    Log, ManualClock, Micros, Record, Topic,
    log::{
        Append,
        conformance::{PARTITIONS, SERVICE, log_id},
        memory::Chance,
        sqlite::SqliteLog,
    },
};

type Content = BTreeMap<(String, u32), Vec<Record>>;

fn topics() -> [Topic; 2] {
    [Topic::events(SERVICE), Topic::inbox(SERVICE)]
}

fn open(dir: &Path) -> Result<SqliteLog, String> {
    SqliteLog::open(dir, Arc::new(ManualClock::at(Micros(2_000_000)))).map_err(|e| e.to_string())
}

/// A log of some tens of pages, closed in order, and what is in it.
async fn written(dir: &Path) -> Content {
    let log = open(dir).unwrap();
    log.create(SERVICE, PARTITIONS, log_id(1)).await;
    for n in 0..120u32 {
        let value = format!("{{\"record\":{n},\"text\":\"{}\"}}", "x".repeat(300 * (n as usize % 4)));
        let record =
            Record::ours(format!("room/{n}").into(), value.into_bytes(), Micros(1_000_000 + i64::from(n)));
        let [events, inbox] = topics();
        let topic = if n % 2 == 0 { events } else { inbox };
        assert!(matches!(log.append(&topic, n % PARTITIONS, vec![record]).await, Append::Appended(_)));
    }
    let content = read(&log).await.unwrap();
    log.close().await.unwrap();
    content
}

async fn read(log: &SqliteLog) -> Result<Content, String> {
    let mut content = Content::new();
    for topic in topics() {
        for partition in 0..PARTITIONS {
            let records = content.entry((topic.to_string(), partition)).or_default();
            loop {
                let page =
                    log.read(&topic, partition, records.len() as u64, 50).await.map_err(|e| e.to_string())?;
                if page.is_empty() {
                    break;
                }
                records.extend(page.into_iter().map(|s| s.record));
            }
        }
    }
    Ok(content)
}

/// Opens and reads a folder whose `log.db` holds these bytes. `Err` is a refusal, with its text.
async fn read_back(from: &Path, bytes: &[u8]) -> Result<Content, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(from.join("log.witness"), dir.path().join("log.witness")).unwrap();
    fs::write(dir.path().join("log.db"), bytes).unwrap();
    let log = open(dir.path())?;
    read(&log).await
}

#[tokio::test]
async fn a_flipped_bit_is_never_misread() {
    let dir = tempfile::tempdir().unwrap();
    let content = written(dir.path()).await;
    let whole = fs::read(dir.path().join("log.db")).unwrap();
    let mut chance = Chance::new(7);
    let mut refusals = 0;

    for _ in 0..250 {
        let mut bytes = whole.clone();
        let at = usize::try_from(chance.below(whole.len() as u64)).unwrap();
        bytes[at] ^= 1 << chance.below(8);
        match read_back(dir.path(), &bytes).await {
            Ok(found) => assert!(found == content, "byte {at} was misread"),
            Err(why) => {
                assert!(
                    why.contains("restore") || why.contains("run a newer build") || why.contains("cannot"),
                    "{why}"
                );
                refusals += 1;
            }
        }
    }

    assert!(refusals > 50, "only {refusals} of 250 flips were refused: do they hit the records?");
}

#[tokio::test]
async fn a_page_of_zeros_or_of_another_place_is_never_misread() {
    let dir = tempfile::tempdir().unwrap();
    let content = written(dir.path()).await;
    let whole = fs::read(dir.path().join("log.db")).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 10, "{pages} pages");

    for page in 0..pages {
        let here = page * 4096..(page + 1) * 4096;
        let other = (page + 1) % pages;
        let zeros = vec![0; 4096];
        for replaced in [&zeros[..], &whole[other * 4096..(other + 1) * 4096]] {
            let mut bytes = whole.clone();
            bytes[here.clone()].copy_from_slice(replaced);
            if let Ok(found) = read_back(dir.path(), &bytes).await {
                assert!(found == content, "page {page} was misread");
            }
        }
    }
}

#[tokio::test]
async fn a_file_cut_short_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let content = written(dir.path()).await;
    let whole = fs::read(dir.path().join("log.db")).unwrap();

    assert_eq!(read_back(dir.path(), &whole).await.unwrap(), content);
    for cut in [0, 1, 99, 100, 4095, 4096, 8192, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        let found = read_back(dir.path(), &whole[..cut]).await;
        assert!(found.is_err(), "{cut} of {} bytes were taken for a log", whole.len());
    }
}
