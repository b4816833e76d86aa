//! From records to a batch: the fold rule, the subscription, the user's fold, and what parked keys hold back. Pure but
//! for user code, whose panics are caught. Knows no database and no clock.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    EventSet, Projection, Recorded,
    meter::Meter,
    poison::{About, Poison, about},
};
use crate::{
    address::EntityKey,
    checkpoint::{ApplyError, Db, Held, Parked},
    commit::{Commit, EventRecord},
    entity::panicked,
    log::Stored,
    machine::fold::{Fold, Verdict},
    position::Position,
    time::Micros,
    trace::SpanContext,
};

/// The most events of one batch, unless one commit has more.
const MAX_EVENTS: usize = 500;
/// The most commits that the span of a batch is linked to.
const MAX_SEEN: usize = 32;
/// The most bytes of records of one batch, unless one record has more.
const MAX_BYTES: usize = 1024 * 1024;

/// What one transaction will write.
pub(super) struct Batch<B> {
    /// Pieces in order.
    pub(super) pieces: Vec<Piece<B>>,
    /// Keys that are set aside with it.
    pub(super) parks: Vec<Parked>,
    /// Events that parked keys hold back.
    pub(super) holds: BTreeMap<String, Vec<Held>>,
    /// Where the checkpoint goes; `None` while nothing counted.
    pub(super) to: Option<Position>,
    /// Time of the last commit in it.
    pub(super) time: Option<Micros>,
    /// Single events in pieces of their own, to find the one that cannot be taken.
    pub(super) single: bool,
    pub(super) events: usize,
    /// Where its commits stand in traces that are kept: the first of them, each once.
    pub(super) seen: Vec<SpanContext>,
    bytes: usize,
}

/// A part of a batch that is written at once.
pub(super) struct Piece<B> {
    pub(super) batch: B,
    /// The event it is, when it is a single one.
    pub(super) about: Option<About>,
}

/// Why a record was not taken.
pub(super) enum Untaken {
    /// One of its events, which is looked for one by one.
    Poison,
    /// It is impossible; nothing of it was taken.
    Violation(ApplyError),
    /// The projection cannot be trusted.
    Broken(ApplyError),
}

/// What the runner knows while it reads.
pub(super) struct Reading<'a, P> {
    pub(super) projection: &'a P,
    pub(super) service: &'a Arc<str>,
    pub(super) shard: u32,
    /// The keys that are parked.
    pub(super) parked: &'a BTreeMap<String, Parked>,
    /// Events that could not be written.
    pub(super) unwritten: &'a BTreeMap<(u64, u32), Poison>,
    pub(super) meter: &'a mut Meter,
    pub(super) now: Micros,
    /// Somebody wants to see what is written.
    pub(super) traced: bool,
}

impl<B: Default> Batch<B> {
    pub(super) fn new(single: bool) -> Self {
        Self {
            pieces: Vec::new(),
            parks: Vec::new(),
            holds: BTreeMap::new(),
            to: None,
            time: None,
            single,
            events: 0,
            seen: Vec::new(),
            bytes: 0,
        }
    }

    /// Whether it should be written before it takes another record. Batches of single events hold one commit.
    pub(super) fn full(&self) -> bool {
        self.to.is_some() && (self.single || self.events >= MAX_EVENTS || self.bytes >= MAX_BYTES)
    }

    /// Takes the next record of the partition.
    pub(super) fn take<D: Db, P: Projection<D, Batch = B>>(
        &mut self,
        reading: &mut Reading<'_, P>,
        fold: &mut Fold,
        stored: &Stored,
    ) -> Result<(), Untaken> {
        let verdict = fold
            .take(stored.offset, &stored.record)
            .map_err(|e| Untaken::Violation(ApplyError::broken(e.to_string())))?;
        self.bytes = self.bytes.saturating_add(stored.record.value.len());
        match verdict {
            Verdict::Dead(_) if zoo!("dead-records-projected") => {
                if let Ok(Some(crate::codec::Entry::Commit(commit))) = crate::codec::decode(&stored.record) {
                    self.commit(reading, stored.offset, &commit)?;
                }
                return Ok(());
            }
            Verdict::Dead(why) => {
                let (service, shard) = (reading.service.as_ref(), reading.shard);
                tracing::debug!(service, shard, stored.offset, ?why, "dead");
                return Ok(());
            }
            Verdict::Genesis(_) | Verdict::Claim(_) => {}
            Verdict::Commit(commit) => {
                let before = self.events;
                self.commit(reading, stored.offset, &commit)?;
                if reading.traced && self.events > before {
                    self.see(&commit);
                }
                self.time = Some(commit.time);
            }
        }
        self.to = fold.position().cloned();
        Ok(())
    }

    fn see(&mut self, commit: &Commit) {
        let context = SpanContext::read(commit.traceparent.as_ref()).filter(|context| context.sampled);
        if let Some(context) = context
            && self.seen.len() < MAX_SEEN
            && !self.seen.contains(&context)
        {
            self.seen.push(context);
        }
    }

    fn commit<D: Db, P: Projection<D, Batch = B>>(
        &mut self,
        reading: &mut Reading<'_, P>,
        offset: u64,
        commit: &Commit,
    ) -> Result<(), Untaken> {
        for (idx, event) in (0u32..).zip(&commit.events) {
            if !P::Event::wants(&event.name) {
                continue;
            }
            let held = Held { pseq: commit.pseq, idx, offset };
            let head = head(reading.service, reading.shard, commit, held).map_err(Untaken::Broken)?;
            reading.meter.met(&head.entity);
            self.events = self.events.saturating_add(1);
            let about = || about(&head, held);
            let key = if self.single || !reading.parked.is_empty() {
                Some(key_of(reading.projection, &head).map_err(Untaken::Broken)?)
            } else {
                None
            };
            if let Some(key) = key.as_ref().filter(|key| self.holds_back(reading.parked, key)) {
                self.holds.entry(key.clone()).or_default().push(held);
                continue;
            }
            let poison = match reading.unwritten.get(&(held.pseq, held.idx)) {
                Some(poison) => poison.clone(),
                None => {
                    let fresh = self.single || self.pieces.is_empty();
                    if fresh {
                        let about = self.single.then(about);
                        self.pieces.push(Piece { batch: B::default(), about });
                    }
                    let Some(piece) = self.pieces.last_mut() else { continue };
                    match fold_one(reading.projection, &mut piece.batch, &head, event) {
                        Ok(()) => continue,
                        Err(poison) if self.single => {
                            self.pieces.pop();
                            poison
                        }
                        Err(_) => return Err(Untaken::Poison),
                    }
                }
            };
            let Some(key) = key else { return Err(Untaken::Poison) };
            if zoo!("poison-skipped-silently") {
                continue;
            }
            self.parks.push(poison.parked(reading.shard, key.clone(), &about(), reading.now));
            self.holds.entry(key).or_default().push(held);
        }
        Ok(())
    }

    fn holds_back(&self, parked: &BTreeMap<String, Parked>, key: &str) -> bool {
        (parked.contains_key(key) || self.holds.contains_key(key)) && !zoo!("parked-key-overtaken")
    }
}

/// Where an event stands, without the event.
pub(super) fn head(
    service: &Arc<str>,
    shard: u32,
    commit: &Commit,
    at: Held,
) -> Result<Recorded<()>, ApplyError> {
    let idx = at.idx;
    let damaged = |what: &str| {
        ApplyError::broken(format!(
            "{service}/{shard}, record {}, commit {}, event {idx}: {what}",
            at.offset, at.pseq
        ))
    };
    let entity = commit.entity.as_ref().ok_or_else(|| damaged("its commit names no entity"))?;
    let event = usize::try_from(idx).ok().and_then(|idx| commit.events.get(idx));
    let event = event.ok_or_else(|| damaged("the commit has no such event"))?;
    Ok(Recorded {
        event: (),
        name: Arc::clone(&event.name),
        service: Arc::clone(service),
        shard,
        pseq: commit.pseq,
        idx,
        entity: EntityKey { kind: Arc::clone(&entity.kind), id: Arc::clone(&entity.id) },
        version: entity.version.saturating_add(u64::from(idx)).saturating_add(1),
        time: commit.time,
    })
}

fn key_of<D: Db, P: Projection<D>>(projection: &P, head: &Recorded<()>) -> Result<String, ApplyError> {
    catch_unwind(AssertUnwindSafe(|| projection.key(head))).map_err(|panic| {
        let what = panicked("key", &*panic);
        ApplyError::broken(format!(
            "projection {} cannot name the key of event {}: {what}",
            P::NAME,
            head.id()
        ))
    })
}

/// Reads an event and takes it into a batch. What fails leaves the batch unusable.
pub(super) fn fold_one<D: Db, P: Projection<D>>(
    projection: &P,
    batch: &mut P::Batch,
    head: &Recorded<()>,
    event: &EventRecord,
) -> Result<(), Poison> {
    let taken = catch_unwind(AssertUnwindSafe(|| {
        let event = P::Event::decode(event).map_err(|why| Poison::new("reading", why))?;
        // `fold` has no business with a database: whatever it says, trying again gives the same.
        projection.fold(batch, &head.with(event)).map_err(|e| Poison::new("fold", e.what))
    }));
    taken.unwrap_or_else(|panic| Err(Poison::new("fold", panicked("fold", &*panic))))
}
