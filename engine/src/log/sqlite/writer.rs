//! The writer: one thread, one connection, and group commit without a timer. It takes everything that waits, writes
//! it in one transaction and answers all; while it waits for the disk, the next batch gathers.
//!
//! | what fails | the batch is | afterwards |
//! |---|---|---|
//! | `BEGIN`, because another program writes; a full disk before `COMMIT` | refused, try again | goes on |
//! | anything else before `COMMIT` | refused | closed |
//! | `COMMIT`, or a rollback | unknown | closed |
//!
//! Closed is for good: an fsync that failed is never tried again, because the pages look clean afterwards.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    thread::JoinHandle,
};

use rusqlite::{Connection, Statement, config::DbConfig};
use tokio::sync::oneshot;

use super::{
    Shared,
    create::create,
    database::{self, Checkpoint},
    folder::Lock,
    keeper::Keeper,
    lane::Lane,
    queue::{Waiting, Work},
    row::{MANY, Ours, insert},
    transaction::transact,
    witness::Witness,
};
use crate::{
    log::{Append, LogError},
    time::Micros,
};

/// After so many bytes the witness is written again.
const WITNESS_BYTES: u64 = 4 * 1024 * 1024;
/// Or when the last time was so long ago.
const WITNESS_AGE: std::time::Duration = std::time::Duration::from_secs(1);
/// After so many bytes the keeper checkpoints beside us.
const CHECKPOINT_BYTES: u64 = 8 * 1024 * 1024;
/// After so many bytes we checkpoint the rest between two batches, so that the -wal file starts anew.
const WAL_BYTES: u64 = 32 * 1024 * 1024;
/// And try again after so many, when a reader or the keeper was in the way: then the keeper has done most of it.
const WAL_AGAIN: u64 = 1024 * 1024;
/// What a record costs in the -wal file beside its value; a rough mean.
const ROW_BYTES: u64 = 128;
/// What a transaction costs beside its records.
const COMMIT_BYTES: u64 = 16 * 1024;

/// What the thread owns.
pub(super) struct Writer {
    pub(super) db: Connection,
    pub(super) shared: Arc<Shared>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) keeping: JoinHandle<()>,
    pub(super) lock: Lock,
}

impl Writer {
    /// Runs until the log is closed, fails or is dropped.
    pub(super) fn run(self) {
        let _stop = StopOnUnwind(Arc::clone(&self.shared), Arc::clone(&self.keeper));
        let end = self.serve(&mut Inserts::new(&self.db));
        self.keeper.stop();
        let Self { db, shared, keeping, lock, .. } = self;
        // A keeper that panicked has closed the log already.
        drop(keeping.join());
        if let Some(answer) = end {
            let closed = close(db, &shared);
            drop(lock);
            drop(answer.send(closed));
        }
    }

    /// Works until the end; whoever asked for it in order gets an answer.
    fn serve(&self, inserts: &mut Inserts<'_>) -> Option<oneshot::Sender<Result<(), LogError>>> {
        let mut batch = Vec::new();
        let mut upkeep = Upkeep::new(self.shared.clock.now());
        loop {
            match self.shared.queue.take(&mut batch) {
                Work::Batch => {
                    self.write(inserts, &mut batch, &mut upkeep);
                    if let Err(e) = self.keep_up(&mut upkeep) {
                        self.shared.fail(&format!("a checkpoint failed: {e}"));
                    }
                }
                Work::Create(new) => create(&self.db, &self.shared, new),
                Work::Close(answer) => {
                    self.shared.close(LogError::stop("the log was closed: open it again"));
                    return Some(answer);
                }
                Work::Stop => return None,
            }
        }
    }

    /// Writes a batch and answers it. The batch is empty afterwards.
    fn write(&self, inserts: &mut Inserts<'_>, batch: &mut Vec<Waiting>, upkeep: &mut Upkeep) {
        // Neighbours in the table are written together; within a lane the order of the calls stays.
        batch.sort_by_key(|waiting| waiting.lane.id(0));
        for waiting in batch.iter_mut() {
            waiting.first = waiting.lane.take(u64::try_from(waiting.records.len()).unwrap_or(0));
        }
        let outcome = transact(&self.db, &self.shared.name, || inserts.run(batch));
        match &outcome {
            Ok(()) => {
                batch.iter().for_each(|w| w.lane.keep());
                upkeep.wrote(batch);
            }
            Err(_) => batch.iter().for_each(|w| w.lane.give_back()),
        }
        // Whoever hears of a failure must not be able to append behind it.
        let failed = outcome.err().map(|failure| self.shared.failed(failure));
        for waiting in batch.drain(..) {
            let answer = match &failed {
                None => Append::Appended(offsets(&waiting)),
                Some((error, false)) => Append::Refused(error.clone()),
                Some((error, true)) => Append::Unknown(error.clone()),
            };
            // Nobody may be waiting any more: the records are in the log all the same.
            drop(waiting.answer.send(answer));
        }
    }

    /// Sees to it that the witness is near and the -wal file small.
    fn keep_up(&self, upkeep: &mut Upkeep) -> rusqlite::Result<()> {
        let now = self.shared.clock.now();
        let aged = now.since(upkeep.witnessed_at) >= WITNESS_AGE || now < upkeep.witnessed_at;
        if upkeep.unwitnessed >= WITNESS_BYTES || aged {
            let checkpoint = upkeep.unchecked >= CHECKPOINT_BYTES;
            self.keeper.ask(checkpoint);
            (upkeep.unwitnessed, upkeep.witnessed_at) = (0, now);
            upkeep.unchecked = if checkpoint { 0 } else { upkeep.unchecked };
        }
        if upkeep.wal >= upkeep.wal_limit {
            match database::checkpoint(&self.db)? {
                Checkpoint::Complete => (upkeep.wal, upkeep.wal_limit) = (0, WAL_BYTES),
                Checkpoint::Partial => upkeep.wal_limit = upkeep.wal.saturating_add(WAL_AGAIN),
            }
        }
        Ok(())
    }
}

/// Closes in order: everything in `log.db`, a witness that says so, and no -wal file.
fn close(db: Connection, shared: &Shared) -> Result<(), LogError> {
    let fail = |what: String| LogError::retry(format!("{}: closed, but not in order: {what}", shared.name));
    shared.readers.close();
    let clean =
        matches!(database::checkpoint_all(&db).map_err(|e| fail(e.to_string()))?, Checkpoint::Complete);
    let witness = Witness::look(&db, &shared.lanes(), clean).map_err(|e| fail(e.to_string()))?;
    // The witness first: a -wal file that is missing without one that says "clean" is a loss.
    witness.write(&shared.folder).map_err(|e| fail(e.to_string()))?;
    if clean {
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
            .map_err(|e| fail(e.to_string()))?;
    }
    db.close().map_err(|(_, e)| fail(e.to_string()))
}

fn offsets(waiting: &Waiting) -> Vec<Option<u64>> {
    (waiting.first..).take(waiting.records.len()).map(Some).collect()
}

/// The prepared inserts of every lane that was written to.
pub(super) struct Inserts<'a> {
    db: &'a Connection,
    lanes: BTreeMap<u32, Insert<'a>>,
}

/// The inserts of one lane: one row, and many rows at once.
struct Insert<'a> {
    one: Statement<'a>,
    many: Statement<'a>,
}

impl<'a> Inserts<'a> {
    pub(super) fn new(db: &'a Connection) -> Self {
        Self { db, lanes: BTreeMap::new() }
    }

    fn run(&mut self, batch: &[Waiting]) -> rusqlite::Result<()> {
        batch.iter().try_for_each(|waiting| self.of(&waiting.lane)?.run(waiting))
    }

    fn of(&mut self, lane: &Lane) -> rusqlite::Result<&mut Insert<'a>> {
        Ok(match self.lanes.entry(lane.number()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                place.insert(Insert { one: insert(self.db, lane, 1)?, many: insert(self.db, lane, MANY)? })
            }
        })
    }
}

impl Insert<'_> {
    fn run(&mut self, waiting: &Waiting) -> rusqlite::Result<()> {
        let lane = &waiting.lane;
        let mut offset = waiting.first;
        for records in waiting.records.chunks(MANY) {
            let whole = records.len() == MANY;
            let statement = if whole { &mut self.many } else { &mut self.one };
            for (nth, record) in records.iter().enumerate() {
                // `append` let no other record in.
                let Some(ours) = Ours::of(record) else { return Err(rusqlite::Error::InvalidQuery) };
                ours.bind(statement, if whole { nth } else { 0 }, lane.id(offset))?;
                offset = offset.saturating_add(1);
                if !whole {
                    statement.raw_execute()?;
                }
            }
            if whole {
                statement.raw_execute()?;
            }
        }
        Ok(())
    }
}

/// Bytes since the last witness, the last checkpoint beside us, and the last time the -wal file began anew.
struct Upkeep {
    unwitnessed: u64,
    witnessed_at: Micros,
    unchecked: u64,
    wal: u64,
    wal_limit: u64,
}

impl Upkeep {
    fn new(now: Micros) -> Self {
        Self { unwitnessed: 0, witnessed_at: now, unchecked: 0, wal: 0, wal_limit: WAL_BYTES }
    }

    fn wrote(&mut self, batch: &[Waiting]) {
        let rows = batch.iter().map(|w| u64::try_from(w.records.len()).unwrap_or(0)).sum::<u64>();
        let values = batch.iter().map(|w| u64::try_from(w.bytes()).unwrap_or(0)).sum::<u64>();
        let bytes = values + rows * ROW_BYTES + COMMIT_BYTES;
        self.unwitnessed += bytes;
        self.unchecked += bytes;
        self.wal += bytes;
    }
}

/// Closes the log when the thread ends in any other way.
struct StopOnUnwind(Arc<Shared>, Arc<Keeper>);

impl Drop for StopOnUnwind {
    fn drop(&mut self) {
        self.0.close(LogError::stop("the log's writer ended: start again"));
        self.1.stop();
    }
}
