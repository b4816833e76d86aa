//! Runs one projection over one shard: reads the log through the fold, gathers a batch, writes it with the checkpoint
//! in one transaction, waits for more. Decides nothing about records (the fold does) or rows (the user does).
//!
//! | met | what the runner does |
//! |---|---|
//! | nothing new | waits for the tail, or half a second |
//! | an outage of log or database, an unknown end of a transaction | waits longer each time, reads its checkpoint again, goes on from there |
//! | an event that cannot be taken | goes back to the checkpoint and takes one commit at a time, each event on its own, until it meets it again: stops there, with everything before it written |
//! | another offset or epoch than its own in the checkpoint | stops: another runner has taken over |
//! | a log that is not the one it read before | stops, naming both records |

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Projection, ShardStatus, Source, State,
    batch::{Batch, Place},
    footing::Footing,
};
use crate::{
    address::Topic,
    checkpoint::{ApplyError, Checkpoint, Class, Db, Key, Transacted},
    entity::panicked,
    log::Stored,
    tail::TailWatch,
};

/// How many records are read at once.
const READ: usize = 500;
/// How long a batch gathers before it is written.
const GATHER: Duration = Duration::from_millis(200);
/// How long an idle runner trusts the tail before it looks itself.
const POLL: Duration = Duration::from_millis(500);
/// The first wait after an outage, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

pub(super) struct Runner<D: Db, P> {
    pub(super) key: Key,
    projection: Arc<P>,
    pub(super) source: Source,
    topic: Topic,
    pub(super) db: D,
    status: watch::Sender<ShardStatus>,
    stop: CancellationToken,
    tail: TailWatch,
    /// Ours, once taken.
    pub(super) epoch: Option<u64>,
    /// Up to this offset every commit is written alone, because one of them cannot be taken.
    single_until: Option<u64>,
    backoff: Duration,
}

/// Why the runner does not simply go on.
pub(super) enum Halt {
    /// It was asked to stop.
    Asked,
    /// Back to the checkpoint, at once.
    Again,
    /// Something failed; what may be done about it is the error's class.
    Failed(ApplyError),
}

impl From<ApplyError> for Halt {
    fn from(e: ApplyError) -> Self {
        Self::Failed(e)
    }
}

impl<D: Db, P: Projection<D>> Runner<D, P> {
    pub(super) fn new(
        key: Key,
        projection: Arc<P>,
        source: Source,
        db: D,
        status: watch::Sender<ShardStatus>,
        stop: CancellationToken,
    ) -> Self {
        let topic = Topic::events(Arc::clone(&source.service));
        let tail = source.tail.watch(key.shard);
        let backoff = BACKOFF.0;
        Self {
            key,
            projection,
            source,
            topic,
            db,
            status,
            stop,
            tail,
            epoch: None,
            single_until: None,
            backoff,
        }
    }

    /// Until it is stopped, or must stop.
    pub(super) async fn run(mut self) {
        loop {
            let Err(halt) = self.follow().await;
            match halt {
                Halt::Asked => return self.tell(State::Stopped { why: "it was stopped".into() }),
                Halt::Again => {}
                Halt::Failed(e) if e.class == Class::Outage => self.back_off(e).await,
                Halt::Failed(e) => return self.give_up(e).await,
            }
        }
    }

    async fn follow(&mut self) -> Result<Infallible, Halt> {
        let mut at = self.footing().await?;
        self.tell_position(&at.checkpoint);
        loop {
            if self.stop.is_cancelled() {
                return Err(Halt::Asked);
            }
            match self.gather(&mut at).await? {
                Some(batch) => self.write(&mut at, batch).await?,
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
                let place = Place { service: &self.source.service, shard: self.key.shard };
                if let Err(e) = batch.take(&*self.projection, &place, &mut at.fold, &stored) {
                    return Err(self.cannot_take(e, single, stored.offset));
                }
                if batch.full() {
                    return Ok(Some(batch));
                }
            }
            if batch.to.is_some() && (at.at_end || self.source.clock.now() >= until) {
                return Ok(Some(batch));
            }
            self.tail.seen();
            let read = self.read(at.next, READ).await?;
            at.at_end = read.len() < READ;
            let Some(last) = read.last() else { return Ok(batch.to.is_some().then_some(batch)) };
            at.next = last.offset.saturating_add(1);
            at.ahead.extend(read);
        }
    }

    /// The checkpoint first, then the rows, in one transaction.
    async fn write(&mut self, at: &mut Footing, batch: Batch<P::Batch>) -> Result<(), Halt> {
        let Batch { pieces, to: Some(to), time, single, .. } = batch else { return Ok(()) };
        let time = time.unwrap_or(at.checkpoint.time);
        let next = Checkpoint { position: to, time, epoch: at.checkpoint.epoch };
        let (key, from, to) = (self.key.clone(), at.checkpoint.clone(), next.position.clone());
        let projection = Arc::clone(&self.projection);
        let end = self.db.transact(Box::new(move |tx| {
            Box::pin(async move {
                if !D::advance(tx, &key, &from, &to, time).await? && !zoo!("rows-without-checkpoint") {
                    return Err(superseded(&key));
                }
                for (label, piece) in pieces {
                    write_piece(&*projection, tx, piece).await.map_err(|e| about(label.as_deref(), e))?;
                }
                Ok(())
            })
        }));
        match end.await {
            Transacted::Committed(()) => {
                self.backoff = BACKOFF.0;
                at.checkpoint = next;
                self.tell_position(&at.checkpoint);
                Ok(())
            }
            Transacted::RolledBack(e) => Err(self.cannot_take(e, single, next.position.offset)),
            Transacted::Unknown(e) => {
                sometimes!("rows unknown");
                Err(ApplyError::outage(e.what).into())
            }
        }
    }

    /// After an error in records up to `offset`: data that cannot be taken is looked for one commit at a time.
    fn cannot_take(&mut self, e: ApplyError, single: bool, offset: u64) -> Halt {
        if e.class != Class::Poison {
            return e.into();
        }
        if !single {
            self.single_until = Some(offset);
            return Halt::Again;
        }
        let what = format!(
            "projection {} stopped at an event it cannot take: {e}. Everything before it is in the tables and nothing \
             was skipped. Repair the projection, or give the event an upcaster, and start again: it goes on with this \
             event",
            self.key
        );
        ApplyError::poison(what).into()
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

    async fn idle(&mut self) {
        self.backoff = BACKOFF.0;
        self.tell(State::Live);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.tail.changed() => {}
            () = self.source.clock.pass(POLL) => {}
        }
    }

    async fn back_off(&mut self, e: ApplyError) {
        tracing::warn!(projection = %self.key, error = %e, "a projection waits and tries again");
        self.tell(State::Retrying { why: e.what });
        let pause = self.backoff;
        self.backoff = self.backoff.saturating_mul(2).min(BACKOFF.1);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.source.clock.pass(pause) => {}
        }
    }

    /// Stops for good, and says so in the checkpoint too, if the database lets us.
    async fn give_up(&self, e: ApplyError) {
        tracing::error!(projection = %self.key, error = %e, "a projection stopped");
        if let Some(epoch) = self.epoch {
            let (key, state) = (self.key.clone(), format!("stopped: {e}"));
            let marked = self
                .db
                .transact(Box::new(move |tx| async move { D::mark(tx, &key, epoch, &state).await }.boxed()));
            if let Transacted::RolledBack(e) | Transacted::Unknown(e) = marked.await {
                tracing::warn!(projection = %self.key, error = %e, "the reason is not in the checkpoint");
            }
        }
        self.tell(State::Stopped { why: e.what });
    }

    fn tell(&self, state: State) {
        self.status.send_if_modified(|status| {
            let news = status.state != state;
            status.state = state;
            news
        });
    }

    fn tell_position(&self, checkpoint: &Checkpoint) {
        self.status.send_modify(|status| {
            status.position = Some(checkpoint.position.clone());
            status.time = checkpoint.time;
            if status.state != State::Live {
                status.state = State::CatchingUp;
            }
        });
    }
}

async fn write_piece<D: Db, P: Projection<D>>(
    projection: &P,
    tx: &mut D::Tx,
    piece: P::Batch,
) -> Result<(), ApplyError> {
    let written = AssertUnwindSafe(async { projection.write(tx, piece).await }).catch_unwind().await;
    written.unwrap_or_else(|panic| Err(ApplyError::poison(panicked("write", &*panic))))
}

fn about(label: Option<&str>, e: ApplyError) -> ApplyError {
    match label {
        Some(label) => ApplyError::new(e.class, format!("{label}: {e}")),
        None => e,
    }
}

pub(super) fn superseded(key: &Key) -> ApplyError {
    sometimes!("projector superseded");
    let what = format!(
        "the checkpoint of projection {key} is not where this runner left it: another runner has taken over, or the \
         database was set back. This one wrote nothing after that; it may be started again"
    );
    ApplyError::new(Class::Superseded, what)
}
