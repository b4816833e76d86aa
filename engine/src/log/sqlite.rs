//! The embedded log: every topic of every service of a folder in one SQLite file, written by one thread with group
//! commit. It knows records as bytes with an offset; what they mean is nobody's business here, genesis excepted.
//!
//! | file | what |
//! |---|---|
//! | `log.db`, `log.db-wal`, `log.db-shm` | the records; back them up with `VACUUM INTO`, never by copying one of them |
//! | `log.witness` | how far each lane certainly reached, and whether the log was closed in order |
//! | `log.lock`, `log.pid` | who writes |
//!
//! An acknowledged record is in the -wal file and synced (`synchronous=FULL`). A log that is dropped has crashed: the
//! next `open` settles what is left. Reads use a small pool of connections on tokio's blocking threads (`reader.rs`),
//! so they need a tokio runtime; an append needs none.

mod create;
mod database;
mod error;
mod folder;
mod keeper;
mod lane;
mod member;
mod queue;
mod reader;
mod recover;
mod row;
mod transaction;
mod version;
mod witness;
mod writer;

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

pub use self::error::OpenError;
use self::{
    error::{Before, read_error},
    folder::Folder,
    keeper::{FailOnUnwind, Keeper},
    lane::{Lane, Lanes},
    member::Member,
    queue::{NewService, Queue, Waiting},
    reader::Readers,
    row::Ours,
    transaction::Failure,
    writer::Writer,
};
use crate::{
    address::Topic,
    clock::{Clock, SystemClock},
    log::{Append, Created, Log, LogError, Membership, Stored},
    record::Record,
};

/// The log of an embedded node.
///
/// ```no_run
/// use std::{path::Path, sync::Arc};
/// use palinode::{Log, SystemClock, Topic, log::sqlite::SqliteLog};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let log = SqliteLog::open(Path::new("data"), Arc::new(SystemClock))?;
/// let first = log.read(&Topic::events("hotel"), 0, 0, 1).await?;
/// log.close().await?;
/// # Ok(()) }
/// ```
pub struct SqliteLog {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    read_only: bool,
}

/// What the threads of a log share.
struct Shared {
    folder: Folder,
    name: String,
    clock: Arc<dyn Clock>,
    lanes: RwLock<Lanes>,
    queue: Queue,
    readers: Arc<Readers>,
    closed: watch::Sender<Option<LogError>>,
}

impl SqliteLog {
    /// Opens the log of a folder for writing; a new folder gets a new log. This process then holds it until
    /// [`close`](Self::close) or until the value is dropped.
    ///
    /// The call blocks: after a crash it first moves the -wal file into the database.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong, where, and what to do.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let folder = Folder::new(dir);
        let path = folder.database();
        let lock = folder.lock()?;
        let before = recover::Before::look(&folder)?;
        before.renew_wal(&folder)?;
        let db = database::open(&folder, clock.now().0)?;
        before.settle(&db, &folder)?;
        let lanes = load(&db, &path)?;
        let latest = before.check(&db, &folder, &lanes)?;
        recover::check_clock(&folder, latest, clock.now())?;
        let for_keeper = database::open_again(&folder).map_err(|e| OpenError::sqlite(&path, &e))?;
        begin_witness(&db, &lanes, &folder)?;

        let shared = Shared::new(folder, clock, lanes);
        let spawned = start(Arc::clone(&shared), db, for_keeper, lock);
        let writer = spawned.map_err(|e| OpenError::io(dir, &e))?;
        Ok(Self { shared, writer: Mutex::new(Some(writer)), read_only: false })
    }

    /// Opens the log of a folder for reading only: without the lock, beside a process that writes it, and on a folder
    /// that cannot be written if the log was closed in order. Appending and creating are refused.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when there is no log.
    pub fn open_read_only(dir: &Path) -> Result<Self, OpenError> {
        let folder = Folder::new(dir);
        let before = recover::Before::look(&folder)?;
        let db = database::open_read_only(&folder)?;
        let lanes = load(&db, &folder.database())?;
        before.check(&db, &folder, &lanes)?;
        let shared = Shared::new(folder, Arc::new(SystemClock), lanes);
        shared.queue.close(LogError::stop(format!("{}: the log was opened read-only", shared.name)));
        Ok(Self { shared, writer: Mutex::default(), read_only: true })
    }

    /// Closes the log in order, after everything queued before: all records in `log.db`, no -wal file left behind, the
    /// lock released. From then on everything is refused. Dropping without closing is a crash, which is safe and only
    /// makes the next start slower.
    ///
    /// # Errors
    /// When the log had failed or was closed before, or the end could not be written in order (nothing is lost by it).
    pub async fn close(&self) -> Result<(), LogError> {
        if self.read_only {
            self.shared.close(LogError::stop("the log was closed: open it again"));
            self.shared.readers.close();
            return Ok(());
        }
        let (answer, closed) = oneshot::channel();
        self.shared.queue.close_in_order(answer)?;
        closed.await.unwrap_or_else(|_| Err(self.shared.fail("the writer ended while it closed")))
    }

    /// Lets go of the log as a crash would, and returns when the lock is free: what is being written is finished, what
    /// waits is refused.
    pub fn abandon(&self) {
        self.shared.close(LogError::stop("the log was dropped: open it again"));
        self.shared.readers.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A writer that panicked has refused everything already.
        drop(writer.map(JoinHandle::join));
    }

    /// Whether the log still takes records: `Err` says why it was closed.
    fn open_still(&self) -> Result<(), LogError> {
        self.shared.closed.borrow().as_ref().map_or(Ok(()), |why| Err(why.clone()))
    }

    fn lane(&self, topic: &Topic, partition: u32) -> Result<Arc<Lane>, LogError> {
        self.shared.lanes().get(topic, partition).map(Arc::clone).ok_or_else(|| {
            LogError::stop(format!(
                "{}: there is no {topic}/{partition}: create the service first, and use a partition it has",
                self.shared.name
            ))
        })
    }

    fn queue(
        &self,
        topic: &Topic,
        partition: u32,
        records: Vec<Record>,
    ) -> Result<oneshot::Receiver<Append>, LogError> {
        self.open_still()?;
        let lane = self.lane(topic, partition)?;
        if let Some(nth) = records.iter().position(|r| Ours::of(r).is_none()) {
            let what = format!("{lane}: record {nth} of {} bears no mark or no checksum", records.len());
            return Err(LogError::stop(format!("{what}: only records of ours can be appended")));
        }
        if lane.end().saturating_add(1 << 32) > lane::MAX_OFFSET {
            return Err(LogError::stop(format!("{lane} is full")));
        }
        let (answer, outcome) = oneshot::channel();
        let waiting = Waiting { lane, records, first: 0, answer };
        self.shared.queue.append(waiting).map_err(|(_, why)| why)?;
        Ok(outcome)
    }
}

impl Drop for SqliteLog {
    /// A crash, unless [`close`](SqliteLog::close) came before.
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Shared {
    fn new(folder: Folder, clock: Arc<dyn Clock>, lanes: Lanes) -> Arc<Self> {
        Arc::new(Self {
            name: folder.name(),
            readers: Readers::new(folder.clone()),
            folder,
            clock,
            lanes: lanes.into(),
            queue: Queue::default(),
            closed: watch::Sender::new(None),
        })
    }

    fn lanes(&self) -> RwLockReadGuard<'_, Lanes> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_lanes(&self, topics: impl IntoIterator<Item = (Topic, Vec<Arc<Lane>>)>) {
        let mut lanes = self.lanes.write().unwrap_or_else(PoisonError::into_inner);
        topics.into_iter().for_each(|(topic, of_topic)| lanes.add(topic, of_topic));
    }

    /// Refuses everything from now on (L10). The first reason stays, and is returned.
    fn close(&self, why: LogError) -> LogError {
        let why = self.queue.close(why);
        self.closed.send_if_modified(|closed| closed.replace(why.clone()).is_none());
        why
    }

    fn fail(&self, what: &str) -> LogError {
        tracing::error!(dir = self.name, what, "the log was closed after an error");
        self.close(LogError::stop(format!(
            "{}: the log was closed after an error ({what}): start again",
            self.name
        )))
    }

    /// What a failed transaction means for its callers, and whether it is unknown to them.
    fn failed(&self, failure: Failure) -> (LogError, bool) {
        match failure {
            Failure::Nothing(Before::Passing(error)) => (error, false),
            Failure::Nothing(Before::Fatal(what)) => (self.fail(&what), false),
            Failure::Unknown(what) => (self.fail(&format!("a commit nobody knows the end of: {what}")), true),
        }
    }
}

#[async_trait]
impl Log for SqliteLog {
    fn append(&self, topic: &Topic, partition: u32, records: Vec<Record>) -> BoxFuture<'static, Append> {
        match self.queue(topic, partition, records) {
            Ok(outcome) => Box::pin(async move {
                let ended = |_| Append::Unknown(LogError::stop("the log's writer ended: start again"));
                outcome.await.unwrap_or_else(ended)
            }),
            Err(why) => Box::pin(std::future::ready(Append::Refused(why))),
        }
    }

    async fn read(
        &self,
        topic: &Topic,
        partition: u32,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        self.open_still()?;
        let lane = self.lane(topic, partition)?;
        // Nobody else writes: behind our own end there is nothing to look for.
        if limit == 0 || (!self.read_only && from >= lane.end()) {
            return Ok(Vec::new());
        }
        self.shared.readers.run(move |db| reader::range(db, &lane, from, limit)).await
    }

    async fn end(&self, topic: &Topic, partition: u32) -> Result<u64, LogError> {
        self.open_still()?;
        let lane = self.lane(topic, partition)?;
        if !self.read_only {
            return Ok(lane.end());
        }
        let look = move |db: &rusqlite::Connection| {
            let last = lane::last(db, &lane).map_err(|e| read_error(&lane.to_string(), &e))?;
            lane.reaches(last.map_or(0, |id| lane.offset(id).saturating_add(1)));
            Ok(lane.end())
        };
        self.shared.readers.run(look).await
    }

    async fn create(&self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        let (answer, created) = oneshot::channel();
        let new = NewService { service: service.into(), partitions, log_id, answer };
        if let Err(why) = self.shared.queue.create(new) {
            return Created::Refused(why);
        }
        let ended = |_| Created::Unknown(LogError::stop("the log's writer ended: start again"));
        created.await.unwrap_or_else(ended)
    }

    async fn join(&self, service: &str) -> Result<Box<dyn Membership>, LogError> {
        self.open_still()?;
        let refuse = |what| Err(LogError::stop(format!("{}: {what}", self.shared.name)));
        if self.read_only {
            return refuse("a log that was opened read-only owns no shards: open it for writing".into());
        }
        match self.shared.lanes().partitions(&Topic::events(service)) {
            0 => refuse(format!("there is no service {service:?}: create it first")),
            partitions => Ok(Box::new(Member::new(partitions, self.shared.closed.subscribe()))),
        }
    }
}

fn load(db: &rusqlite::Connection, path: &Path) -> Result<Lanes, OpenError> {
    let loaded = Lanes::load(db).map_err(|e| OpenError::sqlite(path, &e))?;
    loaded.map_err(|what| OpenError::Damaged { path: path.display().to_string(), what })
}

/// Says that the log is in use, before the first record is acknowledged. The -wal file exists by now; it must not be
/// forgotten before the witness that misses it.
fn begin_witness(db: &rusqlite::Connection, lanes: &Lanes, folder: &Folder) -> Result<(), OpenError> {
    let look = witness::Witness::look(db, lanes, false);
    let witness = look.map_err(|e| OpenError::sqlite(&folder.database(), &e))?;
    folder.sync().and_then(|()| witness.write(folder)).map_err(|e| OpenError::io(&folder.witness(), &e))
}

fn start(
    shared: Arc<Shared>,
    db: rusqlite::Connection,
    for_keeper: rusqlite::Connection,
    lock: folder::Lock,
) -> io::Result<JoinHandle<()>> {
    let keeper = Arc::new(Keeper::default());
    let keeping = thread::Builder::new().name("palinode-keeper".into()).spawn({
        let (keeper, shared) = (Arc::clone(&keeper), Arc::clone(&shared));
        move || {
            let _fail = FailOnUnwind(Arc::clone(&shared));
            keeper.run(&for_keeper, &shared);
        }
    })?;
    let writer = Writer { db, shared, keeper: Arc::clone(&keeper), keeping, lock };
    let spawned = thread::Builder::new().name("palinode-log".into()).spawn(move || writer.run());
    spawned.inspect_err(|_| keeper.stop())
}
