//! A value that one tells and many wait for, in this process. Waiters are woken in the order in which they began to
//! wait, so a simulation of several of them runs the same twice; `tokio::sync::watch` wakes them in a random one. Knows
//! nothing of what the value means.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Who tells. When it is dropped, nothing is news any more.
#[derive(Debug)]
pub(crate) struct Teller<T>(Arc<Shared<T>>);

/// Who waits. A clone has seen what this one has seen.
#[derive(Debug, Clone)]
pub(crate) struct Hearer<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

#[derive(Debug)]
struct Shared<T> {
    told: Mutex<Told<T>>,
    news: Notify,
}

#[derive(Debug)]
struct Told<T> {
    value: T,
    /// How often there was news.
    times: u64,
    over: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Told<T>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Teller<T> {
    /// Of this value, which is no news.
    pub(crate) fn new(value: T) -> Self {
        let told = Mutex::new(Told { value, times: 0, over: false });
        Self(Arc::new(Shared { told, news: Notify::new() }))
    }

    /// Somebody who waits for news from now on.
    pub(crate) fn hearer(&self) -> Hearer<T> {
        Hearer { seen: self.0.lock().times, shared: Arc::clone(&self.0) }
    }

    /// The value now.
    pub(crate) fn get(&self) -> T {
        self.0.lock().value.clone()
    }

    /// Changes the value, and tells whether that is news.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut T) -> bool) {
        let mut told = self.0.lock();
        if change(&mut told.value) {
            told.times = told.times.wrapping_add(1);
            drop(told);
            self.0.news.notify_waiters();
        }
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        self.0.lock().over = true;
        self.0.news.notify_waiters();
    }
}

impl<T: Clone> Hearer<T> {
    /// The value now; whether it is news is not touched.
    pub(crate) fn get(&self) -> T {
        self.shared.lock().value.clone()
    }

    /// The value now, which is no news from now on.
    pub(crate) fn take(&mut self) -> T {
        let told = self.shared.lock();
        self.seen = told.times;
        told.value.clone()
    }

    /// Returns when there is news, which is none from then on; `false` when there will be none. May be dropped.
    pub(crate) async fn changed(&mut self) -> bool {
        loop {
            // Made before the look, so it is woken by whatever comes after the look.
            let news = self.shared.news.notified();
            {
                let told = self.shared.lock();
                if told.times != self.seen {
                    self.seen = told.times;
                    return true;
                }
                if told.over {
                    return false;
                }
            }
            news.await;
        }
    }

    /// Returns with the value once it is as wanted; `None` when it will not be. May be dropped.
    pub(crate) async fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Option<T> {
        loop {
            let value = self.take();
            if wanted(&value) {
                return Some(value);
            }
            if !self.changed().await {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn whoever_waited_first_is_woken_first() {
        runtime().block_on(async {
            let teller = Teller::new(0);
            let order = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = Vec::new();
            for n in 0..100 {
                let (mut hearer, order) = (teller.hearer(), Arc::clone(&order));
                tasks.push(tokio::spawn(async move {
                    assert!(hearer.changed().await);
                    order.lock().unwrap().push(n);
                }));
                tokio::task::yield_now().await;
            }
            teller.tell(|value| {
                *value = 1;
                true
            });
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
        });
    }

    #[test]
    fn news_is_heard_once_and_nothing_is_missed() {
        runtime().block_on(async {
            let teller = Teller::new(0);
            let mut hearer = teller.hearer();
            teller.tell(|_| false);
            teller.tell(|value| {
                *value = 7;
                true
            });
            assert!(hearer.changed().await);
            assert_eq!((hearer.get(), hearer.take()), (7, 7));
            assert_eq!(hearer.wait_for(|value| *value == 7).await, Some(7));
            drop(teller);
            assert!(!hearer.changed().await);
            assert_eq!(hearer.wait_for(|value| *value == 8).await, None);
        });
    }
}
