//! A script of appends, reads and restarts gives the same on the memory log and on the embedded one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::Arc;

use palinode::{
    Append, Log, Micros, Record, SystemClock, Topic,
    log::{
        conformance::{PARTITIONS, SERVICE, log_id},
        memory::MemoryCluster,
        sqlite::SqliteLog,
    },
};
use proptest::{collection::vec, prelude::*};

#[derive(Debug, Clone)]
enum Act {
    Append { events: bool, partition: u32, values: Vec<Vec<u8>> },
    Read { events: bool, partition: u32, from: u64, limit: usize },
    End { events: bool, partition: u32 },
    Create { partitions: u32 },
    Restart { in_order: bool },
}

fn act() -> impl Strategy<Value = Act> {
    let partition = 0..PARTITIONS + 1;
    prop_oneof![
        6 => (any::<bool>(), partition.clone(), vec(vec(any::<u8>(), 0..40), 0..40))
            .prop_map(|(events, partition, values)| Act::Append { events, partition, values }),
        4 => (any::<bool>(), partition.clone(), 0..60u64, 0..60usize)
            .prop_map(|(events, partition, from, limit)| Act::Read { events, partition, from, limit }),
        2 => (any::<bool>(), partition).prop_map(|(events, partition)| Act::End { events, partition }),
        1 => (0..PARTITIONS + 2).prop_map(|partitions| Act::Create { partitions }),
        1 => any::<bool>().prop_map(|in_order| Act::Restart { in_order }),
    ]
}

fn topic(events: bool) -> Topic {
    if events { Topic::events(SERVICE) } else { Topic::inbox(SERVICE) }
}

/// What a caller sees, without the texts of errors and the time genesis was written.
async fn seen(log: &dyn Log, act: &Act) -> String {
    match act {
        Act::Append { events, partition, values } => {
            let ours = |v: &Vec<u8>| Record::ours("room/1".into(), v.clone(), Micros(5));
            match log.append(&topic(*events), *partition, values.iter().map(ours).collect()).await {
                Append::Appended(offsets) => format!("{offsets:?}"),
                Append::Refused(error) => format!("refused {:?}", error.advice),
                Append::Unknown(error) => panic!("{error}"),
            }
        }
        Act::Read { events, partition, from, limit } => {
            match log.read(&topic(*events), *partition, *from, *limit).await {
                Ok(page) => {
                    format!("{:?}", page.iter().map(|s| (s.offset, &s.record.value)).collect::<Vec<_>>())
                }
                Err(error) => format!("refused {:?}", error.advice),
            }
        }
        Act::End { events, partition } => format!("{:?}", log.end(&topic(*events), *partition).await.ok()),
        Act::Create { partitions } => match log.create(SERVICE, *partitions, log_id(9)).await {
            palinode::log::Created::Refused(_) => "refused".into(),
            other => format!("{other:?}"),
        },
        Act::Restart { .. } => String::new(),
    }
}

async fn run(script: Vec<Act>) {
    let dir = tempfile::tempdir().unwrap();
    let open = || SqliteLog::open(dir.path(), Arc::new(SystemClock)).unwrap();
    let (memory, mut sqlite) = (MemoryCluster::new(1).member("a"), open());
    for act in script {
        if let Act::Restart { in_order } = act {
            if in_order {
                sqlite.close().await.unwrap();
            }
            drop(sqlite);
            sqlite = open();
        }
        assert_eq!(seen(&*memory, &act).await, seen(&sqlite, &act).await, "{act:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_agree(script in vec(act(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(script));
    }
}
