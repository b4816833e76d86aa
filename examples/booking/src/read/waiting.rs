//! The guests' window on the read models: which trips wait for their guest now, and which were there before. A guest
//! who wants to cancel looks here first, as a person would look at a page.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use palinode::{Clock, SystemClock};
use rusqlite::{Connection, OpenFlags};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::domain::TripId;

/// How often the page is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Looks at the page for everyone who waits for a trip to wait.
pub(crate) struct Desk {
    asked: Arc<Asked>,
    looking: JoinHandle<()>,
}

type Asked = Mutex<BTreeMap<TripId, oneshot::Sender<()>>>;

impl Desk {
    /// Opens the read models of this folder, which must be there.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let db = open(folder)?;
        let asked = Arc::new(Asked::default());
        let looking = tokio::spawn(look(db, Arc::clone(&asked)));
        Ok(Self { asked, looking })
    }

    /// Returns when the page shows that the trip waits for its guest. May be dropped at any time.
    pub(crate) async fn waits(&self, trip: TripId) {
        let (tell, told) = oneshot::channel();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(trip, tell);
        if told.await.is_err() {
            // Nobody looks any more: it will not be seen to wait.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

/// Opens the read models beside the node.
///
/// # Errors
/// When they cannot be opened.
pub(crate) fn open(folder: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(folder.join("read.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(Duration::from_secs(5))?;
    Ok(db)
}

/// All trips the read model knows.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn known(db: &Connection) -> rusqlite::Result<BTreeSet<TripId>> {
    ids(db, "select id from trip")
}

fn ids(db: &Connection, sql: &str) -> rusqlite::Result<BTreeSet<TripId>> {
    let mut query = db.prepare_cached(sql)?;
    let rows = query.query_map([], |row| row.get::<_, String>(0))?;
    rows.filter_map(|id| id.map(|id| id.parse().ok()).transpose()).collect()
}

async fn look(db: Connection, asked: Arc<Asked>) {
    let mut db = Some(db);
    while let Some(now) = db.take() {
        SystemClock.wait_until(SystemClock.now().plus(LOOK)).await;
        asked.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, tell| !tell.is_closed());
        let asked = Arc::clone(&asked);
        let looked = tokio::task::spawn_blocking(move || {
            let Ok(waiting) = ids(&now, "select id from trip where phase = 'waiting'") else {
                return now; // the file is busy: the next look sees the same
            };
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            for tell in waiting.iter().filter_map(|trip| asked.remove(trip)) {
                // Its guest may have left.
                let _ = tell.send(());
            }
            drop(asked);
            now
        });
        db = looked.await.ok();
    }
}
