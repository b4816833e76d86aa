//! Tells the other processes that a checkpoint has moved, and hears it from them, by LISTEN and NOTIFY. A hint and no
//! more: it is sent after the commit and not in it, because commits that notify wait for each other on the whole server,
//! and it is lost while nobody listens. Whoever waits looks now and then all the same.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{PgPool, postgres::PgListener};
use tokio::{sync::Notify, task::JoinSet, time::sleep};

use crate::checkpoint::{About, Bell, News};

/// The channel of a database; the schema is said in what is sent.
const CHANNEL: &str = "palinode";
/// The shortest time between two statements that notify.
const QUIET: Duration = Duration::from_millis(20);
/// How long it takes until a connection that was lost is made again.
const AGAIN: Duration = Duration::from_secs(1);

/// Both ends, for one database. Its tasks begin with the first who rings or hears.
pub(super) struct Notices {
    shared: Arc<Shared>,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    all: JoinSet<()>,
    rings: bool,
    listens: bool,
}

struct Shared {
    bell: Bell,
    /// The connection that listens.
    listener: PgPool,
    /// Those that notify.
    others: PgPool,
    moved: Mutex<BTreeSet<About>>,
    wake: Notify,
}

impl Notices {
    pub(super) fn new(listener: PgPool, others: PgPool) -> Self {
        let (bell, moved, wake) = (Bell::default(), Mutex::default(), Notify::new());
        Self { shared: Arc::new(Shared { bell, listener, others, moved, wake }), tasks: Mutex::default() }
    }

    /// A checkpoint has moved: told here at once, and elsewhere soon.
    pub(super) fn ring(&self, about: About) {
        self.shared.bell.ring(&about);
        self.shared.moved().insert(about);
        self.shared.wake.notify_one();
        let mut tasks = self.tasks();
        if !std::mem::replace(&mut tasks.rings, true) {
            let shared = Arc::clone(&self.shared);
            tasks.all.spawn(async move { shared.send().await });
        }
    }

    /// Hears of it from now on.
    pub(super) fn hear(&self, about: &About) -> News {
        let mut tasks = self.tasks();
        if !std::mem::replace(&mut tasks.listens, true) {
            let shared = Arc::clone(&self.shared);
            tasks.all.spawn(async move { shared.listen().await });
        }
        self.shared.bell.hear(about)
    }

    /// Nobody is told any more.
    pub(super) async fn close(&self) {
        // A statement that is dropped half way takes its connection with it.
        let mut all = std::mem::take(&mut self.tasks().all);
        all.shutdown().await;
        self.shared.bell.is_rung(false);
        self.shared.listener.close().await;
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn moved(&self) -> MutexGuard<'_, BTreeSet<About>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the others what has moved, all of it at once.
    async fn send(&self) {
        loop {
            self.wake.notified().await;
            let moved: Vec<String> =
                std::mem::take(&mut *self.moved()).iter().map(ToString::to_string).collect();
            let sql = "select count(pg_notify($1, current_schema() || '/' || moved)) from unnest($2::text[]) as m (moved)";
            let sent = sqlx::query(sql).bind(CHANNEL).bind(moved).execute(&self.others).await;
            if let Err(e) = sent {
                tracing::debug!("others are not told that checkpoints moved: {e}");
            }
            sleep(QUIET).await;
        }
    }

    /// Listens, and again when the connection was lost.
    async fn listen(&self) {
        loop {
            let why = self.follow().await.err().map_or("the connection was lost".into(), |e| e.to_string());
            tracing::info!("not told when checkpoints move, looked for instead: {why}");
            self.bell.is_rung(false);
            sleep(AGAIN).await;
        }
    }

    /// Passes on what is heard, until the connection is lost.
    async fn follow(&self) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.listener).await?;
        listener.listen(CHANNEL).await?;
        let schema: String =
            sqlx::query_scalar("select current_schema() || '/'").fetch_one(&mut listener).await?;
        self.bell.is_rung(true);
        while let Some(notice) = listener.try_recv().await? {
            if let Some(about) = notice.payload().strip_prefix(&*schema).and_then(About::parse) {
                self.bell.ring(&about);
            }
        }
        Ok(())
    }
}
