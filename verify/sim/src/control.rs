//! What is done to one incarnation of a node from outside: killed at its n-th call of a port, frozen, cut off. Everything
//! it waits for passes here, so after its death nothing of it leaves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// On which side of a port's work the fuse burns down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Side {
    /// The work is not done.
    Before,
    /// The work is done, and nobody hears of it.
    After,
}

/// What does not come through to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Cut {
    /// What it asks.
    Requests,
    /// What it is answered.
    Replies,
}

/// One incarnation.
#[derive(Clone)]
pub(crate) struct Control(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Wakes in the order of waiting, which a watch channel does not.
    thawed: Notify,
    died: Notify,
    stop: tokio_util::sync::CancellationToken,
}

struct State {
    fuse: Option<(u64, Side)>,
    dead: bool,
    frozen: bool,
    log: Option<Cut>,
    store: Option<Cut>,
}

/// A port's work that may begin; whether the node dies of it when it is done.
pub(crate) struct Entered(bool);

impl Control {
    pub(crate) fn new() -> Self {
        let state = State { fuse: None, dead: false, frozen: false, log: None, store: None };
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            thawed: Notify::new(),
            died: Notify::new(),
            stop: tokio_util::sync::CancellationToken::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It dies at this call of a port from now on: 0 is the next.
    pub(crate) fn fuse(&self, calls: u64, side: Side) {
        self.lock().fuse = Some((calls, side));
    }

    /// It does not die of what was set before.
    pub(crate) fn disarm(&self) {
        self.lock().fuse = None;
    }

    pub(crate) fn kill(&self) {
        self.lock().dead = true;
        self.0.died.notify_waiters();
        self.0.died.notify_one();
    }

    /// Asks it to stop in order.
    pub(crate) fn ask_to_stop(&self) {
        self.0.stop.cancel();
    }

    /// Returns when it was asked to stop.
    pub(crate) async fn asked_to_stop(&self) {
        self.0.stop.cancelled().await;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.lock().dead
    }

    /// Returns when it is dead.
    pub(crate) async fn died(&self) {
        loop {
            let died = self.0.died.notified();
            tokio::pin!(died);
            died.as_mut().enable();
            if self.is_dead() {
                return;
            }
            died.await;
        }
    }

    pub(crate) fn freeze(&self, frozen: bool) {
        self.lock().frozen = frozen;
        if !frozen {
            self.0.thawed.notify_waiters();
        }
    }

    pub(crate) fn cut_log(&self, cut: Option<Cut>) {
        self.lock().log = cut;
    }

    pub(crate) fn cut_store(&self, cut: Option<Cut>) {
        self.lock().store = cut;
    }

    pub(crate) fn log_cut(&self) -> Option<Cut> {
        self.lock().log
    }

    pub(crate) fn store_cut(&self) -> Option<Cut> {
        self.lock().store
    }

    /// Whether a port's work may begin; nothing when the node is dead, or just died of it.
    pub(crate) fn enter(&self) -> Option<Entered> {
        let mut state = self.lock();
        if state.dead {
            return None;
        }
        let burnt = match &mut state.fuse {
            Some((0, side)) => Some(*side),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        drop(state);
        match burnt {
            Some(Side::Before) => {
                self.kill();
                None
            }
            Some(Side::After) => {
                self.lock().fuse = None;
                Some(Entered(true))
            }
            None => Some(Entered(false)),
        }
    }

    /// Hears the result of a port's work: never when it is dead, later when it is frozen.
    pub(crate) async fn leave(&self, entered: Entered) {
        if entered.0 {
            self.kill();
        }
        loop {
            let thawed = self.0.thawed.notified();
            tokio::pin!(thawed);
            thawed.as_mut().enable();
            let frozen = self.lock().frozen;
            if !frozen {
                break;
            }
            thawed.await;
        }
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}
