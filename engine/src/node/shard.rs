//! One shard on this node: recovered, claimed and owned, again and again, until it is given up or must not go on.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::reader::Reader;
use crate::{
    clock::Clock,
    commit::Peer,
    health::{Source, Stage},
    log::{Advice, Confirm, Confirmed},
    owner::{
        Broken, End, Halt, Intake, Limits, Notice, Owner, Place, Ports, Recovered, Taken, recover, take,
    },
    position::Position,
    relay::Mailbox,
    telemetry::{Fact, Phase},
    time::Micros,
};

/// So many looks in a row find nothing moved before an owner is given up; half of them before it is told.
const STILL: u32 = 6;

/// A log that has been quiet for longer does not tell when its last owner ended.
const QUIET: Duration = Duration::from_secs(60);

/// One shard on this node.
pub(super) struct Shard {
    pub(super) place: Place,
    pub(super) ports: Ports,
    pub(super) limits: Limits,
    pub(super) inbox: bool,
    pub(super) confirm: Arc<dyn Confirm>,
    pub(super) notice: Notice,
}

impl Drop for Shard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.is(Stage::Stopped { why: "its task panicked, which is a bug".into() });
        }
    }
}

/// How a shard's task ended.
pub(super) enum Ended {
    /// It was told to.
    Done,
    /// It must not go on here; somebody else may do better.
    Halted,
    /// It must not go on anywhere, and perhaps only this process knows.
    Ruined,
    /// The group says that the shard is not this member's, and has no other news.
    Expelled,
    /// It is this member's, which cannot serve it: another one may.
    Unable,
}

/// Why a shard is not served any longer.
enum Serving {
    /// It was revoked or lost, or the node stops.
    Stopped,
    /// The group refused to confirm it.
    Refused,
    /// It could not be served for a long while.
    Unable,
}

/// One attempt to recover and claim.
enum Attempt {
    Ours(Box<Recovered>),
    Lost,
    /// Somebody or something else was in the way.
    NotYet(String),
    /// This node could not.
    Failed(String),
}

impl Shard {
    /// Serves the shard until it is told to stop. A refusal by the group without news of it may be news on the way; when
    /// it stays so, this node is no member any more and does not know.
    pub(super) async fn run(self) -> Ended {
        loop {
            match self.open().await {
                Ok(Serving::Stopped) => return self.gone(Ended::Done),
                Ok(Serving::Unable) => return self.gone(Ended::Unable),
                Ok(Serving::Refused) => {}
                Err(halt) => {
                    let Peer { service, shard, .. } = &self.place.me;
                    tracing::error!(%service, shard, "{halt}; this shard stops, the others go on");
                    if let Some(invariant) = halt.violates() {
                        self.ports.telemetry.fact(service, || Fact::Violated { invariant });
                    }
                    self.is(Stage::Stopped { why: halt.to_string().into() });
                    return if halt.is_for_others() { Ended::Halted } else { Ended::Ruined };
                }
            }
            self.rest(self.limits.patience).await;
            let refused = self.confirm.confirm(self.place.me.shard).await == Confirmed::Refused;
            if self.notice.is_given() {
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
        if ends || !self.notice.is_given() {
            self.place.health.set(&self.place.me, stage);
        }
    }

    fn trouble(&self, why: String) {
        self.place.health.trouble(&self.place.me, Source::Taking, why);
    }

    fn gone(&self, ended: Ended) -> Ended {
        if !matches!(ended, Ended::Unable) {
            self.place.health.at_peace(&self.place.me);
        }
        self.is(Stage::Away);
        ended
    }

    async fn open(&self) -> Result<Serving, Halt> {
        let (calls, calls_in) = mpsc::channel(self.limits.queue);
        let (notes, notes_in) = mpsc::unbounded_channel();
        let mut intake = Intake { calls: calls_in, notes: notes_in, inbox: mpsc::channel(1).1, proven: None };
        self.ports.router.open(self.place.me.clone(), Mailbox { calls, notes });
        self.ports.tail.own(self.place.me.shard, true);
        let outcome = tokio::select! {
            biased;
            outcome = self.serve(&mut intake) => outcome,
            () = self.still() => Ok(Serving::Unable),
        };
        self.ports.tail.own(self.place.me.shard, false);
        // Before the intake goes with what waits in it: those callers are to take the other road.
        self.ports.router.close(&self.place.me);
        outcome
    }

    /// Returns when nothing has moved for too long, and somebody else may do better.
    async fn still(&self) {
        let mut watch = self.place.pulse.watch();
        let mut told = false;
        loop {
            self.ports.clock.pass(self.limits.unable / STILL).await;
            let me = &self.place.me;
            match watch.look() {
                Some((what, looks)) if looks >= STILL / 2 => {
                    let what =
                        format!("{what}: nothing has moved for {:?}", self.limits.unable / STILL * looks);
                    if !std::mem::replace(&mut told, true) || looks == STILL {
                        tracing::error!(service = %me.service, shard = me.shard, "{what}");
                    }
                    self.place.health.trouble(me, Source::Still, what);
                    if self.inbox && looks >= STILL {
                        return;
                    }
                }
                _ if std::mem::take(&mut told) => self.place.health.recovered(me, Source::Still),
                _ => {}
            }
        }
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
            let low = shard.machine.inbox_from();
            let of = (&self.place, &self.ports);
            let _reader = self.inbox.then(|| Reader::spawn(of, low, self.limits.queue, intake));
            let owner = Owner::new(&self.place, &self.ports, &self.limits, shard);
            self.is(Stage::Serving);
            let run = owner.run(intake, &self.notice, broken.take());
            let end = tokio::select! {
                biased;
                () = self.notice.lost() => {
                    sometimes!("shard lost");
                    Ok(End::Stopped)
                }
                end = run => end,
            };
            match end {
                Ok(End::Stopped) => return Ok(Serving::Stopped),
                // One that is about to leave does not begin again: the next owner does.
                Ok(_) if self.notice.is_given() => return Ok(Serving::Stopped),
                Ok(End::Unfit(input)) => {
                    broken = Some(*input);
                    continue;
                }
                Ok(End::Deposed) => {}
                Ok(End::Again(why)) => {
                    self.trouble(why.clone());
                    let shard = self.place.me.shard;
                    tracing::warn!(service = %self.place.me.service, shard, why, "recovered and claimed anew");
                }
                Err(halt) if retryable(&halt) => {
                    tracing::warn!(service = %self.place.me.service, shard = self.place.me.shard, "{halt}; tried again");
                    self.trouble(halt.to_string());
                }
                Err(halt) => return Err(halt),
            }
            self.pause(&mut pause).await;
        }
    }

    /// The shard, claimed; or why it is not to be claimed any more.
    async fn take(
        &self,
        pause: &mut Pause,
        proven: Option<&Position>,
    ) -> Result<Result<Recovered, Serving>, Halt> {
        let mut failing: Option<Micros> = None;
        loop {
            let attempt = tokio::select! {
                biased;
                () = self.notice.given() => return Ok(Err(Serving::Stopped)),
                attempt = self.attempt(proven) => attempt,
            };
            self.place.pulse.turned();
            let now = self.ports.clock.now();
            let why = match attempt {
                Ok(Attempt::Ours(shard)) => return Ok(Ok(*shard)),
                Ok(Attempt::Lost) => return Ok(Err(Serving::Refused)),
                Ok(Attempt::NotYet(_) | Attempt::Failed(_)) if zoo!("no-second-claim") => {
                    return Ok(Err(Serving::Stopped));
                }
                Ok(Attempt::NotYet(why)) => {
                    let shard = self.place.me.shard;
                    tracing::debug!(service = %self.place.me.service, shard, why, "not claimed yet");
                    self.trouble(why);
                    failing = None;
                    self.pause(pause).await;
                    continue;
                }
                Ok(Attempt::Failed(why)) => why,
                Err(halt) if retryable(&halt) => halt.to_string(),
                Err(halt) => return Err(halt),
            };
            tracing::warn!(service = %self.place.me.service, shard = self.place.me.shard, "{why}; tried again");
            // A clock that was set back begins to count anew.
            let since = failing.map_or(now, |since| since.min(now));
            failing = Some(since);
            self.trouble(why);
            if self.inbox && now.since(since) >= self.limits.unable {
                return Ok(Err(Serving::Unable));
            }
            self.pause(pause).await;
        }
    }

    async fn attempt(&self, proven: Option<&Position>) -> Result<Attempt, Halt> {
        let begun = self.ports.clock.now();
        let mut shard = recover(&self.place, &self.ports, &self.limits).await?;
        let (read, last) = (self.ports.clock.now(), shard.machine.head().time);
        let Self { place, ports, limits, confirm, .. } = self;
        Ok(match take(place, ports, limits, &**confirm, &mut shard, proven).await? {
            Taken::Ours => {
                let quiet = begun.since(last);
                if proven.is_none() && last > Micros::default() && quiet < QUIET {
                    self.phase(Phase::Detect, quiet);
                }
                self.phase(Phase::Recover, read.since(begun));
                self.phase(Phase::Claim, ports.clock.now().since(read));
                Attempt::Ours(Box::new(shard))
            }
            Taken::Lost => Attempt::Lost,
            Taken::NotYet(why) => Attempt::NotYet(why),
            Taken::Failed(why) => Attempt::Failed(why),
        })
    }

    fn phase(&self, phase: Phase, took: Duration) {
        self.ports.telemetry.fact(&self.place.me.service, || Fact::TakenOver { phase, took });
    }

    async fn pause(&self, pause: &mut Pause) {
        let span = pause.next(&*self.ports.clock);
        self.rest(span).await;
    }

    /// Waits; less, when it is told to stop.
    async fn rest(&self, span: Duration) {
        tokio::select! {
            biased;
            () = self.notice.given() => {}
            () = self.ports.clock.pass(span) => {}
        }
    }
}

/// Whether the same may succeed later: an outage, not a broken guarantee.
fn retryable(halt: &Halt) -> bool {
    match halt {
        Halt::Log { error, .. } | Halt::Store { error, .. } => error.advice == Advice::Retry,
        Halt::Violation(_) | Halt::Misfit { .. } | Halt::Refused { .. } => false,
    }
}

/// Growing waits between attempts: 20 ms, doubled, to 5 s; from the beginning again after a quiet time.
pub(super) struct Pause {
    next: Duration,
    last: Micros,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(5);
    const QUIET: Duration = Duration::from_secs(30);

    pub(super) fn new() -> Self {
        Self { next: Self::FIRST, last: Micros::default() }
    }

    /// How long to wait this time.
    pub(super) fn next(&mut self, clock: &dyn Clock) -> Duration {
        let now = clock.now();
        if now.since(self.last) > Self::QUIET {
            self.next = Self::FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(Self::LONGEST);
        self.last = now;
        pause
    }
}
