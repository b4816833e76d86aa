//! Takes what a parked key holds back from the log, in order, through the upcasters, in transactions that also let go of
//! it. Later events of the key are held meanwhile, so when nothing is held any more the key has met the checkpoint.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Projection,
    batch::{fold_one, head},
    footing::{Footing, settled, show_active, superseded},
    poison::{About, Poison, about},
    runner::{Halt, Runner, write_piece},
};
use crate::{
    checkpoint::{ApplyError, Class, Held, Parked, ReadDb, Transacted},
    codec::{Entry, decode},
    commit::Commit,
    log::Stored,
};

/// The most events that are taken at once.
const MOST: usize = 500;
/// How many records are read at once.
const NEAR: usize = 64;

/// What a parked key holds, as far as it can be taken.
struct Refolded<B> {
    batch: B,
    /// The last event in it.
    last: Option<About>,
    /// The event after it, when that cannot be taken.
    stuck: Option<(About, Poison)>,
    events: usize,
}

impl<D: ReadDb, P: Projection<D>> Runner<D, P> {
    /// Takes some more of what this key holds back, or says anew why that cannot be.
    pub(super) async fn resume(&mut self, at: &mut Footing, key: &str) -> Result<(), Halt> {
        let Some(parked) = at.parked.get(key).cloned() else { return Ok(()) };
        let limit = match &self.careful {
            Some((careful, left)) if careful == key && *left > 0 => 1,
            _ => MOST,
        };
        let (of, name) = (self.key.clone(), key.to_owned());
        let held = self
            .db
            .transact(Box::new(move |tx| Box::pin(async move { D::held(tx, &of, &name, limit).await })));
        let held = settled(held.await)?;
        let Refolded { batch, last, stuck, events } = self.refold(&held).await?;
        match (last, stuck) {
            (Some(last), _) => self.apply(at, parked, batch, last, events).await,
            (None, Some((about, poison))) => self.still_parked(at, &parked, &about, &poison).await,
            (None, None) => Err(Halt::Again),
        }
    }

    /// Takes events into a batch, up to the first that cannot be taken.
    async fn refold(&self, held: &[Held]) -> Result<Refolded<P::Batch>, Halt> {
        let mut events: Vec<(Held, Arc<Commit>)> = Vec::with_capacity(held.len());
        let mut near: VecDeque<Stored> = VecDeque::new();
        for place in held {
            if let Some((_, commit)) = events.last().filter(|(before, _)| before.pseq == place.pseq) {
                events.push((*place, Arc::clone(commit)));
                continue;
            }
            while near.front().is_some_and(|stored| stored.offset < place.offset) {
                near.pop_front();
            }
            if near.is_empty() {
                near.extend(self.read(place.offset, NEAR).await?);
            }
            events.push((*place, Arc::new(self.find_commit(*place, near.front())?)));
        }
        let mut refolded = Refolded { batch: P::Batch::default(), last: None, stuck: None, events: 0 };
        for (n, (place, commit)) in events.iter().enumerate() {
            match self.take_again(&mut refolded.batch, *place, commit)? {
                (about, Ok(())) => refolded.last = Some(about),
                (about, Err(poison)) => {
                    // It may have left its traces in the batch.
                    refolded.batch = P::Batch::default();
                    for (place, commit) in events.iter().take(n) {
                        self.take_again(&mut refolded.batch, *place, commit)?
                            .1
                            .map_err(|_| undecided(&about))?;
                    }
                    refolded.stuck = Some((about, poison));
                    break;
                }
            }
            refolded.events = refolded.events.saturating_add(1);
        }
        Ok(refolded)
    }

    fn take_again(
        &self,
        batch: &mut P::Batch,
        place: Held,
        commit: &Commit,
    ) -> Result<(About, Result<(), Poison>), ApplyError> {
        let head = head(&self.source.service, self.key.shard, commit, place)?;
        let about = about(&head, place);
        let event = usize::try_from(place.idx).ok().and_then(|idx| commit.events.get(idx));
        let event = event.ok_or_else(|| self.changed(place))?;
        Ok((about, fold_one(&*self.projection, batch, &head, event)))
    }

    fn find_commit(&self, place: Held, found: Option<&Stored>) -> Result<Commit, ApplyError> {
        let record = found.filter(|stored| stored.offset == place.offset).map(|stored| &stored.record);
        let entry = record.and_then(|record| decode(record).ok().flatten());
        match entry {
            Some(Entry::Commit(commit)) if commit.pseq == place.pseq => Ok(*commit),
            _ => Err(self.changed(place)),
        }
    }

    fn changed(&self, place: Held) -> ApplyError {
        ApplyError::broken(format!(
            "projection {} holds back event {} of commit {} for a parked key, and record {} of the log is not that \
             commit: the log was changed",
            self.key, place.idx, place.pseq, place.offset
        ))
    }

    async fn apply(
        &mut self,
        at: &mut Footing,
        parked: Parked,
        batch: P::Batch,
        last: About,
        events: usize,
    ) -> Result<(), Halt> {
        let (key, from, name) = (self.key.clone(), at.checkpoint.clone(), parked.key.clone());
        let (projection, tables, upto) = (Arc::clone(&self.projection), self.tables, last.held);
        let board = self.db.board().clone();
        let end = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                if !D::advance(tx, &key, &from, &from.position, from.time).await? {
                    return Err(superseded(&key));
                }
                show_active::<D>(tx, &board, &key).await?;
                let left = D::release(tx, &key, &name, upto).await?;
                if !zoo!("released-before-it-is-written") {
                    write_piece(&*projection, tx, &tables, batch).await?;
                }
                Ok(left)
            })
        }));
        match end.await {
            Transacted::Committed(left) => {
                if let Some((_, left)) = &mut self.careful {
                    *left = left.saturating_sub(events);
                }
                if left.is_none() {
                    sometimes!("parked key is free again");
                    tracing::info!(projection = %self.key, key = parked.key, "a key is not parked any more");
                    self.careful = None;
                }
                at.now_holds(parked, left);
                self.tell_position(at);
                Ok(())
            }
            Transacted::RolledBack(e) if e.class == Class::Poison && events > 1 => {
                self.careful = Some((parked.key, events));
                Ok(())
            }
            Transacted::RolledBack(e) if e.class == Class::Poison => {
                self.still_parked(at, &parked, &last, &Poison::new("write", e.what)).await
            }
            Transacted::RolledBack(e) => Err(e.into()),
            Transacted::Unknown(e) => Err(ApplyError::outage(e.what).into()),
        }
    }

    async fn still_parked(
        &mut self,
        at: &mut Footing,
        parked: &Parked,
        about: &About,
        poison: &Poison,
    ) -> Result<(), Halt> {
        sometimes!("parked key tried in vain");
        let again = poison.again(parked, about);
        tracing::error!(projection = %self.key, key = again.key, error = again.error, "a key stays parked");
        self.careful = None;
        let (key, from, now) = (self.key.clone(), at.checkpoint.clone(), again.clone());
        let end = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                if !D::advance(tx, &key, &from, &from.position, from.time).await? {
                    return Err(superseded(&key));
                }
                D::park(tx, &key, &now).await
            })
        }));
        settled(end.await)?;
        at.parked.insert(again.key.clone(), again);
        self.tell_position(at);
        Ok(())
    }
}

fn undecided(about: &About) -> ApplyError {
    ApplyError::broken(format!("{}: it was taken once and then refused: fold is not pure", about.label))
}
