//! From records to a batch: the fold rule, the subscription, the user's fold. Pure but for user code, whose panics are
//! caught. Knows no database and no clock.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{EventSet, Projection, Recorded};
use crate::{
    address::EntityKey,
    checkpoint::{ApplyError, Class, Db},
    commit::{Commit, EventRecord},
    entity::panicked,
    log::Stored,
    machine::fold::{Fold, Verdict},
    position::Position,
    time::Micros,
};

/// The most events of one batch, unless one commit has more.
const MAX_EVENTS: usize = 500;
/// The most bytes of records of one batch, unless one record has more.
const MAX_BYTES: usize = 1024 * 1024;

/// What one transaction will write.
pub(super) struct Batch<B> {
    /// Pieces in order, each with the event that it is about when the pieces are single events.
    pub(super) pieces: Vec<(Option<String>, B)>,
    /// Where the checkpoint goes; `None` while nothing counted.
    pub(super) to: Option<Position>,
    /// Time of the last commit in it.
    pub(super) time: Option<Micros>,
    /// Single events in pieces of their own, to find the one that cannot be taken.
    pub(super) single: bool,
    events: usize,
    bytes: usize,
}

impl<B: Default> Batch<B> {
    pub(super) fn new(single: bool) -> Self {
        Self { pieces: Vec::new(), to: None, time: None, single, events: 0, bytes: 0 }
    }

    /// Whether it should be written before it takes another record. Batches of single events hold one commit.
    pub(super) fn full(&self) -> bool {
        self.to.is_some() && (self.single || self.events >= MAX_EVENTS || self.bytes >= MAX_BYTES)
    }

    /// Takes the next record of the partition.
    pub(super) fn take<D: Db, P: Projection<D, Batch = B>>(
        &mut self,
        projection: &P,
        place: &Place<'_>,
        fold: &mut Fold,
        stored: &Stored,
    ) -> Result<(), ApplyError> {
        let verdict =
            fold.take(stored.offset, &stored.record).map_err(|e| ApplyError::broken(e.to_string()))?;
        self.bytes = self.bytes.saturating_add(stored.record.value.len());
        match verdict {
            Verdict::Dead(_) if zoo!("dead-records-projected") => {
                if let Ok(Some(crate::codec::Entry::Commit(commit))) = crate::codec::decode(&stored.record) {
                    self.commit(projection, place, stored.offset, &commit)?;
                }
                return Ok(());
            }
            Verdict::Dead(why) => {
                tracing::debug!(
                    service = place.service.as_ref(),
                    shard = place.shard,
                    stored.offset,
                    ?why,
                    "dead"
                );
                return Ok(());
            }
            Verdict::Genesis(_) | Verdict::Claim(_) => {}
            Verdict::Commit(commit) => {
                self.commit(projection, place, stored.offset, &commit)?;
                self.time = Some(commit.time);
            }
        }
        self.to = fold.position().cloned();
        Ok(())
    }

    fn commit<D: Db, P: Projection<D, Batch = B>>(
        &mut self,
        projection: &P,
        place: &Place<'_>,
        offset: u64,
        commit: &Commit,
    ) -> Result<(), ApplyError> {
        for (idx, event) in (0u32..).zip(&commit.events) {
            if !P::Event::wants(&event.name) {
                continue;
            }
            let label = || place.label(offset, commit, idx, event);
            let fresh = self.single || self.pieces.is_empty();
            if fresh {
                self.pieces.push((self.single.then(label), B::default()));
            }
            let Some((_, piece)) = self.pieces.last_mut() else { continue };
            let taken = catch_unwind(AssertUnwindSafe(|| {
                let recorded = record::<P::Event>(place, commit, idx, event)?;
                projection.fold(piece, &recorded)
            }));
            let taken = taken.unwrap_or_else(|panic| Err(ApplyError::poison(panicked("fold", &*panic))));
            // `fold` has no business with a database: whatever it says, trying again gives the same.
            taken.map_err(|e| ApplyError::new(Class::Poison, format!("{}: {e}", label())))?;
            self.events = self.events.saturating_add(1);
        }
        Ok(())
    }
}

/// The partition that is read.
pub(super) struct Place<'a> {
    pub(super) service: &'a Arc<str>,
    pub(super) shard: u32,
}

impl Place<'_> {
    fn label(&self, offset: u64, commit: &Commit, idx: u32, event: &EventRecord) -> String {
        let entity = commit.entity.as_ref().map_or_else(String::new, |e| format!(" of {}/{}", e.kind, e.id));
        format!(
            "{}/{}, record {offset}, commit {}, event {idx} ({}{entity})",
            self.service, self.shard, commit.pseq, event.name
        )
    }
}

fn record<E: EventSet>(
    place: &Place<'_>,
    commit: &Commit,
    idx: u32,
    event: &EventRecord,
) -> Result<Recorded<E>, ApplyError> {
    let entity = commit.entity.as_ref();
    let entity = entity.ok_or_else(|| ApplyError::poison("its commit names no entity"))?;
    Ok(Recorded {
        event: E::decode(event).map_err(ApplyError::poison)?,
        name: Arc::clone(&event.name),
        service: Arc::clone(place.service),
        shard: place.shard,
        pseq: commit.pseq,
        idx,
        entity: EntityKey { kind: Arc::clone(&entity.kind), id: Arc::clone(&entity.id) },
        version: entity.version.saturating_add(u64::from(idx)).saturating_add(1),
        time: commit.time,
    })
}
