//! The limit: a bare loop that group-commits the same bytes into SQLite with the same settings. One thread, one
//! connection, one prepared statement, no engine.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use anyhow::Context as _;
use rusqlite::Connection;
use tokio::sync::oneshot;

/// The most rows of one transaction, as the engine's log has it.
const BATCH: usize = 1_000;

type Row = (Arc<[u8]>, oneshot::Sender<()>);

/// A bare log. Dropping it closes it.
pub(crate) struct Bare {
    rows: Option<mpsc::Sender<Row>>,
    writer: Mutex<Option<JoinHandle<anyhow::Result<()>>>>,
}

impl Bare {
    /// In a new file of this folder.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
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
    pub(crate) async fn append(&self, value: Arc<[u8]>) -> anyhow::Result<()> {
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
        answers.into_iter().for_each(|answer| answer.send(()).unwrap_or_default());
    }
    Ok(())
}
