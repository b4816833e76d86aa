//! Tells who waits in this process that a checkpoint may have moved: a hint to look by, never more. Whoever looks now and
//! then all the same is only slower when nobody rings. Knows no database.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::Key;
use crate::news::{Hearer, Teller};

/// What is waited for: a projection's checkpoints in all shards of a service, or in one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    projection: Arc<str>,
    service: Arc<str>,
    shard: Option<u32>,
}

impl About {
    /// All shards.
    #[must_use]
    pub fn all(projection: &Arc<str>, service: &Arc<str>) -> Self {
        Self { projection: Arc::clone(projection), service: Arc::clone(service), shard: None }
    }

    /// The shard of this checkpoint, in any version.
    #[must_use]
    pub fn one(key: &Key) -> Self {
        Self { shard: Some(key.shard), ..Self::all(&key.projection, &key.service) }
    }

    /// What [`fmt::Display`] made of one; nothing of anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (projection, service, shard) = (parts.next()?, parts.next()?, parts.next()?);
        let shard = if shard.is_empty() { None } else { Some(shard.parse().ok()?) };
        let whole = parts.next().is_none();
        whole.then(|| Self { projection: projection.into(), service: service.into(), shard })
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.projection, self.service)?;
        self.shard.map_or(Ok(()), |shard| write!(f, "{shard}"))
    }
}

/// Who waits. Cheap to clone; a clone is the same bell.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    tellers: Mutex<BTreeMap<About, Teller<()>>>,
    rung: AtomicBool,
}

/// Waits for the bell.
#[derive(Debug)]
pub struct News {
    heard: Hearer<()>,
    bell: Bell,
}

impl News {
    /// Returns when the bell was rung since the last call, or since this was made. May be dropped.
    pub async fn changed(&mut self) {
        if !self.heard.changed().await {
            std::future::pending::<()>().await;
        }
    }

    /// Whether it is rung at all: somebody listens to the other processes.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.bell.0.rung.load(Relaxed)
    }
}

impl Bell {
    /// Hears about this from now on.
    #[must_use]
    pub fn hear(&self, about: &About) -> News {
        let mut tellers = self.tellers();
        let teller = tellers.entry(about.clone()).or_insert_with(|| Teller::new(()));
        News { heard: teller.hearer(), bell: self.clone() }
    }

    /// A checkpoint may have moved.
    pub fn ring(&self, about: &About) {
        let tellers = self.tellers();
        let all = About { shard: None, ..about.clone() };
        let told = [Some(&all), Some(about).filter(|about| about.shard.is_some())];
        told.into_iter()
            .flatten()
            .filter_map(|about| tellers.get(about))
            .for_each(|teller| teller.tell(|()| true));
    }

    /// From now on the bell is rung for every checkpoint, or no longer; what was not heard before is to be looked for.
    pub fn is_rung(&self, rung: bool) {
        self.0.rung.store(rung, Relaxed);
        self.tellers().values().for_each(|teller| teller.tell(|()| true));
    }

    fn tellers(&self) -> MutexGuard<'_, BTreeMap<About, Teller<()>>> {
        self.0.tellers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn key(shard: u32) -> Key {
        Key { projection: "balances".into(), version: 2, service: "bank".into(), shard }
    }

    #[test]
    fn who_waits_for_all_shards_hears_of_each_and_others_of_theirs() {
        let bell = Bell::default();
        let mut all = bell.hear(&About::all(&"balances".into(), &"bank".into()));
        let (mut zero, mut one) = (bell.hear(&About::one(&key(0))), bell.hear(&About::one(&key(1))));
        bell.ring(&About::one(&key(1)));
        assert_eq!(all.changed().now_or_never(), Some(()));
        assert_eq!(one.changed().now_or_never(), Some(()));
        assert_eq!(zero.changed().now_or_never(), None);
        assert_eq!(all.changed().now_or_never(), None);
        bell.ring(&About { service: "shop".into(), ..About::one(&key(0)) });
        assert_eq!((all.changed().now_or_never(), zero.changed().now_or_never()), (None, None));
    }

    #[test]
    fn when_it_begins_or_ceases_to_be_rung_everybody_looks() {
        let bell = Bell::default();
        let mut zero = bell.hear(&About::one(&key(0)));
        for rung in [true, false] {
            bell.is_rung(rung);
            assert_eq!((zero.changed().now_or_never(), zero.is_live()), (Some(()), rung));
        }
    }

    #[test]
    fn what_is_said_is_understood() {
        for about in [About::one(&key(7)), About::all(&"balances".into(), &"bank".into())] {
            assert_eq!(About::parse(&about.to_string()), Some(about));
        }
        for other in ["", "a", "a/b", "a/b/c", "a/b/1/2"] {
            assert_eq!(About::parse(other), None, "{other}");
        }
    }
}
