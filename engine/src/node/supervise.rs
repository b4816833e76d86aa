//! One service's shards on this node: an owner for each that the group suggests, begun again when it must, stopped when
//! the shard is revoked. A node that the group threw out joins it again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    address::Topic,
    clock::Clock,
    commit::Peer,
    health::{Health, Stage},
    log::{Advice, Assignment, Confirm, Confirmed, Membership},
    machine::Directory,
    owner::{Broken, End, Halt, Intake, Limits, Owner, Place, Ports, Recovered, Taken, recover, take},
    position::Position,
    relay::Mailbox,
    service::Service,
    time::Micros,
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
    pub(super) health: Arc<Health>,
    pub(super) stop: CancellationToken,
}

/// A shard being served: how to stop it, and what tells that it has ended.
struct Served {
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Member {
    /// A member of the service's group until the node stops: one that was thrown out joins again.
    pub(super) async fn run(self, mut membership: Box<dyn Membership>) {
        let mut pause = Pause::new();
        loop {
            self.follow(membership).await;
            membership = loop {
                pause.rest(&*self.ports.clock, &self.stop).await;
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

    /// Follows the group's suggestions until the node stops or is no member any more; then every owner has ended.
    async fn follow(&self, mut membership: Box<dyn Membership>) {
        let confirm = membership.confirmer();
        let mut served: BTreeMap<u32, Served> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        loop {
            let change = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => match ended {
                    Ok(Ended::Expelled) => break,
                    Ok(Ended::Done) | Err(_) => continue,
                },
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
                        task.run().await
                    });
                    served.insert(shard, Served { stop, ended });
                }
                // One that is told to stop stays in the table until the next of the same shard has waited for it.
                Some(Assignment::Revoked { shard, done }) => {
                    if let Some(Served { stop, ended }) = served.get(&shard) {
                        self.give_up(shard, stop);
                        let ended = ended.clone();
                        tasks.spawn(async move {
                            ended.cancelled().await;
                            drop(done);
                            Ended::Done
                        });
                    }
                }
                Some(Assignment::Lost(shard)) => {
                    if let Some(Served { stop, .. }) = served.get(&shard) {
                        self.give_up(shard, stop);
                    }
                }
            }
        }
        served.iter().for_each(|(shard, served)| self.give_up(*shard, &served.stop));
        while tasks.join_next().await.is_some() {}
    }

    fn peer(&self, shard: u32) -> Peer {
        Peer { service: Arc::clone(&self.service.name), log_id: self.log_id, shard }
    }

    fn give_up(&self, shard: u32, stop: &CancellationToken) {
        self.health.drain(&self.peer(shard));
        stop.cancel();
    }

    fn shard(&self, shard: u32, confirm: Arc<dyn Confirm>, stop: CancellationToken) -> Shard {
        Shard {
            place: Place {
                me: self.peer(shard),
                node: Arc::clone(&self.node),
                kinds: self.service.kinds.clone(),
                performers: self.service.performers.clone(),
                directory: Arc::clone(&self.directory),
            },
            ports: self.ports.clone(),
            limits: self.limits,
            inbox: self.inbox,
            confirm,
            health: Arc::clone(&self.health),
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
    health: Arc<Health>,
    stop: CancellationToken,
}

impl Drop for Shard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.is(Stage::Stopped { why: "its task panicked, which is a bug".into() });
        }
    }
}

/// How a shard's task ended.
enum Ended {
    /// It was told to, or must not go on.
    Done,
    /// The group says that the shard is not this member's, and has no other news.
    Expelled,
}

impl Shard {
    /// Serves the shard until it is told to stop. A refusal by the group without news of it may be news on the way; when
    /// it stays so, this node is no member any more and does not know.
    async fn run(self) -> Ended {
        loop {
            match self.open().await {
                Ok(Serving::Stopped) => return self.gone(Ended::Done),
                Ok(Serving::Refused) => {}
                Err(halt) => {
                    tracing::error!("{halt}; this shard stops, the others go on");
                    self.is(Stage::Stopped { why: halt.to_string().into() });
                    return Ended::Done;
                }
            }
            rest(&*self.ports.clock, &self.stop, self.limits.patience).await;
            let refused = self.confirm.confirm(self.place.me.shard).await == Confirmed::Refused;
            if self.stop.is_cancelled() {
                return self.gone(Ended::Done);
            }
            if refused {
                return self.gone(Ended::Expelled);
            }
        }
    }

    /// One that is told to stop says no more than that until it has ended.
    fn is(&self, stage: Stage) {
        let ends = matches!(stage, Stage::Away | Stage::Stopped { .. });
        if ends || !self.stop.is_cancelled() {
            self.health.set(&self.place.me, stage);
        }
    }

    fn gone(&self, ended: Ended) -> Ended {
        self.is(Stage::Away);
        ended
    }

    async fn open(&self) -> Result<Serving, Halt> {
        let (calls, calls_in) = mpsc::channel(self.limits.queue);
        let (notes, notes_in) = mpsc::unbounded_channel();
        let mut intake = Intake { calls: calls_in, notes: notes_in, inbox: mpsc::channel(1).1, proven: None };
        self.ports.router.open(self.place.me.clone(), Mailbox { calls, notes });
        let outcome = self.serve(&mut intake).await;
        self.ports.router.close(&self.place.me);
        outcome
    }

    /// Recover, claim, own; again, until the shard is stopped, lost or must not go on.
    async fn serve(&self, intake: &mut Intake) -> Result<Serving, Halt> {
        let mut broken: Option<Broken> = None;
        let mut pause = Pause::new();
        loop {
            self.is(Stage::Recovering);
            let shard = match self.take(&mut pause, intake.proven.as_ref()).await? {
                Ok(shard) => shard,
                Err(serving) => return Ok(serving),
            };
            let _reader = self.inbox.then(|| Reader::spawn(self, &shard, intake));
            let owner = Owner::new(&self.place, &self.ports, &self.limits, shard);
            self.is(Stage::Serving);
            match owner.run(intake, &self.stop, broken.take()).await {
                Ok(End::Stopped) => return Ok(Serving::Stopped),
                Ok(End::Unfit(input)) => {
                    broken = Some(*input);
                    continue;
                }
                Ok(End::Deposed) => {}
                Ok(End::Again(why)) => {
                    let shard = self.place.me.shard;
                    tracing::warn!(service = %self.place.me.service, shard, why, "recovered and claimed anew");
                }
                Err(halt) if retryable(&halt) => tracing::warn!("{halt}; tried again"),
                Err(halt) => return Err(halt),
            }
            pause.rest(&*self.ports.clock, &self.stop).await;
        }
    }

    /// The shard, claimed; or why it is not to be claimed any more.
    async fn take(
        &self,
        pause: &mut Pause,
        proven: Option<&Position>,
    ) -> Result<Result<Recovered, Serving>, Halt> {
        loop {
            let attempt = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(Err(Serving::Stopped)),
                attempt = self.attempt(proven) => attempt,
            };
            match attempt {
                Ok(Attempt::Ours(shard)) => return Ok(Ok(*shard)),
                Ok(Attempt::Lost) => return Ok(Err(Serving::Refused)),
                Ok(Attempt::NotYet(_)) if zoo!("no-second-claim") => return Ok(Err(Serving::Stopped)),
                Ok(Attempt::NotYet(why)) => {
                    let shard = self.place.me.shard;
                    tracing::debug!(service = %self.place.me.service, shard, why, "not claimed yet");
                }
                Err(halt) if retryable(&halt) => tracing::warn!("{halt}; tried again"),
                Err(halt) => return Err(halt),
            }
            pause.rest(&*self.ports.clock, &self.stop).await;
        }
    }

    async fn attempt(&self, proven: Option<&Position>) -> Result<Attempt, Halt> {
        let mut shard = recover(&self.place, &self.ports, &self.limits).await?;
        let Self { place, ports, limits, confirm, .. } = self;
        Ok(match take(place, ports, limits, &**confirm, &mut shard, proven).await? {
            Taken::Ours => Attempt::Ours(Box::new(shard)),
            Taken::Lost => Attempt::Lost,
            Taken::NotYet(why) => Attempt::NotYet(why),
        })
    }
}

/// Why a shard is not served any longer.
enum Serving {
    /// It was revoked or lost, or the node stops.
    Stopped,
    /// The group refused to confirm it.
    Refused,
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

/// Growing waits between attempts: 20 ms, doubled, to 5 s; from the beginning again after a quiet time.
struct Pause {
    next: Duration,
    last: Micros,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(5);
    const QUIET: Duration = Duration::from_secs(30);

    fn new() -> Self {
        Self { next: Self::FIRST, last: Micros::default() }
    }

    /// Waits; less, when it is told to stop.
    async fn rest(&mut self, clock: &dyn Clock, stop: &CancellationToken) {
        let now = clock.now();
        if now.since(self.last) > Self::QUIET {
            self.next = Self::FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(Self::LONGEST);
        self.last = now;
        rest(clock, stop, pause).await;
    }
}

async fn rest(clock: &dyn Clock, stop: &CancellationToken, span: Duration) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = clock.pass(span) => {}
    }
}

/// Reads a shard's inbox for its owner, from the low mark on; ends with the owner, and what it had read goes with it.
struct Reader(tokio::task::JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reader {
    fn spawn(shard: &Shard, recovered: &Recovered, intake: &mut Intake) -> Self {
        let (ports, me) = (shard.ports.clone(), shard.place.me.clone());
        let (inbox, inbox_in) = mpsc::channel(INBOX);
        intake.inbox = inbox_in;
        let mut from = recovered.machine.inbox_from();
        let look = shard.limits.look / 25;
        Self(tokio::spawn(async move {
            let topic = Topic::inbox(Arc::clone(&me.service));
            loop {
                let records = ports.log.read(&topic, me.shard, from, 256).await.unwrap_or_default();
                if records.is_empty() {
                    ports.clock.pass(look).await;
                }
                for stored in records {
                    from = stored.offset.saturating_add(1);
                    if inbox.send(stored).await.is_err() {
                        return;
                    }
                }
            }
        }))
    }
}
