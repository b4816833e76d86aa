//! The group of a service in the memory log: who is suggested to own which shard, and how badly a group may behave.
//! Knows no log; the waiting is in `member.rs`.
//!
//! | a shard moves | the last owner | the next owner |
//! |---|---|---|
//! | politely | is asked to give it up | gets it when the last one has stopped |
//! | rudely | hears later that it is lost, or never | gets it at once |

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

use super::{chance::Chance, faults::Faults};
use crate::log::{Assignment, Confirmed};

/// Names one stay of one member in the group.
pub(super) type SessionId = u64;

/// How a shard leaves its owner.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Politely,
    /// The last owner hears of it at this time, or never.
    Rudely(Option<Instant>),
}

/// What a member knows of its stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stay {
    /// It is of the group.
    Live,
    /// It was thrown out and has not heard of it.
    Unheard,
    /// It was thrown out and hears of it.
    Ended,
}

/// A message to a member, not told before its time.
struct News {
    at: Instant,
    what: Assignment,
}

struct Session {
    member: Arc<str>,
    news: VecDeque<News>,
    wake: Arc<Notify>,
    stay: Stay,
    /// It was dropped, and the group misses it only then.
    missed_at: Option<Instant>,
    /// The shards it thinks are its own.
    believes: BTreeSet<u32>,
}

/// A revocation whose end must be waited for.
pub(super) struct Watch {
    pub(super) shard: u32,
    pub(super) number: u64,
    pub(super) done: mpsc::Receiver<()>,
}

/// One service's group.
#[derive(Default)]
pub(super) struct Group {
    shards: u32,
    sessions: BTreeMap<SessionId, Session>,
    /// Who holds a shard, and who shall.
    holders: BTreeMap<u32, SessionId>,
    targets: BTreeMap<u32, SessionId>,
    /// Revocations under way, numbered.
    revoking: BTreeMap<u32, u64>,
    count: u64,
    watches: Vec<Watch>,
    pub(super) shake_at: Option<Instant>,
}

impl Group {
    pub(super) fn new(shards: u32) -> Self {
        Self { shards, ..Self::default() }
    }

    /// Revocations begun since the last call: their ends must be reported with [`done`](Self::done).
    pub(super) fn watches(&mut self) -> Vec<Watch> {
        std::mem::take(&mut self.watches)
    }

    pub(super) fn join(&mut self, member: Arc<str>) -> (SessionId, Arc<Notify>) {
        self.count += 1;
        let (id, wake) = (self.count, Arc::new(Notify::new()));
        let session = Session {
            member,
            news: VecDeque::new(),
            wake: Arc::clone(&wake),
            stay: Stay::Live,
            missed_at: None,
            believes: BTreeSet::new(),
        };
        self.sessions.insert(id, session);
        self.balance();
        (id, wake)
    }

    /// Whether it is not alone.
    pub(super) fn has_others(&self, id: SessionId) -> bool {
        self.sessions.iter().any(|(other, session)| *other != id && session.stay == Stay::Live)
    }

    /// A member's handle was dropped. Missed at once, or when its session ends.
    pub(super) fn leave(&mut self, id: SessionId, missed_at: Option<Instant>) {
        if let (Some(at), Some(session)) = (missed_at, self.sessions.get_mut(&id)) {
            session.missed_at = Some(at);
            session.news.clear();
        } else {
            self.sessions.remove(&id);
            self.balance();
        }
        self.wake();
    }

    /// Throws a member out. It hears that its shards are lost, or nothing at all (a frozen one would not listen).
    pub(super) fn expel(&mut self, member: &str, tell: bool) {
        let now = Instant::now();
        let gone = |s: &&mut Session| *s.member == *member && s.stay != Stay::Ended;
        for session in self.sessions.values_mut().filter(gone) {
            session.stay = if tell { Stay::Ended } else { Stay::Unheard };
            session.news.clear();
            if tell {
                let lost = std::mem::take(&mut session.believes).into_iter();
                session.news.extend(lost.map(|shard| News { at: now, what: Assignment::Lost(shard) }));
            }
            session.wake.notify_one();
        }
        self.balance();
    }

    /// Gives a shard to a member. Whether there is such a shard and such a member.
    pub(super) fn give(&mut self, shard: u32, member: &str, way: Way) -> bool {
        let to = self.sessions.iter().find(|(_, s)| s.stay == Stay::Live && *s.member == *member);
        let Some(to) = to.map(|(id, _)| *id).filter(|_| shard < self.shards) else { return false };
        self.move_shard(shard, to, way);
        true
    }

    /// Moves one shard to a member, both drawn.
    pub(super) fn shake(&mut self, chance: &mut Chance, faults: &Faults) {
        let live = self.live();
        let shard = u32::try_from(chance.below(self.shards.into())).unwrap_or(0);
        let nth = usize::try_from(chance.below(live.len() as u64)).unwrap_or(0);
        let Some(to) = live.get(nth) else { return };
        let heard = Instant::now() + chance.within(faults.notice);
        let way = if chance.hits(faults.rude) { Way::Rudely(Some(heard)) } else { Way::Politely };
        self.move_shard(shard, *to, way);
    }

    /// The holder of a shard has stopped.
    pub(super) fn done(&mut self, shard: u32, number: u64) {
        if self.revoking.get(&shard) != Some(&number) {
            return;
        }
        self.revoking.remove(&shard);
        if let Some(last) = self.holders.remove(&shard).and_then(|id| self.sessions.get_mut(&id)) {
            last.believes.remove(&shard);
        }
        self.hand_over(shard);
    }

    pub(super) fn confirm(
        &self,
        id: SessionId,
        shard: u32,
        chance: &mut Chance,
        faults: &Faults,
    ) -> Confirmed {
        let live = self.is_live(id);
        let holds = self.holders.get(&shard) == Some(&id);
        if chance.hits(faults.confirm_unknown) {
            Confirmed::Unknown
        } else if live && (holds || chance.hits(faults.confirm_wrong)) {
            Confirmed::Yes
        } else {
            Confirmed::Refused
        }
    }

    /// The next news of a member that is due, or when to look again. `None` when its stay has ended.
    pub(super) fn news(
        &mut self,
        id: SessionId,
        now: Instant,
    ) -> Option<Result<Assignment, Option<Instant>>> {
        self.miss(now);
        let missed = self.sessions.values().filter_map(|s| s.missed_at).min();
        let session = self.sessions.get_mut(&id)?;
        let due = session.news.iter().position(|n| n.at <= now);
        if let Some(news) = due.and_then(|nth| session.news.remove(nth)) {
            return Some(Ok(news.what));
        }
        if session.stay == Stay::Ended {
            return None;
        }
        Some(Err(session.news.iter().map(|n| n.at).chain(missed).min()))
    }

    /// The shards a member holds, as the group sees it.
    pub(super) fn held_by(&self, member: &str) -> Vec<u32> {
        let holds = |id: &SessionId| self.sessions.get(id).is_some_and(|s| *s.member == *member);
        self.holders.iter().filter(|(_, id)| holds(id)).map(|(shard, _)| *shard).collect()
    }

    /// Makes everybody look again.
    pub(super) fn wake(&self) {
        self.sessions.values().for_each(|s| s.wake.notify_one());
    }

    fn live(&self) -> Vec<SessionId> {
        self.sessions.iter().filter(|(_, s)| s.stay == Stay::Live).map(|(id, _)| *id).collect()
    }

    fn is_live(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|s| s.stay == Stay::Live)
    }

    /// Removes the members whose session has ended.
    fn miss(&mut self, now: Instant) {
        let before = self.sessions.len();
        self.sessions.retain(|_, s| s.missed_at.is_none_or(|at| at > now));
        if self.sessions.len() != before {
            self.balance();
        }
    }

    /// Spreads the shards evenly over who is there, moving as few as possible.
    fn balance(&mut self) {
        let live = self.live();
        for shard in 0..self.shards {
            if self.holders.get(&shard).is_some_and(|id| !live.contains(id)) {
                self.holders.remove(&shard);
                self.revoking.remove(&shard);
            }
        }
        let most = usize::try_from(self.shards).unwrap_or(usize::MAX).div_ceil(live.len().max(1));
        let mut load: BTreeMap<SessionId, usize> = live.into_iter().map(|id| (id, 0)).collect();
        let mut homeless = Vec::new();
        for shard in 0..self.shards {
            match self.targets.get(&shard).and_then(|id| load.get_mut(id)).filter(|n| **n < most) {
                Some(n) => *n += 1,
                None => homeless.push(shard),
            }
        }
        for shard in homeless {
            let Some((to, n)) = load.iter_mut().min_by_key(|(_, n)| **n) else {
                self.targets.remove(&shard);
                continue;
            };
            *n += 1;
            let to = *to;
            self.move_shard(shard, to, Way::Politely);
        }
        // What was promised and waited for one that is gone.
        for shard in 0..self.shards {
            if !self.holders.contains_key(&shard) {
                self.hand_over(shard);
            }
        }
    }

    fn move_shard(&mut self, shard: u32, to: SessionId, way: Way) {
        self.targets.insert(shard, to);
        let Some(last) = self.holders.get(&shard).copied() else { return self.hand_over(shard) };
        match way {
            Way::Politely if self.revoking.contains_key(&shard) => {}
            Way::Politely => {
                let (stopped, done) = mpsc::channel(1);
                self.count += 1;
                let number = self.count;
                self.revoking.insert(shard, number);
                self.watches.push(Watch { shard, number, done });
                self.tell(last, Instant::now(), Assignment::Revoked { shard, done: stopped });
            }
            Way::Rudely(heard) => {
                // One that loses a shard to itself hears of it.
                let heard = if last == to { Some(Instant::now()) } else { heard };
                if let Some(at) = heard {
                    self.tell(last, at, Assignment::Lost(shard));
                }
                self.revoking.remove(&shard);
                self.holders.remove(&shard);
                self.hand_over(shard);
            }
        }
    }

    /// Gives a shard that nobody holds to whom it was promised.
    fn hand_over(&mut self, shard: u32) {
        if let Some(to) = self.targets.get(&shard).copied().filter(|id| self.is_live(*id)) {
            self.holders.insert(shard, to);
            self.tell(to, Instant::now(), Assignment::Assigned(shard));
        }
    }

    fn tell(&mut self, id: SessionId, at: Instant, what: Assignment) {
        // Whoever was dropped unnoticed hears nothing: what it was told to give up is free at once.
        let Some(session) = self.sessions.get_mut(&id).filter(|s| s.missed_at.is_none()) else { return };
        match &what {
            Assignment::Assigned(shard) => {
                // What is still to be heard of an earlier stay of this shard is heard before.
                let earlier =
                    |news: &&mut News| matches!(news.what, Assignment::Lost(lost) if lost == *shard);
                session.news.iter_mut().filter(earlier).for_each(|news| news.at = at);
                session.believes.insert(*shard);
            }
            Assignment::Lost(shard) => drop(session.believes.remove(shard)),
            Assignment::Revoked { .. } | Assignment::Hindered(_) | Assignment::Settled => {}
        }
        session.news.push_back(News { at, what });
        session.wake.notify_one();
    }
}
