//! Where a runner stands before it reads: its checkpoint, taken over in a new epoch, and the log compared with it.
//! A log that was recreated, restored or cut short is refused here, never misread.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use super::{
    Projection,
    runner::{Halt, READ, Runner},
};
use crate::{
    checkpoint::{ApplyError, Board, Checkpoint, Class, Key, Parked, ReadDb, Transacted},
    log::Stored,
    machine::fold::{Expected, Fold, matches},
    position::Position,
};

/// Where a runner is.
pub(super) struct Footing {
    /// What the tables hold.
    pub(super) checkpoint: Checkpoint,
    /// After the last record taken.
    pub(super) fold: Fold,
    /// Read and not yet taken.
    pub(super) ahead: VecDeque<Stored>,
    /// The last record that was read: it is read again with the next ones, and must be the same.
    pub(super) last: Stored,
    /// The keys that are parked.
    pub(super) parked: BTreeMap<String, Parked>,
    /// Whether the last read came to the end of the log.
    pub(super) at_end: bool,
}

impl<D: ReadDb, P: Projection<D>> Runner<D, P> {
    /// Takes over, or finds its own checkpoint again, and compares the log with it.
    pub(super) async fn footing(&mut self) -> Result<Footing, Halt> {
        let start = self.genesis().await?;
        let (checkpoint, parked) = match self.epoch {
            None => self.take(start).await?,
            Some(mine) => self.find(mine).await?,
        };
        let last = self.compare(&checkpoint.position).await?;
        let fold = Fold::resume(self.key.shard, self.expected(), checkpoint.position.clone());
        let parked = parked.into_iter().map(|parked| (parked.key.clone(), parked)).collect();
        Ok(Footing { checkpoint, fold, ahead: VecDeque::new(), last, parked, at_end: false })
    }

    /// What follows the last record that was read. A log that only grows shows that record again, unchanged.
    pub(super) async fn read_on(&self, at: &Footing) -> Result<Vec<Stored>, Halt> {
        let last = &at.last;
        let mut read = self.read(last.offset, READ.saturating_add(1)).await?;
        match read.first() {
            Some(again) if again.offset == last.offset && again.record.value == last.record.value => {
                read.remove(0);
                Ok(read)
            }
            Some(other) if other.offset == last.offset => {
                let position = &at.checkpoint.position;
                let what = (position.offset == last.offset).then(|| matches(position, &other.record).err());
                let what =
                    what.flatten().unwrap_or_else(|| "it was read before and has changed since".into());
                Err(self.refused(&format!("record {}: {what}", last.offset)))
            }
            Some(other) => Err(self.refused(&format!(
                "record {}, which was read before and is gone: the next one in the log is {}",
                last.offset, other.offset
            ))),
            None => Err(self.short(&at.checkpoint.position).await),
        }
    }

    fn expected(&self) -> Expected {
        Expected {
            service: Arc::clone(&self.source.service),
            log_id: Some(self.source.log_id),
            partitions: Some(self.source.partitions),
        }
    }

    /// The position of the partition's first record that counts.
    async fn genesis(&self) -> Result<Position, Halt> {
        let (mut fold, mut next) = (Fold::start(self.key.shard, self.expected()), 0);
        loop {
            let read = self.read(next, 1).await?;
            let Some(first) = read.first() else {
                let what = format!(
                    "{}.events/{} is empty: its log is not created",
                    self.key.service, self.key.shard
                );
                return Err(ApplyError::outage(what).into());
            };
            fold.take(first.offset, &first.record).map_err(|e| ApplyError::broken(e.to_string()))?;
            if let Some(position) = fold.position() {
                return Ok(position.clone());
            }
            next = first.offset.saturating_add(1);
        }
    }

    async fn take(&mut self, start: Position) -> Result<(Checkpoint, Vec<Parked>), Halt> {
        let (key, reader, board) =
            (self.key.clone(), Arc::clone(&self.source.reader), self.db.board().clone());
        let taken = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                let checkpoint = D::take(tx, &key, &start, &reader).await?;
                show_active::<D>(tx, &board, &key).await?;
                Ok((checkpoint, D::parked(tx, &key).await?))
            })
        }));
        let (checkpoint, parked) = settled(taken.await)?;
        self.epoch = Some(checkpoint.epoch);
        self.meter.found(parked.iter().map(|parked| parked.at));
        Ok((checkpoint, parked))
    }

    async fn find(&self, mine: u64) -> Result<(Checkpoint, Vec<Parked>), Halt> {
        let (key, board) = (self.key.clone(), self.db.board().clone());
        let found = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                show_active::<D>(tx, &board, &key).await?;
                Ok((D::checkpoint(tx, &key).await?, D::parked(tx, &key).await?))
            })
        }));
        match settled(found.await)? {
            (Some(checkpoint), parked) if checkpoint.epoch == mine => Ok((checkpoint, parked)),
            _ => Err(superseded(&self.key).into()),
        }
    }

    /// Moves the checkpoint in a transaction of its own: a planted bug does so.
    pub(super) async fn advance_alone(&self, from: &Checkpoint, next: &Checkpoint) -> Result<(), Halt> {
        let (key, from, next) = (self.key.clone(), from.clone(), next.clone());
        let alone = self.db.transact(Box::new(move |tx| {
            Box::pin(async move { D::advance(tx, &key, &from, &next.position, next.time).await.map(drop) })
        }));
        Ok(settled(alone.await)?)
    }

    /// Reads the checkpoint's record again, and compares it.
    async fn compare(&self, at: &Position) -> Result<Stored, Halt> {
        if at.log_id != self.source.log_id {
            let what =
                format!("record {} of log {}; the log read is {}", at.offset, at.log_id, self.source.log_id);
            return Err(self.refused(&what));
        }
        let read = self.read(at.offset, 1).await?;
        match read.into_iter().next() {
            Some(found) if found.offset == at.offset => match matches(at, &found.record) {
                Ok(()) => Ok(found),
                Err(what) => Err(self.refused(&what)),
            },
            Some(found) => Err(self.refused(&format!(
                "record {} (commit {}), which is gone: the next one in the log is {}",
                at.offset, at.pseq, found.offset
            ))),
            None => Err(self.short(at).await),
        }
    }

    /// The log does not show the checkpoint's record. It was cut short only if an owner has written below it since;
    /// else the read may just be late.
    async fn short(&self, at: &Position) -> Halt {
        let written = self.source.tail.next(self.key.shard).filter(|next| *next <= at.offset);
        let Some(next) = written else {
            let what = format!(
                "{}.events/{} does not show record {} (commit {}) yet, which is in the tables already; if this stays, \
                 the log was restored from an older copy",
                self.key.service, self.key.shard, at.offset, at.pseq
            );
            return ApplyError::outage(what).into();
        };
        let last = match self.read(next.saturating_sub(1), 1).await {
            Ok(read) => read.first().and_then(|last| matches(at, &last.record).err()),
            Err(halt) => return halt,
        };
        let last = last.unwrap_or_default();
        self.refused(&format!("record {} (commit {}); the log ends before it: {last}", at.offset, at.pseq))
    }

    fn refused(&self, what: &str) -> Halt {
        let what = format!(
            "projection {} stands at a record that its log does not have: {what}. The log was recreated, restored or \
             cut short. Bring the right log back; or delete the database of the read models, and they are built \
             from this log",
            self.key
        );
        ApplyError::broken(what).into()
    }
}

/// Tells the process which version readers see, in every transaction after which a runner tells where it is: so a wait
/// never ends in rows that readers do not see, whoever moved them, and however that was told.
pub(super) async fn show_active<D: ReadDb>(
    tx: &mut D::Tx,
    board: &Board,
    key: &Key,
) -> Result<(), ApplyError> {
    if let Some(active) = D::active(tx, &key.projection).await? {
        board.show(&key.projection, active);
    }
    Ok(())
}

pub(super) fn superseded(key: &Key) -> ApplyError {
    sometimes!("projector superseded");
    let what = format!(
        "the checkpoint of projection {key} is not where this runner left it: another runner has taken over, or the \
         database was set back. This one wrote nothing after that; it may be started again"
    );
    ApplyError::new(Class::Superseded, what)
}

/// The end of a transaction that may simply be tried again.
pub(super) fn settled<T>(end: Transacted<T>) -> Result<T, ApplyError> {
    match end {
        Transacted::Committed(value) => Ok(value),
        Transacted::RolledBack(e) => Err(e),
        Transacted::Unknown(e) => Err(ApplyError::outage(e.what)),
    }
}
