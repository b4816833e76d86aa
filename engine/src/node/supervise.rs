//! One service's shards on this node: an owner for each that the group suggests, begun again when it must, stopped when
//! the shard is revoked.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Halted;
use crate::{
    address::Topic,
    commit::Peer,
    log::{Advice, Assignment, Confirm, Membership},
    machine::Directory,
    owner::{Broken, End, Halt, Intake, Limits, Owner, Place, Ports, Recovered, Taken, recover, take},
    relay::{Mailbox, Note},
    service::Service,
};

/// How many inbox records wait for an owner at most.
const INBOX: usize = 4_096;

/// A service on this node.
pub(super) struct Member {
    pub(super) service: Service,
    pub(super) log_id: Uuid,
    pub(super) node: Arc<str>,
    pub(super) directory: Arc<Directory>,
    pub(super) ports: Ports,
    pub(super) limits: Limits,
    pub(super) inbox: bool,
    pub(super) halted: Arc<Halted>,
    pub(super) stop: CancellationToken,
}

/// A shard being served: how to stop it, and what tells that it has ended.
struct Served {
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Member {
    /// Follows the group's suggestions until the node stops.
    pub(super) async fn run(self, mut membership: Box<dyn Membership>) {
        let confirm = membership.confirmer();
        let mut served: BTreeMap<u32, Served> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        loop {
            let change = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
                change = membership.next() => change,
            };
            match change {
                None => break,
                Some(Assignment::Assigned(shard)) => {
                    let before = served.remove(&shard);
                    let (stop, ended) = (self.stop.child_token(), CancellationToken::new());
                    let task = self.shard(shard, Arc::clone(&confirm), stop.clone());
                    let end = ended.clone().drop_guard();
                    tasks.spawn(async move {
                        let _end = end;
                        if let Some(before) = before {
                            before.stop.cancel();
                            before.ended.cancelled().await;
                        }
                        task.run().await;
                    });
                    served.insert(shard, Served { stop, ended });
                }
                Some(Assignment::Revoked { shard, done }) => {
                    if let Some(Served { stop, ended }) = served.remove(&shard) {
                        stop.cancel();
                        tasks.spawn(async move {
                            ended.cancelled().await;
                            drop(done);
                        });
                    }
                }
                Some(Assignment::Lost(shard)) => {
                    if let Some(Served { stop, .. }) = served.remove(&shard) {
                        stop.cancel();
                    }
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    fn shard(&self, shard: u32, confirm: Arc<dyn Confirm>, stop: CancellationToken) -> Shard {
        let me = Peer { service: Arc::clone(&self.service.name), log_id: self.log_id, shard };
        Shard {
            place: Place {
                me,
                node: Arc::clone(&self.node),
                kinds: self.service.kinds.clone(),
                performers: self.service.performers.clone(),
                directory: Arc::clone(&self.directory),
            },
            ports: self.ports.clone(),
            limits: self.limits,
            inbox: self.inbox,
            confirm,
            halted: Arc::clone(&self.halted),
            stop,
        }
    }
}

/// One shard on this node.
struct Shard {
    place: Place,
    ports: Ports,
    limits: Limits,
    inbox: bool,
    confirm: Arc<dyn Confirm>,
    halted: Arc<Halted>,
    stop: CancellationToken,
}

impl Shard {
    async fn run(self) {
        let (calls, calls_in) = mpsc::channel(self.limits.queue);
        let (notes, notes_in) = mpsc::unbounded_channel();
        let mut intake = Intake { calls: calls_in, notes: notes_in };
        let mailbox = Mailbox { calls, notes };
        self.ports.router.open(self.place.me.clone(), mailbox.clone());
        let outcome = self.serve(&mut intake, &mailbox).await;
        self.ports.router.close(&self.place.me);
        if let Err(halt) = outcome {
            tracing::error!("{halt}; this shard stops, the others go on");
            self.halted.note(&self.place.me, &halt);
        }
    }

    /// Recover, claim, own; again, until the shard is stopped, lost or must not go on.
    async fn serve(&self, intake: &mut Intake, mailbox: &Mailbox) -> Result<(), Halt> {
        let mut broken: Option<Broken> = None;
        let mut pause = Pause::new();
        while !self.stop.is_cancelled() {
            let Some(shard) = self.take(&mut pause).await? else { return Ok(()) };
            let _inbox = self.inbox.then(|| Reader::spawn(self, &shard, mailbox));
            let owner = Owner::new(&self.place, &self.ports, &self.limits, shard);
            match owner.run(intake, &self.stop, broken.take()).await {
                Ok(End::Stopped) => return Ok(()),
                Ok(End::Deposed) => pause = Pause::new(),
                Ok(End::Again(why)) => {
                    let shard = self.place.me.shard;
                    tracing::warn!(service = %self.place.me.service, shard, why, "recovered and claimed anew");
                    self.wait(pause.next()).await;
                }
                Ok(End::Unfit(input)) => broken = Some(*input),
                Err(halt) if retryable(&halt) => {
                    tracing::warn!("{halt}; tried again");
                    self.wait(pause.next()).await;
                }
                Err(halt) => return Err(halt),
            }
        }
        Ok(())
    }

    /// The shard, claimed; nothing when it is not ours to claim, or the node stops.
    async fn take(&self, pause: &mut Pause) -> Result<Option<Recovered>, Halt> {
        loop {
            let attempt = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(None),
                attempt = self.attempt() => attempt,
            };
            match attempt {
                Ok(Attempt::Ours(shard)) => return Ok(Some(*shard)),
                Ok(Attempt::Lost) => return Ok(None),
                Ok(Attempt::NotYet(why)) => {
                    let shard = self.place.me.shard;
                    tracing::debug!(service = %self.place.me.service, shard, why, "not claimed yet");
                }
                Err(halt) if retryable(&halt) => tracing::warn!("{halt}; tried again"),
                Err(halt) => return Err(halt),
            }
            self.wait(pause.next()).await;
        }
    }

    async fn attempt(&self) -> Result<Attempt, Halt> {
        let mut shard = recover(&self.place, &self.ports, &self.limits).await?;
        Ok(match take(&self.place, &self.ports, &self.limits, &*self.confirm, &mut shard).await? {
            Taken::Ours => Attempt::Ours(Box::new(shard)),
            Taken::Lost => Attempt::Lost,
            Taken::NotYet(why) => Attempt::NotYet(why),
        })
    }

    async fn wait(&self, pause: Duration) {
        let until = self.ports.clock.now().plus(pause);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.ports.clock.wait_until(until) => {}
        }
    }
}

/// One attempt to recover and claim.
enum Attempt {
    Ours(Box<Recovered>),
    Lost,
    NotYet(String),
}

/// Whether the same may succeed later: an outage, not a broken guarantee.
fn retryable(halt: &Halt) -> bool {
    match halt {
        Halt::Log { error, .. } | Halt::Store { error, .. } => error.advice == Advice::Retry,
        Halt::Violation(_) | Halt::Misfit { .. } | Halt::Refused { .. } => false,
    }
}

/// Growing waits between attempts: 20 ms, doubled, to 5 s.
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(Duration::from_millis(20))
    }

    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(Duration::from_secs(5));
        now
    }
}

/// Reads a shard's inbox into its owner's mailbox, from the low mark on; ends with the owner.
struct Reader(tokio::task::JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    fn spawn(shard: &Shard, recovered: &Recovered, mailbox: &Mailbox) -> Self {
        let (ports, me, notes) = (shard.ports.clone(), shard.place.me.clone(), mailbox.notes.clone());
        let mut from = recovered.machine.inbox_from();
        let look = shard.limits.look / 25;
        let room = Arc::new(Semaphore::new(INBOX));
        Self(tokio::spawn(async move {
            let topic = Topic::inbox(Arc::clone(&me.service));
            loop {
                let records = ports.log.read(&topic, me.shard, from, 256).await.unwrap_or_default();
                if records.is_empty() {
                    ports.clock.wait_until(ports.clock.now().plus(look)).await;
                }
                for stored in records {
                    from = stored.offset.saturating_add(1);
                    let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                    let note = Note::Inbox { offset: stored.offset, record: stored.record, _room: permit };
                    if notes.send(note).is_err() {
                        return;
                    }
                }
            }
        }))
    }
}
