//! The partitions of the memory log, and what is on its way to them. Lands what is due whenever somebody looks, so it
//! needs no task of its own and an append lands whether or not its future is still there.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{sync::oneshot, time::Instant};

use super::plan::{Plan, Say};
use crate::{address::Topic, record::Record};

/// A partition of a topic.
pub(super) type Place = (Topic, u32);
/// The offset of each record of an append, once it landed.
pub(super) type Offsets = Arc<Mutex<Vec<Option<u64>>>>;

/// Records that land together.
struct Landing {
    place: Place,
    records: Vec<(usize, Record)>,
    offsets: Offsets,
}

/// An append that waits to be released by a test.
struct Held {
    member: Arc<str>,
    landing: Landing,
    /// Whoever waits for the answer; nobody when it was already told "unknown".
    released: Option<oneshot::Sender<()>>,
}

/// Until when the next append of a producer has to wait behind the last one.
struct Behind {
    landed: Instant,
    answered: Instant,
}

/// When an append is answered, and with what.
pub(super) struct Answer {
    pub(super) when: When,
    pub(super) say: Say,
    pub(super) offsets: Offsets,
}

/// When an append is answered.
pub(super) enum When {
    Now,
    At(Instant),
    Released(oneshot::Receiver<()>),
}

/// All partitions.
#[derive(Default)]
pub(super) struct Partitions {
    records: BTreeMap<Topic, Vec<Vec<Record>>>,
    coming: BTreeMap<(Instant, u64), Landing>,
    called: u64,
    behind: BTreeMap<(Arc<str>, Place), Behind>,
    held: Vec<Held>,
    seen: BTreeMap<(Arc<str>, Place), usize>,
}

impl Partitions {
    pub(super) fn add(&mut self, topic: Topic, first: &[Record], partitions: u32) {
        self.records.insert(topic, (0..partitions).map(|_| first.to_vec()).collect());
    }

    /// What is in a partition now.
    pub(super) fn get(&mut self, place: &Place) -> Option<&Vec<Record>> {
        self.settle(Instant::now());
        self.records.get(&place.0)?.get(usize::try_from(place.1).ok()?)
    }

    /// For tests that do what no log does.
    pub(super) fn get_mut(&mut self, place: &Place) -> Option<&mut Vec<Record>> {
        self.settle(Instant::now());
        slot(&mut self.records, place)
    }

    pub(super) fn count(&self, topic: &Topic) -> usize {
        self.records.get(topic).map_or(0, Vec::len)
    }

    /// How many appends, or pieces of them, have not landed.
    pub(super) fn coming(&mut self) -> usize {
        self.settle(Instant::now());
        self.coming.len() + self.held.len()
    }

    /// The end a member has seen of a partition, which may have been cut since.
    pub(super) fn seen(&self, member: &Arc<str>, place: &Place) -> usize {
        self.seen.get(&(Arc::clone(member), place.clone())).copied().unwrap_or(0)
    }

    pub(super) fn saw(&mut self, member: &Arc<str>, place: &Place, end: usize) {
        let seen = self.seen.entry((Arc::clone(member), place.clone())).or_default();
        *seen = end.max(*seen);
    }

    /// Takes an append whose plan is made.
    pub(super) fn append(
        &mut self,
        member: &Arc<str>,
        place: &Place,
        records: Vec<Record>,
        plan: &Plan,
    ) -> Answer {
        let now = Instant::now();
        let offsets: Offsets = Arc::new(Mutex::new(vec![None; records.len()]));
        if let Some(released) = self.behind_held(member, place, &records, plan, &offsets) {
            return Answer { when: When::Released(released), say: plan.say.clone(), offsets };
        }
        let key = (Arc::clone(member), place.clone());
        let before = self.behind.get(&key).filter(|b| now < b.answered);
        let (floor, open_until) = before.map_or((now, now), |b| (b.landed, b.answered));
        let (mut landed, mut answered) = (floor, now + plan.say_after);
        for piece in &plan.pieces {
            let due = (now + piece.after).max(floor);
            let part = records.get(piece.records.clone()).unwrap_or_default();
            let records = piece.records.clone().zip(part.iter().cloned()).collect();
            let landing = Landing { place: place.clone(), records, offsets: Arc::clone(&offsets) };
            self.called += 1;
            self.coming.insert((due, self.called), landing);
            if !piece.stray {
                landed = landed.max(due);
            }
        }
        if matches!(plan.say, Say::Appended { .. }) {
            answered = answered.max(landed);
        }
        self.behind.insert(key, Behind { landed, answered: answered.max(open_until) });
        self.settle(now);
        let when = if answered <= now { When::Now } else { When::At(answered) };
        Answer { when, say: plan.say.clone(), offsets }
    }

    /// Keeps an append back until it is released; whoever waits is told then, or was told "unknown" already.
    pub(super) fn hold(
        &mut self,
        member: &Arc<str>,
        place: &Place,
        records: Vec<Record>,
        say: Say,
    ) -> Answer {
        let offsets: Offsets = Arc::new(Mutex::new(vec![None; records.len()]));
        let wait = say != Say::Unknown;
        let released = self.keep(member, place, records, &offsets, wait);
        let when = released.map_or(When::Now, When::Released);
        Answer { when, say, offsets }
    }

    /// Lands what was held of a member's appends, in their order. How many there were.
    pub(super) fn release(&mut self, member: &str) -> usize {
        let now = Instant::now();
        let (mine, others) = std::mem::take(&mut self.held).into_iter().partition(|h| *h.member == *member);
        self.held = others;
        let mine: Vec<Held> = mine;
        let count = mine.len();
        let mut waiting = Vec::new();
        for held in mine {
            self.called += 1;
            self.coming.insert((now, self.called), held.landing);
            waiting.extend(held.released);
        }
        self.settle(now);
        for released in waiting {
            // Nobody may be waiting any more.
            let _ = released.send(());
        }
        count
    }

    /// An append behind one that is held and still unanswered waits with it: a producer keeps its order.
    fn behind_held(
        &mut self,
        member: &Arc<str>,
        place: &Place,
        records: &[Record],
        plan: &Plan,
        offsets: &Offsets,
    ) -> Option<oneshot::Receiver<()>> {
        let waits = |h: &Held| h.released.is_some() && h.member == *member && h.landing.place == *place;
        if !self.held.iter().any(waits) || plan.say == Say::Refused {
            return None;
        }
        let lands: Vec<Record> =
            plan.pieces.iter().filter_map(|p| records.get(p.records.clone())).flatten().cloned().collect();
        self.keep(member, place, lands, offsets, true)
    }

    fn keep(
        &mut self,
        member: &Arc<str>,
        place: &Place,
        records: Vec<Record>,
        offsets: &Offsets,
        wait: bool,
    ) -> Option<oneshot::Receiver<()>> {
        let (released, receiver) = oneshot::channel();
        let records = records.into_iter().enumerate().collect();
        let landing = Landing { place: place.clone(), records, offsets: Arc::clone(offsets) };
        let released = wait.then_some(released);
        self.held.push(Held { member: Arc::clone(member), landing, released });
        wait.then_some(receiver)
    }

    /// Lands everything that is due, in the order it is due.
    pub(super) fn settle(&mut self, now: Instant) {
        while let Some(next) = self.coming.first_entry().filter(|next| next.key().0 <= now) {
            let Landing { place, records, offsets } = next.remove();
            let Some(partition) = slot(&mut self.records, &place) else { continue };
            let mut offsets = offsets.lock().unwrap_or_else(PoisonError::into_inner);
            for (nth, record) in records {
                // The report of a record that lands twice names the first place.
                if let Some(offset @ None) = offsets.get_mut(nth) {
                    *offset = u64::try_from(partition.len()).ok();
                }
                partition.push(record);
            }
        }
    }
}

fn slot<'a>(
    records: &'a mut BTreeMap<Topic, Vec<Vec<Record>>>,
    place: &Place,
) -> Option<&'a mut Vec<Record>> {
    records.get_mut(&place.0)?.get_mut(usize::try_from(place.1).ok()?)
}
