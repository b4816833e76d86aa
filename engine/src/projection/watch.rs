//! A read model that runs in another process, seen from here: waiting for one's own writes by looking at its
//! checkpoints, and what is parked. Runs nothing and changes nothing.
//!
//! Whoever waits looks when the database tells that something has moved; and, because that may be lost, twice a second,
//! or at first every 20 ms where it tells nothing. A look that begins after somebody asked serves
//! everybody who asked before it, so many waiters cost as much as one.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::sync::Mutex;

use super::{Waited, footing::settled};
use crate::{
    checkpoint::{About, Act, ApplyError, Checkpoint, Class, Key, News, Parked, ReadDb, State, Version},
    clock::Clock,
    position::Token,
};

/// The first pause between two looks, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A read model that somebody else runs. Cheap to clone.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::{sync::Arc, time::Duration};
/// use palinode::{ManualClock, Token, projection::{State, Waited, Watch}, store::memory::MemoryDb};
///
/// let balances = Watch::new(MemoryDb::default(), "balances", "bank", Arc::new(ManualClock::default()));
/// let token: Token = "bank~0192a5b4-7d6e-7c3a-9f00-112233445566~3~42".parse()?;
/// let waited = balances.wait_for(&token, Duration::ZERO).await;
/// assert_eq!(waited, Waited::NotYet { pseq: 0, lag: 42, state: State::Starting });
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Watch<D>(Arc<Shared<D>>);

struct Shared<D> {
    db: D,
    projection: Arc<str>,
    service: Arc<str>,
    clock: Arc<dyn Clock>,
    /// What the last look has seen.
    seen: Mutex<Seen>,
    /// How many looks have begun.
    begun: AtomicU64,
}

#[derive(Default)]
struct Seen {
    look: u64,
    found: Option<Result<Arc<Vec<Version>>, ApplyError>>,
}

/// What one look says of a token.
enum Look {
    End(Waited),
    /// Past it: whether its commit is held back is still to be asked.
    Past(Key),
    NotYet(u64, State),
}

impl<D: ReadDb> Watch<D> {
    /// Of this projection of this service, by their names.
    #[must_use]
    pub fn new(db: D, projection: &str, service: &str, clock: Arc<dyn Clock>) -> Self {
        let (projection, service) = (projection.into(), service.into());
        Self(Arc::new(Shared { db, projection, service, clock, seen: Mutex::default(), begun: 0.into() }))
    }

    /// Waits until the tables that readers see hold the effects of the answer that gave this token, at most `within`.
    /// When readers are moved to another version, it goes on waiting for that one. Answers `Stopped` when the shard's
    /// runner has said that it stands still; a runner that is gone without a word looks like one that is slow.
    pub async fn wait_for(&self, token: &Token, within: Duration) -> Waited {
        let clock = &self.0.clock;
        let (until, mut pause) = (clock.now().plus(within), PAUSE.0);
        // Before the look, so that nothing is missed between the two.
        let mut news = self.0.db.news(&About::all(&self.0.projection, &self.0.service));
        loop {
            let (pseq, state) = match self.ask(token).await {
                Ok(ControlFlow::Break(waited)) => return waited,
                Ok(ControlFlow::Continue(not_yet)) => not_yet,
                Err(e) if e.class != Class::Outage => return Waited::Stopped { reason: e.what },
                Err(e) => (0, State::Retrying { why: e.what }),
            };
            let left = until.since(clock.now());
            if left.is_zero() {
                return Waited::NotYet { pseq, lag: token.pseq.saturating_sub(pseq), state };
            }
            let told = async {
                match &mut news {
                    Some(news) => news.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = told => {}
                () = clock.pass(pause.min(left)) => {}
            }
            if news.as_ref().is_some_and(News::is_live) {
                pause = PAUSE.1;
                continue;
            }
            pause = pause.saturating_mul(2).min(PAUSE.1);
        }
    }

    /// The versions of the projection, by number.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn versions(&self) -> Result<Vec<Version>, ApplyError> {
        let projection = Arc::clone(&self.0.projection);
        let found = self
            .0
            .db
            .transact(Box::new(move |tx| Box::pin(async move { D::versions(tx, &projection).await })));
        settled(found.await)
    }

    /// The keys that are parked in the version that readers see, by shard and key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked(&self) -> Result<Vec<Parked>, ApplyError> {
        let versions = self.versions().await?;
        let of = versions.into_iter().filter(|version| version.active).flat_map(|version| version.at);
        let keys: Vec<Key> = of.map(|(key, _)| key).filter(|key| key.service == self.0.service).collect();
        let found = self.0.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                let mut all = Vec::new();
                for key in &keys {
                    all.extend(D::parked(tx, key).await?);
                }
                Ok(all)
            })
        }));
        settled(found.await)
    }

    /// What people did to the projection, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn acts(&self) -> Result<Vec<Act>, ApplyError> {
        let projection = Arc::clone(&self.0.projection);
        let found =
            self.0.db.transact(Box::new(move |tx| Box::pin(async move { D::acts(tx, &projection).await })));
        settled(found.await)
    }

    /// The end of a wait, if this is one; otherwise how far the shard is.
    async fn ask(&self, token: &Token) -> Result<ControlFlow<Waited, (u64, State)>, ApplyError> {
        Ok(match self.judge(&self.look().await?, token) {
            Look::End(waited) => ControlFlow::Break(waited),
            Look::Past(key) => ControlFlow::Break(match self.holder(key, token.pseq).await? {
                Some(key) => Waited::Parked { key },
                None => Waited::Reached,
            }),
            Look::NotYet(pseq, state) => ControlFlow::Continue((pseq, state)),
        })
    }

    /// What is there, not before now.
    async fn look(&self) -> Result<Arc<Vec<Version>>, ApplyError> {
        let asked = self.0.begun.load(SeqCst);
        let mut seen = self.0.seen.lock().await;
        if let Some(found) = seen.found.as_ref().filter(|_| seen.look > asked) {
            return found.clone();
        }
        let look = self.0.begun.fetch_add(1, SeqCst).saturating_add(1);
        let found = self.versions().await.map(Arc::new);
        *seen = Seen { look, found: Some(found.clone()) };
        found
    }

    fn judge(&self, versions: &[Version], token: &Token) -> Look {
        let mine = |key: &Key| key.service == self.0.service;
        let all: BTreeSet<_> = versions
            .iter()
            .flat_map(|v| &v.at)
            .filter(|(key, _)| mine(key))
            .map(|(_, at)| at.position.log_id)
            .collect();
        if let Some(log_id) =
            all.first().filter(|_| token.service != self.0.service || !all.contains(&token.log_id))
        {
            return Look::End(Waited::WrongLog { follows: (Arc::clone(&self.0.service), *log_id) });
        }
        let Some(active) = versions.iter().find(|version| version.active) else {
            return Look::NotYet(0, State::Starting);
        };
        let here = |key: &Key| mine(key) && key.shard == token.shard;
        let found: Option<&(Key, Checkpoint)> = active.at.iter().find(|(key, _)| here(key));
        let Some((key, at)) = found else { return Look::NotYet(0, State::Starting) };
        if at.position.pseq >= token.pseq {
            return Look::Past(key.clone());
        }
        match active.still.iter().find(|(key, _)| here(key)) {
            Some((_, why)) => {
                let reason = format!(
                    "readers see version {} of {}, on {}: {why}",
                    active.version, self.0.projection, self.0.service
                );
                Look::End(Waited::Stopped { reason: reason.into() })
            }
            None => Look::NotYet(at.position.pseq, State::CatchingUp),
        }
    }

    /// A key that holds back events of this commit.
    async fn holder(&self, of: Key, pseq: u64) -> Result<Option<String>, ApplyError> {
        let holder =
            self.0.db.transact(Box::new(move |tx| Box::pin(async move { D::holder(tx, &of, pseq).await })));
        settled(holder.await)
    }
}
