//! Runs one projection over one shard: reads the log through the fold, gathers a batch, writes it with the checkpoint
//! in one transaction, waits for more. Decides nothing about records (the fold does) or rows (the user does).
//!
//! | met | what the runner does |
//! |---|---|
//! | nothing new | waits for the tail, or half a second |
//! | an outage of log or database, an unknown end of a transaction | waits longer each time, reads its checkpoint again, goes on from there |
//! | an event that cannot be taken | goes back to the checkpoint and takes one commit at a time, each event on its own, until it meets it again: parks its key there, with everything before it written |
//! | an event of a parked key | holds it back: its place is written with the batch it would have been in |
//! | a parked key that is to be resumed | takes its events from the log, in turns with those of the tail |
//! | too many parked keys | stops: the code is wrong, not the data |
//! | another offset or epoch than its own in the checkpoint | stops: another runner has taken over; where processes share the work it takes over again if the shard is still owned here |
//! | the shard is owned by another process | stands by (`elsewhere.rs`) |
//! | a log that is not the one it read before | stops, naming both records |

use std::{
    collections::BTreeMap,
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::{
    Projection, Source,
    batch::{Batch, Piece, Reading, Untaken},
    footing::{Footing, show_active, superseded},
    meter::Meter,
    parking::Asks,
    poison::{About, Poison},
};
use crate::{
    address::Topic,
    checkpoint::{
        self, ApplyError, Checkpoint, Class, Go, Key, ReadDb, ShardStatus, State, Tables, Transacted,
    },
    entity::panicked,
    log::Stored,
    news::Teller,
    tail::TailWatch,
};

/// How many records are read at once.
pub(super) const READ: usize = 500;
/// How many times in turn parked keys are resumed before the tail is read again.
const TURNS: u32 = 4;
/// How long a batch gathers before it is written.
const GATHER: Duration = Duration::from_millis(200);
/// How long an idle runner trusts the tail before it looks itself.
pub(super) const POLL: Duration = Duration::from_millis(500);
/// The first wait after an outage, and the longest.
pub(super) const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

pub(super) struct Runner<D: ReadDb, P> {
    pub(super) key: Key,
    pub(super) projection: Arc<P>,
    pub(super) tables: Tables,
    pub(super) source: Source,
    topic: Topic,
    pub(super) db: D,
    pub(super) status: Teller<ShardStatus>,
    pub(super) stop: CancellationToken,
    pub(super) tail: TailWatch,
    /// Ours, once taken.
    pub(super) epoch: Option<u64>,
    /// Up to this offset every commit is written alone, because one of them cannot be taken.
    single_until: Option<u64>,
    /// Events that could not be written, by commit and index, until the checkpoint is past them.
    unwritten: BTreeMap<(u64, u32), Poison>,
    /// The parked key of which one event at a time is taken, because one of so many cannot be written.
    pub(super) careful: Option<(String, usize)>,
    /// How often in turn parked keys were resumed.
    turns: u32,
    pub(super) meter: Meter,
    pub(super) asks: Asks,
    go: Go,
    pub(super) backoff: Duration,
}

/// Why the runner does not simply go on.
pub(super) enum Halt {
    /// It was asked to stop.
    Asked,
    /// Back to the checkpoint, at once.
    Again,
    /// Another process is to write the rows.
    Away,
    /// Something failed; what may be done about it is the error's class.
    Failed(ApplyError),
}

impl From<ApplyError> for Halt {
    fn from(e: ApplyError) -> Self {
        Self::Failed(e)
    }
}

impl<D: ReadDb, P: Projection<D>> Runner<D, P> {
    pub(super) fn new(
        key: Key,
        (projection, tables): (Arc<P>, Tables),
        source: Source,
        db: D,
        status: Teller<ShardStatus>,
        stop: CancellationToken,
        (meter, asks, go): (Meter, Asks, Go),
    ) -> Self {
        let topic = Topic::events(Arc::clone(&source.service));
        let tail = source.tail.watch(key.shard);
        let backoff = BACKOFF.0;
        Self {
            key,
            projection,
            tables,
            source,
            topic,
            db,
            status,
            stop,
            tail,
            epoch: None,
            single_until: None,
            unwritten: BTreeMap::new(),
            careful: None,
            turns: 0,
            meter,
            asks,
            go,
            backoff,
        }
    }

    /// Until it is stopped, or must stop.
    pub(super) async fn run(mut self) {
        loop {
            let halt = match self.stand_by_or_follow().await {
                Ok(()) => continue,
                Err(halt) => halt,
            };
            match halt {
                Halt::Asked => return self.tell(State::Stopped { why: "it was stopped".into() }),
                Halt::Again | Halt::Away => {}
                Halt::Failed(e) if e.class == Class::Outage => self.back_off(e).await,
                Halt::Failed(e) if e.class == Class::Superseded && self.source.tail.is_shared() => {
                    self.epoch = None;
                    self.backoff = self.backoff.max(POLL);
                    self.back_off(e).await;
                }
                Halt::Failed(e) => return self.give_up(e).await,
            }
        }
    }

    async fn stand_by_or_follow(&mut self) -> Result<(), Halt> {
        if self.is_mine() {
            let Err(halt) = self.follow().await;
            return Err(halt);
        }
        self.stand_by().await
    }

    async fn follow(&mut self) -> Result<Infallible, Halt> {
        let mut at = self.footing().await?;
        self.tell_position(&at);
        loop {
            if self.stop.is_cancelled() {
                return Err(Halt::Asked);
            }
            if !self.is_mine() {
                return Err(Halt::Away);
            }
            while let Some(ask) = self.asks.next() {
                self.obey(&mut at, ask).await?;
            }
            let resuming = at.parked.values().find(|parked| parked.resuming).map(|parked| parked.key.clone());
            if let Some(key) = &resuming {
                self.resume(&mut at, key).await?;
                self.turns = self.turns.wrapping_add(1);
                if !self.turns.is_multiple_of(TURNS) {
                    continue;
                }
            }
            match self.gather(&mut at).await? {
                Some(batch) => self.write(&mut at, batch).await?,
                None if resuming.is_some() => self.caught_up(),
                None => self.idle().await,
            }
        }
    }

    /// What is there, within the limits of a batch; nothing at the end of the log.
    async fn gather(&mut self, at: &mut Footing) -> Result<Option<Batch<P::Batch>>, Halt> {
        let single = self.single_until.is_some_and(|until| at.checkpoint.position.offset < until);
        let mut batch = Batch::new(single);
        let until = self.source.clock.now().plus(GATHER);
        loop {
            while let Some(stored) = at.ahead.pop_front() {
                let mut reading = Reading {
                    projection: &*self.projection,
                    service: &self.source.service,
                    shard: self.key.shard,
                    parked: &at.parked,
                    unwritten: &self.unwritten,
                    meter: &mut self.meter,
                    now: self.source.clock.now(),
                    traced: self.source.telemetry.ratio().is_some(),
                };
                match batch.take(&mut reading, &mut at.fold, &stored) {
                    Ok(()) => {}
                    Err(Untaken::Poison) => {
                        self.single_until = Some(stored.offset);
                        return Err(Halt::Again);
                    }
                    Err(Untaken::Violation(_)) if batch.to.is_some() => {
                        // What comes before it is written first; then it is met again.
                        at.ahead.push_front(stored);
                        return Ok(Some(batch));
                    }
                    Err(Untaken::Violation(e) | Untaken::Broken(e)) => return Err(e.into()),
                }
                if batch.full() {
                    return Ok(Some(batch));
                }
            }
            if batch.to.is_some() && (at.at_end || self.source.clock.now() >= until) {
                return Ok(Some(batch));
            }
            self.tail.seen();
            let read = self.read_on(at).await?;
            at.at_end = read.len() < READ;
            let Some(last) = read.last() else { return Ok(batch.to.is_some().then_some(batch)) };
            at.last = last.clone();
            at.ahead.extend(read);
        }
    }

    /// Waits while readers are about to be moved away from this version.
    async fn may_write(&mut self) -> Result<(), Halt> {
        if self.go.stands_still() {
            sometimes!("version stood still for a swap");
            self.tell(State::Retrying { why: "it stands still until readers are moved".into() });
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Halt::Asked),
            () = self.go.ahead() => Ok(()),
        }
    }

    /// The checkpoint first, then what is held back, then the rows, in one transaction.
    async fn write(&mut self, at: &mut Footing, batch: Batch<P::Batch>) -> Result<(), Halt> {
        let Batch { pieces, parks, holds, to: Some(to), time, events, seen, .. } = batch else {
            return Ok(());
        };
        self.may_park(&parks)?;
        self.may_write().await?;
        let time = time.unwrap_or(at.checkpoint.time);
        let next = Checkpoint { position: to, time, epoch: at.checkpoint.epoch };
        let (key, mut from, to) = (self.key.clone(), at.checkpoint.clone(), next.position.clone());
        if zoo!("checkpoint-in-its-own-transaction") {
            self.advance_alone(&from, &next).await?;
            from = next.clone();
        }
        let (projection, tables) = (Arc::clone(&self.projection), self.tables);
        let board = self.db.board().clone();
        let abouts: Vec<Option<About>> = pieces.iter().map(|piece| piece.about.clone()).collect();
        let writing = Arc::new(AtomicUsize::new(usize::MAX));
        let (written, parked, held) = (Arc::clone(&writing), parks.clone(), holds.clone());
        let begun = self.source.clock.now();
        let end = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                if !D::advance(tx, &key, &from, &to, time).await? && !zoo!("rows-without-checkpoint") {
                    return Err(superseded(&key));
                }
                show_active::<D>(tx, &board, &key).await?;
                for parked in &parked {
                    D::park(tx, &key, parked).await?;
                }
                for (parked, events) in &held {
                    D::hold(tx, &key, parked, events).await?;
                }
                for (n, Piece { batch, .. }) in pieces.into_iter().enumerate() {
                    written.store(n, Ordering::Relaxed);
                    write_piece(&*projection, tx, &tables, batch).await?;
                }
                Ok(())
            })
        }));
        let end = end.await;
        self.tell_batch(&end, events, begun);
        match end {
            Transacted::Committed(()) => {
                self.backoff = BACKOFF.0;
                self.unwritten.retain(|(pseq, _), _| *pseq > next.position.pseq);
                self.tell_span(seen, &at.checkpoint.position, &next, events, begun);
                at.checkpoint = next;
                self.db.ring(checkpoint::About::one(&self.key));
                self.held_back(at, parks, holds);
                self.tell_position(at);
                Ok(())
            }
            Transacted::RolledBack(e) if e.class == Class::Poison => {
                let about = abouts.get(writing.load(Ordering::Relaxed)).ok_or(e.clone())?;
                if let Some(about) = about {
                    let place = (about.held.pseq, about.held.idx);
                    sometimes!("poison found at the write");
                    self.unwritten.insert(place, Poison::new("write", e.what));
                } else {
                    self.single_until = Some(next.position.offset);
                }
                Err(Halt::Again)
            }
            Transacted::RolledBack(e) => Err(e.into()),
            Transacted::Unknown(e) => {
                sometimes!("rows unknown");
                Err(ApplyError::outage(e.what).into())
            }
        }
    }

    pub(super) async fn read(&self, from: u64, limit: usize) -> Result<Vec<Stored>, Halt> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Halt::Asked),
            read = self.source.log.read(&self.topic, self.key.shard, from, limit) => {
                read.map_err(|e| ApplyError::from(e).into())
            }
        }
    }
}

pub(super) async fn write_piece<D: ReadDb, P: Projection<D>>(
    projection: &P,
    tx: &mut D::Tx,
    tables: &Tables,
    piece: P::Batch,
) -> Result<(), ApplyError> {
    let written = AssertUnwindSafe(async { projection.write(tx, tables, piece).await }).catch_unwind().await;
    written.unwrap_or_else(|panic| Err(ApplyError::poison(panicked("write", &*panic))))
}
