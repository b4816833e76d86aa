//! One service on this node: an owner for each shard that the group suggests. What is to move is served until its next
//! owner has claimed it. A node that the group threw out joins it again; one that cannot serve stays away for a while.
//! A shard that must not go on here is given back, when there is anybody to take it: a newer build may read what this one
//! cannot. A group gives back all or nothing, so the other shards move along, and this is done ever more seldom.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    levels::Board,
    shard::{Ended, Pause, Shard},
};
use crate::{
    commit::Peer,
    health::Source,
    log::{Advice, Assignment, Confirm, Membership},
    machine::Directory,
    owner::{Limits, Notice, Place, Ports, Pulse},
    service::Service,
    time::Micros,
};

/// The shortest and the longest time that a node which cannot serve stays out of the group.
const AWAY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));

/// How long a shard that has to stop again and again is kept before it is given back: at first, and at most.
const KEPT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// A service on this node.
pub(super) struct Member {
    pub(super) service: Service,
    pub(super) log_id: Uuid,
    pub(super) node: Arc<str>,
    pub(super) directory: Arc<Directory>,
    pub(super) ports: Ports,
    pub(super) limits: Limits,
    pub(super) inbox: bool,
    pub(super) board: Arc<Board>,
    pub(super) stop: CancellationToken,
}

/// A shard being served: how to tell its owner something, and what tells that it has ended.
struct Served {
    notice: Notice,
    ended: CancellationToken,
}

impl Served {
    /// Returns when the next owner may come.
    async fn ready(&self) {
        tokio::select! {
            biased;
            () = self.ended.cancelled() => {}
            () = self.notice.ready() => {}
        }
    }
}

/// Why the group is not followed any more.
enum Left {
    /// The node stops.
    Stopped,
    /// It is no member, or the group does not know it.
    Expelled,
    /// It cannot serve what it was given.
    Unable,
}

impl Member {
    /// A member of the service's group until the node stops: one that was thrown out joins again.
    pub(super) async fn run(self, mut membership: Box<dyn Membership>) {
        let (mut pause, mut away, mut kept) = (Pause::new(), AWAY.0, Duration::ZERO);
        loop {
            let unable = matches!(self.follow(membership, &mut kept).await, Left::Unable);
            if unable {
                sometimes!("node left the group because it cannot serve");
                tracing::error!(
                    service = %self.service.name, for_secs = away.as_secs(),
                    "this node cannot serve what it is given, and stays out of the group for a while: others may"
                );
                self.rest(away).await;
                away = away.saturating_mul(2).min(AWAY.1);
            } else {
                away = AWAY.0;
            }
            membership = loop {
                self.rest(pause.next(&*self.ports.clock)).await;
                if self.stop.is_cancelled() {
                    return;
                }
                match self.ports.log.join(&self.service.name).await {
                    Ok(membership) => break membership,
                    Err(e) if e.advice == Advice::Stop => {
                        tracing::error!(service = %self.service.name, "the group cannot be joined again: {e}");
                        return;
                    }
                    Err(e) => tracing::warn!(service = %self.service.name, "not joined yet: {e}"),
                }
            };
        }
    }

    async fn rest(&self, span: Duration) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.ports.clock.pass(span) => {}
        }
    }

    /// Follows the group's suggestions until the node stops or is no member any more; then every owner has ended.
    async fn follow(&self, mut membership: Box<dyn Membership>, kept: &mut Duration) -> Left {
        let confirm = membership.confirmer();
        let (mut give_back, mut untold, mut ruined): (Option<Micros>, bool, bool) = (None, false, false);
        let mut served: BTreeMap<u32, Served> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        let left = loop {
            let change = tokio::select! {
                biased;
                () = self.stop.cancelled() => break Left::Stopped,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => match ended {
                    Ok(Ended::Expelled) => break Left::Expelled,
                    Ok(Ended::Unable) => break Left::Unable,
                    Ok(Ended::Done) => continue,
                    Ok(Ended::Ruined) => {
                        ruined = true;
                        continue;
                    }
                    Ok(Ended::Halted) | Err(_) => {
                        let at = || self.ports.clock.now().plus(*kept);
                        give_back = self.inbox.then(|| give_back.unwrap_or_else(at));
                        continue;
                    }
                },
                () = self.pass_until(give_back), if give_back.is_some() => {
                    if ruined || !self.holds_stopped(&served) {
                        give_back = None;
                        continue;
                    }
                    if let Some(longer) = self.keeps(&*confirm, &mut untold).await {
                        give_back = Some(self.ports.clock.now().plus(longer));
                        continue;
                    }
                    *kept = kept.saturating_mul(2).clamp(KEPT.0, KEPT.1);
                    break Left::Unable;
                }
                change = membership.next() => change,
            };
            if !matches!(change, Some(Assignment::Hindered(_) | Assignment::Lost(_))) {
                self.of_all(|shard| self.board.health.recovered(shard, Source::Group));
            }
            if matches!(change, Some(Assignment::Assigned(_) | Assignment::Settled)) {
                self.of_all(|shard| self.board.health.known(shard));
            }
            match change {
                None => break Left::Expelled,
                Some(Assignment::Hindered(why)) => {
                    tracing::error!(service = %self.service.name, "the group cannot be followed: {why}");
                    let what = format!("the group cannot be followed: {why}");
                    self.of_all(|shard| self.board.health.trouble(shard, Source::Group, what.clone()));
                }
                Some(Assignment::Assigned(shard)) => {
                    let before = served.remove(&shard);
                    let (notice, ended) = (Notice::default(), CancellationToken::new());
                    let task = self.shard(shard, Arc::clone(&confirm), notice.clone());
                    let end = ended.clone().drop_guard();
                    tasks.spawn(async move {
                        let _end = end;
                        if let Some(before) = before {
                            before.notice.stop();
                            before.ended.cancelled().await;
                        }
                        task.run().await
                    });
                    served.insert(shard, Served { notice, ended });
                }
                // One that is told to leave stays in the table until the next of the same shard has waited for it.
                Some(Assignment::Revoked { shard, done }) => {
                    if let Some(Served { notice, ended }) = served.get(&shard) {
                        self.board.health.drain(&self.peer(shard));
                        notice.leave();
                        let leaves = Served { notice: notice.clone(), ended: ended.clone() };
                        tasks.spawn(async move {
                            leaves.ready().await;
                            drop(done);
                            Ended::Done
                        });
                    }
                }
                Some(Assignment::Settled) => {}
                Some(Assignment::Lost(shard)) => {
                    let what =
                        "the group took it away: this process, or the group, did not answer for a session";
                    self.board.health.trouble(&self.peer(shard), Source::Group, what);
                    if let Some(Served { notice, .. }) = served.get(&shard) {
                        self.board.health.drain(&self.peer(shard));
                        notice.lose();
                    }
                }
            }
        };
        for (shard, Served { notice, .. }) in &served {
            self.board.health.drain(&self.peer(*shard));
            match left {
                Left::Expelled => notice.lose(),
                Left::Stopped | Left::Unable if self.inbox => notice.leave_when_idle(),
                Left::Stopped | Left::Unable => notice.stop(),
            }
        }
        for served in served.values() {
            served.ready().await;
        }
        // The others take over while the owners here still serve.
        drop(membership);
        while tasks.join_next().await.is_some() {}
        left
    }

    /// Whether it has a shard that had to stop and was not taken from it since.
    fn holds_stopped(&self, served: &BTreeMap<u32, Served>) -> bool {
        let mut held = served.iter().filter(|(_, served)| !served.notice.is_given());
        held.any(|(shard, _)| self.board.health.has_stopped(&self.peer(*shard)))
    }

    /// How much longer what has stopped is kept; not at all, when somebody else may have it.
    async fn keeps(&self, confirm: &dyn Confirm, untold: &mut bool) -> Option<Duration> {
        match confirm.others().await {
            Some(true) => None,
            Some(false) => Some(self.limits.unable),
            // A rebalance may be under way.
            None => (!std::mem::replace(untold, true)).then_some(self.limits.patience),
        }
    }

    /// Returns at this time; never, without one.
    async fn pass_until(&self, at: Option<Micros>) {
        match at {
            Some(at) => self.ports.clock.wait_until(at).await,
            None => std::future::pending().await,
        }
    }

    fn of_all(&self, tell: impl Fn(&Peer)) {
        let partitions = self.directory.get(&self.service.name).map_or(0, |(_, partitions)| partitions);
        (0..partitions).map(|shard| self.peer(shard)).for_each(|shard| tell(&shard));
    }

    fn peer(&self, shard: u32) -> Peer {
        Peer { service: Arc::clone(&self.service.name), log_id: self.log_id, shard }
    }

    fn shard(&self, shard: u32, confirm: Arc<dyn Confirm>, notice: Notice) -> Shard {
        Shard {
            place: Place {
                me: self.peer(shard),
                node: Arc::clone(&self.node),
                kinds: self.service.kinds.clone(),
                performers: self.service.performers.clone(),
                directory: Arc::clone(&self.directory),
                health: Arc::clone(&self.board.health),
                pulse: Pulse::default(),
                gauges: self.board.gauges.get(&self.peer(shard)).cloned().unwrap_or_default(),
            },
            ports: self.ports.clone(),
            limits: self.limits,
            inbox: self.inbox,
            confirm,
            notice,
        }
    }
}
