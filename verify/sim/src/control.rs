//! What is done to one incarnation of a node from outside: killed at its n-th call of a port, or between two of them,
//! frozen, cut off. Everything it waits for passes here, so after its death nothing of it leaves.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use palinode::sometimes;

use tokio::sync::Notify;

/// On which side of a port's work the fuse burns down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Side {
    /// The work is not done.
    Before,
    /// The work is done, and nobody hears of it.
    After,
    /// The work is done and heard of, and so many turns of the scheduler later the node dies, between any two polls of
    /// its tasks.
    Amid(u32),
}

impl Side {
    /// The name under which it is counted.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Amid(_) => "amid",
        }
    }
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
    fuse: Option<Fuse>,
    /// The fuse that is lit when it next begins to recover a shard.
    recovery: Option<Fuse>,
    dead: bool,
    frozen: bool,
    log: Option<Cut>,
    store: Option<Cut>,
}

/// How many calls are left, and what happens then.
#[derive(Clone, Copy)]
struct Fuse {
    calls: u64,
    side: Side,
    /// It was lit by the beginning of a recovery.
    recovering: bool,
}

/// A port's work that may begin, and how many turns of the scheduler after it the node dies.
pub(crate) struct Entered(Option<u32>);

/// Lets every other task that is ready have so many turns. It takes no time.
async fn turns(count: u32) {
    for _ in 0..count {
        let mut waited = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut waited, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl Control {
    pub(crate) fn new() -> Self {
        let state = State { fuse: None, recovery: None, dead: false, frozen: false, log: None, store: None };
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
        self.lock().fuse = Some(Fuse { calls, side, recovering: false });
    }

    /// It dies at this call of a port after it has next begun to recover a shard.
    pub(crate) fn fuse_recovery(&self, calls: u64, side: Side) {
        self.lock().recovery = Some(Fuse { calls, side, recovering: true });
    }

    /// It begins to recover a shard.
    pub(crate) fn recovers(&self) {
        let mut state = self.lock();
        state.fuse = state.recovery.take().or(state.fuse);
    }

    /// It does not die of what was set before.
    pub(crate) fn disarm(&self) {
        let mut state = self.lock();
        (state.fuse, state.recovery) = (None, None);
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
            Some(Fuse { calls: 0, .. }) => state.fuse.take(),
            Some(fuse) => {
                fuse.calls -= 1;
                None
            }
            None => None,
        };
        drop(state);
        let Some(Fuse { side, recovering, .. }) = burnt else { return Some(Entered(None)) };
        if recovering {
            sometimes!("node died while it recovered a shard");
        }
        match side {
            Side::Before => {
                self.kill();
                None
            }
            Side::After => Some(Entered(Some(0))),
            Side::Amid(turns) => Some(Entered(Some(turns))),
        }
    }

    /// Hears the result of a port's work: never when it is dead, later when it is frozen.
    pub(crate) async fn leave(&self, entered: Entered) {
        match entered.0 {
            None => {}
            Some(0) => self.kill(),
            Some(count) => drop(tokio::spawn(self.clone().dies_after(count))),
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

    async fn dies_after(self, count: u32) {
        turns(count).await;
        if !self.is_dead() {
            sometimes!("node died between two calls");
            self.kill();
        }
    }
}
