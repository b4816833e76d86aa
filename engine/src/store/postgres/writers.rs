//! The connections that transactions run on: a few, each used by one transaction at a time, none of them ever seen by
//! anybody else. Knows nothing of what a transaction does.
//!
//! A transaction runs in a task of its own that nobody aborts, because a driver's transaction must not be dropped half
//! way (transact-rs/sqlx#4393).
//!
//! | how it ended | what is answered | the connection |
//! |---|---|---|
//! | committed | `Committed` | serves the next one |
//! | the work failed or panicked | `RolledBack` | rolled back and closed |
//! | nobody answered, before COMMIT was sent | `RolledBack` | given up |
//! | the server refused the COMMIT | `RolledBack` | closed |
//! | nobody answered the COMMIT | `Unknown` | given up |
//!
//! The session of a connection that was given up may go on for a while in the server: hold its locks, even commit. So it
//! is **ended there before anything else is done**. Whoever was told `Unknown` and reads, reads what is decided.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{
    ConnectOptions, Connection, PgConnection, Postgres, Transaction,
    postgres::{PgConnectOptions, PgDatabaseError, PgSeverity},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::settings::PgSettings;
use crate::{
    checkpoint::{ApplyError, Transacted, Work},
    entity::panicked,
    store::driver::lost,
};

/// The oldest server that is served: `pg_terminate_backend` can wait.
const OLDEST: i32 = 140_000;
/// A connection that was idle for longer may have been cut by something in between that told nobody.
const IDLE: Duration = Duration::from_secs(60);
/// How often in turn a session is asked to end, and how long each time it is waited for (milliseconds).
const ENDING: (u32, i64) = (5, 1_000);

pub(super) struct Writers {
    place: String,
    options: PgConnectOptions,
    connect: Duration,
    transaction: Duration,
    turns: Semaphore,
    count: u32,
    idle: Mutex<Vec<(Session, Instant)>>,
    /// Sessions of connections that were given up.
    left: tokio::sync::Mutex<Vec<Backend>>,
}

/// A connection, and who serves it.
pub(super) struct Session {
    pub(super) conn: PgConnection,
    backend: Backend,
}

/// A process of the server: its number, and since when it is of this session, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Backend {
    pid: i32,
    since: i64,
}

/// What becomes of a connection.
enum Then {
    Keep,
    Close,
    /// Its session may go on in the server.
    GiveUp,
}

impl Writers {
    pub(super) fn new(settings: &PgSettings, options: PgConnectOptions) -> Self {
        Self {
            place: settings.place(),
            options,
            connect: settings.connect,
            transaction: settings.transaction,
            turns: Semaphore::new(settings.writers.try_into().unwrap_or(Semaphore::MAX_PERMITS)),
            count: settings.writers,
            idle: Mutex::default(),
            left: tokio::sync::Mutex::default(),
        }
    }

    /// Runs the work in a transaction, beside others.
    pub(super) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: Work<PgConnection, T>,
    ) -> BoxFuture<'static, Transacted<T>> {
        let writers = Arc::clone(self);
        let task = tokio::spawn(async move { writers.transact(work).await });
        task.map(|end| end.unwrap_or_else(lost)).boxed()
    }

    async fn transact<T>(&self, work: Work<PgConnection, T>) -> Transacted<T> {
        let Ok(_turn) = self.turns.acquire().await else {
            return Transacted::RolledBack(self.closed());
        };
        let mut work = Some(work);
        loop {
            let (mut session, kept) = match self.session().await {
                Ok(session) => session,
                Err(e) => return Transacted::RolledBack(e),
            };
            let asked = AtomicBool::new(false);
            let limits = (self.connect, self.transaction);
            // Dropped half way only together with its connection.
            let (outcome, then) = match within(limits, &mut session.conn, &mut work, &asked).await {
                Some(end) => end,
                None => (self.unanswered(asked.into_inner()), Then::GiveUp),
            };
            match then {
                Then::Keep => self.keep(session),
                Then::Close => drop(timeout(self.connect, session.conn.close()).await),
                Then::GiveUp => self.give_up(session).await,
            }
            // A connection that was cut while it was idle has done nothing, and the next one may be as dead.
            if !(kept && work.is_some()) {
                return outcome;
            }
        }
    }

    fn unanswered<T>(&self, asked: bool) -> Transacted<T> {
        let e = ApplyError::outage(format!(
            "a transaction was given up: {} has not answered for {:?}",
            self.place, self.transaction
        ));
        if asked { Transacted::Unknown(e) } else { Transacted::RolledBack(e) }
    }

    /// A connection, and whether it has been used before.
    async fn session(&self) -> Result<(Session, bool), ApplyError> {
        self.settled().await?;
        match self.take() {
            Some(session) => Ok((session, true)),
            None => Ok((self.connect().await?, false)),
        }
    }

    /// Ends the sessions of connections that were given up, so that what they did is decided.
    pub(super) async fn settled(&self) -> Result<(), ApplyError> {
        let mut left = self.left.lock().await;
        if left.is_empty() {
            return Ok(());
        }
        let mut session = self.connect().await?;
        while let Some(backend) = left.last() {
            timeout(self.transaction, end(&mut session.conn, *backend))
                .await
                .unwrap_or_else(|_| Err(ApplyError::outage("it was not answered")))
                .map_err(|e| {
                    let what = format!("{}: ending session {} of ours: {e}", self.place, backend.pid);
                    ApplyError::new(e.class, what)
                })?;
            left.pop();
        }
        self.keep(session);
        Ok(())
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Session, ApplyError> {
        let opened = timeout(self.connect, open(&self.options)).await;
        let opened = opened.unwrap_or_else(|_| {
            Err(ApplyError::outage(format!("it did not answer within {:?}", self.connect)))
        });
        let (session, version) = opened
            .map_err(|e| ApplyError::new(e.class, format!("cannot use PostgreSQL at {}: {e}", self.place)))?;
        if version < OLDEST {
            return Err(ApplyError::broken(format!(
                "{} is PostgreSQL {}: {} is the oldest that is served",
                self.place,
                version / 10_000,
                OLDEST / 10_000
            )));
        }
        Ok(session)
    }

    /// Lets running transactions end; everything later is refused.
    pub(super) async fn close(&self) {
        // All turns are ours only when nobody is at work.
        let turns = self.turns.acquire_many(self.count).await;
        self.turns.close();
        drop(turns);
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for (session, _) in idle {
            drop(timeout(self.connect, session.conn.close()).await);
        }
    }

    pub(super) fn closed(&self) -> ApplyError {
        ApplyError::broken(format!("{} is closed: its node has stopped", self.place))
    }

    fn keep(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((session, Instant::now()));
    }

    /// The connection that was used last.
    fn take(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        idle.retain(|(_, since)| now.duration_since(*since) < IDLE);
        idle.pop().map(|(session, _)| session)
    }

    async fn give_up(&self, session: Session) {
        self.left.lock().await.push(session.backend);
        if let Err(e) = session.conn.close_hard().await {
            tracing::debug!(server = self.place, error = %e, "closing a connection that failed");
        }
    }
}

async fn open(options: &PgConnectOptions) -> Result<(Session, i32), ApplyError> {
    let mut conn = options.connect().await.map_err(|e| {
        // undefined_object: a setting that it does not know.
        match e.as_database_error().and_then(|e| e.code()).as_deref() {
            Some("42704") => ApplyError::broken(format!("it is older than PostgreSQL 14: {e}")),
            _ => ApplyError::from(e),
        }
    })?;
    let (pid, since, version) = sqlx::query_as(
        "select pid, (extract(epoch from backend_start) * 1000000)::bigint, current_setting('server_version_num')::int \
         from pg_stat_activity where pid = pg_backend_pid()",
    )
    .fetch_one(&mut conn)
    .await?;
    Ok((Session { conn, backend: Backend { pid, since } }, version))
}

/// The end of a transaction and of its connection; `None` when that took too long. The work is taken as soon as the
/// transaction has begun; `asked` is set when COMMIT may be on its way.
async fn within<T>(
    (begin, all): (Duration, Duration),
    conn: &mut PgConnection,
    work: &mut Option<Work<PgConnection, T>>,
    asked: &AtomicBool,
) -> Option<(Transacted<T>, Then)> {
    let begun = timeout(begin, conn.begin()).await.unwrap_or(Err(sqlx::Error::BeginFailed));
    let tx = match begun {
        Ok(tx) => tx,
        Err(e) => return Some((Transacted::RolledBack(e.into()), Then::GiveUp)),
    };
    let work = work.take()?;
    timeout(all, transaction(tx, work, asked)).await.ok()
}

async fn transaction<T>(
    mut tx: Transaction<'_, Postgres>,
    work: Work<PgConnection, T>,
    asked: &AtomicBool,
) -> (Transacted<T>, Then) {
    let done = AssertUnwindSafe(async { work(&mut tx).await }).catch_unwind().await;
    let failed = match done {
        Ok(Ok(value)) => match sound(&mut tx).await {
            Ok(()) => {
                asked.store(true, Ordering::Relaxed);
                return match tx.commit().await {
                    Ok(()) => (Transacted::Committed(value), Then::Keep),
                    Err(e) if refused(&e) => (Transacted::RolledBack(e.into()), Then::Close),
                    Err(e) => (Transacted::Unknown(e.into()), Then::GiveUp),
                };
            }
            Err(e) => e,
        },
        Ok(Err(e)) => e,
        Err(panic) => ApplyError::poison(panicked("a transaction", &*panic)),
    };
    let rolled_back = tx.rollback().await.is_ok();
    (Transacted::RolledBack(failed), if rolled_back { Then::Close } else { Then::GiveUp })
}

/// Whether what was done can be committed. After an error that the work has swallowed the server would take COMMIT for
/// ROLLBACK, and say yes. Constraints that wait for the end are checked here, while what breaks them can be told.
async fn sound(conn: &mut PgConnection) -> Result<(), ApplyError> {
    match sqlx::query("set constraints all immediate").execute(conn).await {
        Ok(_) => Ok(()),
        Err(e) if e.as_database_error().and_then(|e| e.code()).as_deref() == Some("25P02") => {
            Err(ApplyError::poison("an error of the database was swallowed: it has taken everything back"))
        }
        Err(e) => Err(e.into()),
    }
}

/// Whether the server has said no to a COMMIT, and lives: then nothing of it happened.
fn refused(e: &sqlx::Error) -> bool {
    let said = e.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>());
    said.is_some_and(|e| e.severity() == PgSeverity::Error)
}

/// Ends a session in the server; when it returns, it is gone.
async fn end(conn: &mut PgConnection, backend: Backend) -> Result<(), ApplyError> {
    let sql = "select pg_terminate_backend(pid, $3) from pg_stat_activity \
               where pid = $1 and (extract(epoch from backend_start) * 1000000)::bigint = $2";
    for _ in 0..ENDING.0 {
        let asked = sqlx::query_scalar(sql).bind(backend.pid).bind(backend.since).bind(ENDING.1);
        match asked.fetch_optional(&mut *conn).await? {
            None | Some(true) => return Ok(()),
            Some(false) => {}
        }
    }
    Err(ApplyError::outage("it does not end"))
}
