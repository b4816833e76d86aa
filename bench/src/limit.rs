//! The limit: a bare loop that group-commits the same bytes into SQLite with the same settings. One thread, one
//! connection, one prepared statement, no engine.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use anyhow::Context as _;
use palinode::{
    Log, Record, SystemClock, Topic,
    codec::{Entry, decode},
    log::sqlite::SqliteLog,
};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{
    load::{Run, closed},
    setting::Setting,
};

/// The most rows of one transaction, as the engine's log has it.
const BATCH: usize = 1_000;

type Row = (Arc<[u8]>, oneshot::Sender<()>);

/// A bare log. Dropping it closes it.
pub(crate) struct Bare {
    rows: Option<mpsc::Sender<Row>>,
    writer: Mutex<Option<JoinHandle<anyhow::Result<()>>>>,
}

impl Bare {
    /// So many callers, each appending these rows one after the other, waiting for each.
    pub(crate) async fn run(bytes: &[Arc<[u8]>], in_flight: usize, setting: &Setting) -> anyhow::Result<Run> {
        let dir = tempfile::tempdir()?;
        let bare = Arc::new(Self::open(dir.path())?);
        let rows: Arc<[Arc<[u8]>]> = bytes.into();
        let work = move |_| {
            let (bare, rows) = (Arc::clone(&bare), Arc::clone(&rows));
            async move {
                for row in &*rows {
                    bare.append(Arc::clone(row)).await?;
                }
                Ok(())
            }
        };
        closed(0, in_flight, setting.warm, work.clone()).await?;
        closed(0, in_flight, setting.time, work).await
    }

    /// In a new file of this folder.
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let db = Connection::open(dir.join("bare.db"))?;
        db.query_row("pragma journal_mode = wal", [], |_| Ok(()))?;
        db.execute_batch(
            "pragma synchronous = full; pragma fullfsync = on; pragma temp_store = memory;
             pragma cache_size = -16384; create table record (id integer primary key, value blob not null) strict;",
        )?;
        let (rows, waiting) = mpsc::channel();
        let writer = std::thread::spawn(move || write(&db, &waiting));
        Ok(Self { rows: Some(rows), writer: Mutex::new(Some(writer)) })
    }

    /// Appends a row; returns once it is durable.
    async fn append(&self, value: Arc<[u8]>) -> anyhow::Result<()> {
        let (answer, durable) = oneshot::channel();
        let rows = self.rows.as_ref().context("closed")?;
        rows.send((value, answer)).ok().context("the writer ended")?;
        durable.await.context("the writer ended")
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.rows.take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(writer.map(JoinHandle::join));
    }
}

fn write(db: &Connection, waiting: &mpsc::Receiver<Row>) -> anyhow::Result<()> {
    let mut insert = db.prepare("insert into record (value) values (?)")?;
    while let Ok(first) = waiting.recv() {
        db.prepare_cached("begin immediate")?.execute([])?;
        let mut answers = Vec::new();
        let rest = std::iter::from_fn(|| waiting.try_recv().ok()).take(BATCH - 1);
        for (value, answer) in std::iter::once(first).chain(rest) {
            insert.execute([&*value])?;
            answers.push(answer);
        }
        db.prepare_cached("commit")?.execute([])?;
        // Whoever waited may be gone: the row is durable all the same.
        answers.into_iter().for_each(|answer| answer.send(()).unwrap_or_default());
    }
    Ok(())
}

/// The bytes of some commits of a service, as they lie in the log of this folder.
pub(crate) async fn sample(dir: &Path, service: &str, commits: usize) -> anyhow::Result<Vec<Arc<[u8]>>> {
    let log = SqliteLog::open(dir, Arc::new(SystemClock))?;
    let found = records(&log, service, commits).await;
    log.close().await?;
    Ok(found?.into_iter().map(|record| Arc::from(record.value.as_ref())).collect())
}

/// The records of some commits of a service.
pub(crate) async fn records(log: &dyn Log, service: &str, commits: usize) -> anyhow::Result<Vec<Record>> {
    let (topic, mut found) = (Topic::events(service), Vec::new());
    for partition in 0.. {
        let Ok(stored) = log.read(&topic, partition, 0, 1_000).await else { break };
        let commit = |record: &Record| matches!(decode(record), Ok(Some(Entry::Commit(_))));
        found.extend(stored.into_iter().map(|stored| stored.record).filter(commit));
        if found.len() >= commits {
            break;
        }
    }
    anyhow::ensure!(found.len() >= commits, "{service} has {} commits, not {commits}", found.len());
    // The last ones: by then the numbers in them have their usual length.
    Ok(found.split_off(found.len() - commits))
}
