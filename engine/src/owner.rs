//! The owner: the shell around one shard's machine. It gathers inputs, lets the machine step, appends, and carries effects
//! out once their commit is effective. One task a shard; nobody else holds the shard's state.
//!
//! | it ends | because | and then |
//! |---|---|---|
//! | `Stopped` | it was told to (`owner/notice.rs`) | nothing |
//! | `Deposed` | a newer claim was read | the group is asked again |
//! | `Again` | something in flight may be lost, or a snapshot was | recovered and claimed anew |
//! | `Unfit` | user code broke an entity in memory | recovered, and the input refused |

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesOrdered};
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tracing::field;

use crate::{
    address::{EntityKey, Topic},
    commit::{Commit, Peer},
    log::Append,
    machine::{Incoming, Input, Machine, Step},
    position::{Position, Token},
    receipt::{Receipt, Told},
    record::Record,
    snapshots::{Save, Saved},
    telemetry::{Appending, Fact},
    time::Micros,
};

mod answers;
mod channels;
mod claim;
mod counts;
mod effects;
mod exit;
mod gauges;
mod intake;
mod notice;
mod pipeline;
mod ports;
mod pulse;
mod recover;
mod runs;
mod snapshots;
mod spans;
mod telling;
mod waiter;

pub(crate) use claim::{Taken, take};
pub use counts::Counts;
pub(crate) use exit::{Broken, End};
pub(crate) use gauges::{Gauges, Readings};
pub(crate) use intake::Intake;
pub(crate) use notice::Notice;
pub use ports::Limits;
pub(crate) use ports::{Place, Ports};
pub(crate) use pulse::Pulse;
pub use recover::Halt;
pub(crate) use recover::{Recovered, recover};

use exit::Exit;
use intake::Came;
use pipeline::{Flight, Pipeline, Report};
use telling::say;
use waiter::{Away, Waiter, Watcher};

/// One owner, under one claim.
pub(crate) struct Owner<'a> {
    place: &'a Place,
    ports: &'a Ports,
    limits: &'a Limits,
    topic: Topic,
    machine: Machine,
    pipeline: Pipeline,
    appends: FuturesOrdered<BoxFuture<'static, (RangeInclusive<u64>, Append)>>,
    links: channels::Links,
    /// What was asked for on a channel since the last look.
    asked: BTreeMap<Peer, u64>,
    runs: runs::Running,
    watchers: BTreeMap<EntityKey, Vec<Watcher>>,
    refusals: waiter::Refusals,
    snapshot: snapshots::Progress,
    next_look: Micros,
    next_upkeep: Micros,
    /// When something last came in.
    busy: Micros,
    /// The end of the log could not be seen.
    blind: bool,
    leaving: Option<notice::Leaving>,
}

/// An input and who waits for its answer.
type Taking = (Input, Option<Waiter>);

impl<'a> Owner<'a> {
    /// An owner of a shard that was just claimed.
    pub(crate) fn new(place: &'a Place, ports: &'a Ports, limits: &'a Limits, shard: Recovered) -> Self {
        let Recovered { machine, fold, base } = shard;
        let now = ports.clock.now();
        Self {
            place,
            ports,
            limits,
            topic: Topic::events(Arc::clone(&place.me.service)),
            links: channels::Links::new(machine.channels()),
            pipeline: Pipeline::new(fold),
            snapshot: snapshots::Progress::new(base, machine.head().pseq, now),
            machine,
            appends: FuturesOrdered::new(),
            asked: BTreeMap::new(),
            runs: runs::Running::default(),
            watchers: BTreeMap::new(),
            refusals: waiter::Refusals::default(),
            next_look: now.plus(limits.look),
            next_upkeep: now.plus(limits.look),
            busy: now,
            blind: false,
            leaving: None,
        }
    }

    /// Works until it must end.
    pub(crate) async fn run(
        mut self,
        intake: &mut Intake,
        notice: &Notice,
        broken: Option<Broken>,
    ) -> Result<End, Halt> {
        let _zero_at_the_end = self.place.gauges.begin();
        let exit = self.work(intake, notice, broken).await;
        intake.proven = self.pipeline.fold().position().cloned();
        match exit {
            Ok(never) => match never {},
            Err(Exit::End(end)) => Ok(end),
            Err(Exit::Halt(halt)) => Err(halt),
        }
    }

    async fn work(
        &mut self,
        intake: &mut Intake,
        notice: &Notice,
        broken: Option<Broken>,
    ) -> Result<std::convert::Infallible, Exit> {
        self.begin(broken).await?;
        loop {
            self.place.pulse.turned();
            // Whoever ignores what is not known does not see either that nothing is reported any more.
            let oldest = self.pipeline.front().filter(|_| !zoo!("unknown-ignored"));
            self.place.pulse.oldest(oldest.map(|flight| flight.stepped.commit.pseq));
            self.gauge(intake);
            self.obey(notice).await?;
            let now = self.ports.clock.now();
            // A clock that was set back must not put the look off.
            if now >= self.next_look || self.next_look > now.plus(self.limits.look) {
                self.look().await?;
            }
            self.snapshot_if_due()?;
            let room = if self.snapshot.wants_quiet() { 0 } else { self.room() };
            if room > 0 {
                let ahead = Duration::from_secs(u64::from(zoo!("timer-early")));
                let due = self.machine.timers().due(now.plus(ahead), room);
                if !due.is_empty() {
                    self.take(due.into_iter().map(|id| (Input::Timer(id), None)).collect()).await?;
                    continue;
                }
            }
            let wake = self.machine.timers().next().filter(|_| room > 0).unwrap_or(self.next_look);
            tokio::select! {
                biased;
                saved = self.snapshot.saved() => self.saved(saved)?,
                Some((batch, report)) = self.appends.next() => self.reported(batch, report).await?,
                (entity, result) = self.runs.next(), if room > 0 => {
                    self.take(vec![(Input::Activity { entity, result }, None)]).await?;
                }
                Some(note) = intake.notes.recv(), if room > 0 => self.gather(intake, Came::Note(note), room).await?,
                Some((stored, at)) = intake.inbox.recv(), if room > 0 => self.gather(intake, Came::Inbox(stored, at), room).await?,
                Some(call) = intake.calls.recv(), if room > 0 => self.gather(intake, Came::Call(call), room).await?,
                () = notice.more(self.leaving.is_some()) => {}
                () = self.ports.clock.pass(wake.min(self.next_look).since(now)) => {}
            }
        }
    }

    /// What the take-over itself asks for: the refusal of what broke, lost attempts, open sends.
    async fn begin(&mut self, broken: Option<Broken>) -> Result<(), Exit> {
        if let Some(Broken { input, waiter, why }) = broken {
            let (entity, trace) = (input.entity(), input.trace());
            say!(
                error, self, entity = entity.map(field::display),
                trace_id = trace.map(|of| field::display(of.trace)),
                span_id = trace.map(|of| field::display(of.span)), %why,
                "an input broke its entity and is refused"
            );
            self.load_for(&[&input]).await?;
            let now = self.ports.clock.now();
            let step = self.machine.refuse(now, &input, &why);
            let mut records = Vec::new();
            self.stepped(now, step, (input, waiter), &mut records)?;
            self.append(records);
        }
        self.lost_runs().await?;
        self.pump_all();
        self.advertise_all();
        Ok(())
    }

    fn room(&self) -> usize {
        self.limits.pipeline.saturating_sub(self.pipeline.len())
    }

    /// Steps through inputs and appends what they became, as one batch.
    async fn take(&mut self, inputs: Vec<Taking>) -> Result<(), Exit> {
        if !inputs.is_empty() {
            self.busy = self.ports.clock.now();
        }
        let mut records = Vec::with_capacity(inputs.len());
        let mut waiting: std::collections::VecDeque<Taking> = inputs.into();
        while let Some(taking) = waiting.pop_front() {
            let mut accepted = None;
            let now = self.ports.clock.now();
            // Everything that came before it in the inbox was stepped through before it.
            if let Some(offset) = taking.1.as_ref().and_then(Waiter::offset) {
                self.machine.inbox_passed(offset);
            }
            let due = self.due(&taking.0);
            match self.machine.step(now, &taking.0) {
                Step::Missing(_) => {
                    waiting.push_front(taking);
                    self.load_for(&waiting.iter().map(|(input, _)| input).collect::<Vec<_>>()).await?;
                    continue;
                }
                Step::Unfit(why) => {
                    self.append(records);
                    self.drain().await?;
                    let (input, waiter) = taking;
                    return Err(End::Unfit(Box::new(Broken { input, waiter, why })).into());
                }
                step => {
                    let late = due.filter(|_| matches!(step, Step::Commit(_))).map(|due| now.since(due));
                    if let (Step::Commit(_), Input::Channel(incoming)) = (&step, &taking.0) {
                        accepted = Some(incoming.message.from.clone());
                    }
                    self.stepped(now, step, taking, &mut records)?;
                    if let (Some(flight), Some(late)) = (self.pipeline.last(), late) {
                        flight.late = Some(late);
                    }
                }
            }
            // Only an acceptance makes what was held back behind it the next one.
            let released = accepted.and_then(|from| self.machine.channels_mut().release(&from));
            if let Some((message, digest, offset)) = released {
                waiting.push_front((Input::Channel(Box::new(Incoming { message, digest, offset })), None));
            }
        }
        self.append(records);
        Ok(())
    }

    fn stepped(
        &mut self,
        now: Micros,
        step: Step,
        taking: Taking,
        records: &mut Vec<Record>,
    ) -> Result<(), Exit> {
        let (input, waiter) = taking;
        match step {
            Step::Commit(mut stepped) => {
                let record = Record::ours(Arc::clone(&stepped.key), stepped.value.clone(), now);
                let digest = self.machine.head().digest;
                records.push(record);
                let offset = match &input {
                    Input::Channel(incoming) => incoming.offset,
                    _ => waiter.as_ref().and_then(Waiter::offset),
                };
                let mut waiter = waiter;
                let away = matches!(waiter, Some(Waiter::Away(_)));
                let (anybody, those_away) =
                    (zoo!("answered-before-the-report"), zoo!("reply-before-effective"));
                if (anybody || (away && those_away))
                    && let Some(waiter) = waiter.take()
                {
                    waiter.tell(answers::told(&self.place.me, &stepped.commit));
                }
                if zoo!("span-before-effective") {
                    self.tell_spans(&stepped.commit, &mut stepped.trace, offset);
                }
                if zoo!("relayed-before-effective") {
                    for sent in &stepped.sends {
                        self.links.effective(&sent.to, sent.message.message().seq, None);
                        self.pump(&sent.to);
                    }
                }
                self.pipeline.push(Flight {
                    sent: now,
                    late: None,
                    stepped,
                    digest,
                    offset,
                    waiters: waiter.into_iter().collect(),
                    behind: Vec::new(),
                });
            }
            Step::Quiet(quiet) => self.quiet(quiet, waiter),
            Step::Missing(key) => {
                return Err(End::Again(format!("{key} was not in memory")).into());
            }
            Step::Unfit(why) => return Err(End::Again(why.to_string()).into()),
        }
        Ok(())
    }

    /// Appends the records of the commits just pushed into the pipeline.
    fn append(&mut self, records: Vec<Record>) {
        let (count, last) = (records.len() as u64, self.machine.head().pseq);
        if count > 0 {
            let batch = last.saturating_sub(count - 1)..=last;
            let outcome = self.ports.log.append(&self.topic, self.place.me.shard, records);
            self.appends.push_back(Box::pin(async move { (batch, outcome.await) }));
        }
    }

    /// Loads the entities these inputs are for, all in one read.
    async fn load_for(&mut self, inputs: &[&Input]) -> Result<(), Exit> {
        let mut keys: Vec<EntityKey> =
            inputs.iter().filter_map(|input| self.machine.missing(input)).collect();
        keys.sort_unstable();
        keys.dedup();
        let (bases, machine) = (self.snapshot.bases(), &mut self.machine);
        match recover::load(machine, self.place, self.ports, &bases, &keys).await {
            // The database is away or went back: this owner's picture of it is not to be trusted.
            Err(Halt::Store { error, .. }) => Err(End::Again(error.to_string()).into()),
            other => Ok(other?),
        }
    }

    async fn reported(&mut self, batch: RangeInclusive<u64>, report: Append) -> Result<(), Exit> {
        self.tell_appended(&batch, &report);
        match self.pipeline.report(batch, report) {
            Report::Proven(proven) => self.effective(proven),
            Report::Read { proven, upto, landed } => {
                self.effective(proven);
                self.below_the_proven(landed).await?;
                self.read_back(upto).await?;
            }
            Report::Lost(error) if error.advice == crate::log::Advice::Stop => {
                return Err(self.place.log_halt(error).into());
            }
            Report::Lost(_) if zoo!("unknown-ignored") => {}
            #[cfg(feature = "zoo")]
            Report::Lost(_) if zoo!("blind-re-append") => self.append_again(),
            Report::Lost(error) => {
                if zoo!("unknown-is-a-refusal") {
                    self.pipeline.refuse_all();
                }
                if self.pipeline.len() >= 3 {
                    sometimes!("pipeline dropped at depth 3 or more");
                }
                sometimes!("append unknown or refused");
                return Err(End::Again(error.to_string()).into());
            }
        }
        Ok(())
    }

    /// Appends what is in flight once more, as if an unknown outcome were none.
    #[cfg(feature = "zoo")]
    fn append_again(&mut self) {
        let records: Vec<Record> = self.pipeline.again(self.ports.clock.now());
        self.append(records);
    }

    /// Waits until nothing is in flight.
    async fn drain(&mut self) -> Result<(), Exit> {
        while let Some((batch, report)) = self.appends.next().await {
            self.reported(batch, report).await?;
        }
        Ok(())
    }
}
