//! A member of a group of the memory log: waits for news, in the time of its runtime, and confirms.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    MemoryCluster, Shared,
    chance::Chance,
    faults::Faults,
    group::{Group, SessionId, Watch},
};
use crate::log::{Assignment, Confirm, Confirmed, Membership};

/// One stay of one member. Dropping it is leaving, or dying.
pub(super) struct MemoryMember {
    pub(super) cluster: MemoryCluster,
    pub(super) service: Arc<str>,
    pub(super) id: SessionId,
    pub(super) wake: Arc<Notify>,
}

#[async_trait]
impl Membership for MemoryMember {
    async fn next(&mut self) -> Option<Assignment> {
        loop {
            let until = match self.look()? {
                Ok(news) => return Some(news),
                Err(until) => until,
            };
            match until {
                None => self.wake.notified().await,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = self.wake.notified() => {}
                        () = sleep_until(at) => {}
                    }
                }
            }
        }
    }

    fn confirmer(&self) -> Arc<dyn Confirm> {
        Arc::new(Confirmer { cluster: self.cluster.clone(), service: Arc::clone(&self.service), id: self.id })
    }
}

impl MemoryMember {
    /// What is new, or when to look again. `None` at the end of the stay.
    fn look(&self) -> Option<Result<Assignment, Option<Instant>>> {
        self.cluster.with_group(&self.service, |group, chance, faults| {
            let now = Instant::now();
            if let Some(mean) = faults.rebalance_every {
                let draw = |chance: &mut Chance| now + mean / 2 + chance.within(mean);
                if *group.shake_at.get_or_insert_with(|| draw(chance)) <= now {
                    group.shake(chance, faults);
                    group.shake_at = Some(draw(chance));
                }
            } else {
                group.shake_at = None;
            }
            let news = group.news(self.id, now)?;
            Some(news.map_err(|at| at.into_iter().chain(group.shake_at).min()))
        })?
    }
}

impl Drop for MemoryMember {
    fn drop(&mut self) {
        self.cluster.with_group(&self.service, |group, chance, faults| {
            let late = chance.hits(faults.left_unnoticed);
            group.leave(self.id, late.then(|| Instant::now() + faults.session));
        });
    }
}

struct Confirmer {
    cluster: MemoryCluster,
    service: Arc<str>,
    id: SessionId,
}

#[async_trait]
impl Confirm for Confirmer {
    async fn confirm(&self, shard: u32) -> Confirmed {
        let ask = |group: &mut Group, chance: &mut Chance, faults: &Faults| {
            group.confirm(self.id, shard, chance, faults)
        };
        self.cluster.with_group(&self.service, ask).unwrap_or(Confirmed::Refused)
    }

    async fn others(&self) -> Option<bool> {
        self.cluster.with_group(&self.service, |group, _, _| group.has_others(self.id))
    }
}

/// Waits until the holder of a shard has dropped its `done`, and says so to the group. When there is no runtime any
/// more nobody can stop in order: then it counts as stopped.
pub(super) fn watch(cluster: Weak<Shared>, service: Arc<str>, watch: Watch) {
    let Watch { shard, number, mut done } = watch;
    let stopped = move || {
        if let Some(shared) = cluster.upgrade() {
            MemoryCluster(shared).with_group(&service, |group, _, _| group.done(shard, number));
        }
    };
    let Ok(runtime) = Handle::try_current() else { return stopped() };
    runtime.spawn(async move {
        while done.recv().await.is_some() {}
        stopped();
    });
}
