//! What happens once a commit is effective, and reading back where adjacency cannot tell.

use super::{recover::shown, *};
use crate::{
    codec::{Entry, decode},
    commit::Cause,
    digest::Digest,
    health::Source,
    machine::fold::Verdict,
    message::{Control, Says},
};

impl Owner<'_> {
    /// Carries out what these commits, now effective, ask for: in order.
    pub(super) fn effective(&mut self, proven: Vec<(Flight, u64)>) {
        let Some((_, last)) = proven.last() else { return };
        self.ports.tail.advance(self.place.me.shard, last.saturating_add(1));
        self.ports.counts.commits.fetch_add(proven.len() as u64, Ordering::Relaxed);
        self.tell_effective(&proven);
        let mut acks: BTreeMap<Peer, (u64, Digest)> = BTreeMap::new();
        let mut touched: BTreeMap<Peer, ()> = BTreeMap::new();
        for (flight, offset) in proven {
            let Flight { mut stepped, waiters, behind, offset: came_at, .. } = flight;
            behind.into_iter().for_each(|(waiter, told)| waiter.tell(told));
            self.say_wrong(&stepped.commit, stepped.trace.handled.as_ref());
            self.tell_spans(&stepped.commit, &mut stepped.trace, came_at);
            stepped.trace.measured.iter().for_each(|measured| self.fact(|| Fact::Measured(measured)));
            let commit = &stepped.commit;
            match &commit.cause {
                Cause::Client { id, .. } => self.machine.located(*id, offset),
                Cause::Channel { from, seq, digest } => {
                    self.machine.channels_mut().effective(from, *seq, *digest);
                    acks.insert(from.clone(), (*seq, *digest));
                }
                Cause::Timer { .. } | Cause::Activity { .. } | Cause::Control { .. } => {}
            }
            if !waiters.is_empty() {
                let told = answers::told(&self.place.me, commit);
                waiters.into_iter().for_each(|waiter| waiter.tell(told.clone()));
            }
            if let Some(low) = commit.low {
                self.refusals.passed(low);
            }
            for (sent, parent) in stepped.sends.iter().zip(stepped.trace.sent_for) {
                self.links.effective(&sent.to, sent.message.message().seq, parent);
                touched.insert(sent.to.clone(), ());
            }
            if let Some(entity) = &commit.entity {
                let key = EntityKey { kind: Arc::clone(&entity.kind), id: Arc::clone(&entity.id) };
                if commit.ended {
                    self.tell_watchers(&key);
                }
                let (time, version) = (commit.time, entity.version);
                for stop in &stepped.stops {
                    self.runs.stop(&key, stop);
                }
                for run in stepped.runs {
                    self.runs.start(self.place, self.ports, key.clone(), run, (time, version));
                }
            }
        }
        touched.into_keys().for_each(|to| self.pump(&to));
        for (to, (upto, digest)) in acks {
            let from = self.place.me.clone();
            self.ports.router.control(Control { from, to, says: Says::Ack { upto, digest } });
        }
    }

    /// A commit that landed at or before the last proven record: a sound log cannot do that. A report is no proof, so both
    /// records are read before the log is called truncated.
    pub(super) async fn below_the_proven(&mut self, landed: Option<u64>) -> Result<(), Exit> {
        let Some(proven) = self.pipeline.fold().position().cloned() else { return Ok(()) };
        let Some(at) = landed.filter(|at| *at <= proven.offset) else { return Ok(()) };
        if shown(self.place, self.ports, &proven, "the last record proven here").await? {
            return Ok(());
        }
        let records = self.ports.log.read(&self.topic, self.place.me.shard, at, 1).await;
        let records = records.map_err(|e| self.place.log_halt(e))?;
        let own = match records.first().map(|stored| decode(&stored.record)) {
            Some(Ok(Some(Entry::Commit(commit)))) => {
                commit.claim_id == self.machine.head().claim_id && self.pipeline.find(commit.pseq).is_some()
            }
            _ => false,
        };
        if !own {
            return Ok(());
        }
        sometimes!("log cut under its owner");
        let what = format!("its commit lies at record {at}, record {} was proven", proven.offset);
        Err(self.place.refused(format!("the log was truncated: {what}; bring the right log back")).into())
    }

    /// Reads from the last proven record until the commit of this number was met, or a newer claim.
    pub(super) async fn read_back(&mut self, upto: u64) -> Result<(), Exit> {
        sometimes!("gap read before the answer");
        self.fact(|| Fact::GapRead);
        let (mut waited, pause) = (Duration::ZERO, self.limits.look / 50);
        while self.pipeline.front().is_some_and(|flight| flight.stepped.commit.pseq <= upto) {
            if self.catch_up().await? == 0 {
                if waited >= self.limits.patience {
                    return Err(End::Again("its own commit did not appear in the log".into()).into());
                }
                self.ports.clock.pass(pause).await;
                waited = waited.saturating_add(pause);
            }
        }
        Ok(())
    }

    /// Reads what lies beyond the last proven record; how many records that was. A newer claim ends the owner.
    pub(super) async fn catch_up(&mut self) -> Result<usize, Exit> {
        let mut from = self.pipeline.fold().next_offset();
        let mut met = 0;
        loop {
            let records = self.ports.log.read(&self.topic, self.place.me.shard, from, 512).await;
            let records = records.map_err(|e| self.place.log_halt(e))?;
            let Some(last) = records.last() else { return Ok(met) };
            if met == 0 && !zoo!("footing-not-read") {
                self.footing().await?;
            }
            self.place.pulse.turned();
            from = last.offset.saturating_add(1);
            met += records.len();
            for stored in &records {
                let verdict = self.pipeline.fold().take(stored.offset, &stored.record);
                match verdict.map_err(|v| Halt::Violation(Box::new(v)))? {
                    Verdict::Claim(claim) => {
                        sometimes!("owner met a newer claim");
                        say!(info, self, owner = %claim.owner, "a newer claim was met");
                        return Err(End::Deposed.into());
                    }
                    Verdict::Commit(commit) => match self.pipeline.pop() {
                        Some(flight) if flight.stepped.commit.pseq == commit.pseq => {
                            self.effective(vec![(flight, stored.offset)]);
                        }
                        _ => {
                            let what =
                                format!("commit {} is under this owner's claim and not its own", commit.pseq);
                            return Err(self.place.refused(what).into());
                        }
                    },
                    Verdict::Dead(why) => self.ports.dead(&self.place.me, why),
                    Verdict::Genesis(_) => {}
                }
            }
        }
    }

    /// What lies beyond the last proven record is another history, however dead it looks, when that record has changed.
    async fn footing(&mut self) -> Result<(), Exit> {
        if let Some(proven) = self.pipeline.fold().position().cloned() {
            // That it is not shown proves nothing: a read may stop short.
            shown(self.place, self.ports, &proven, "the last record proven here").await?;
        }
        Ok(())
    }

    /// The periodic look: at the end of the partition when idle, and at channels that do not move.
    pub(super) async fn look(&mut self) -> Result<(), Exit> {
        self.gauge_channels();
        let now = self.ports.clock.now();
        self.next_look = now.plus(self.until_next_look());
        // One that leaves looks more often at the log, and not at the rest.
        if self.leaving.is_none() || self.next_upkeep <= now || self.next_upkeep > now.plus(self.limits.look)
        {
            self.next_upkeep = now.plus(self.limits.look);
            self.asked.clear();
            self.forget_watchers();
            self.advertise_stalled();
            self.take_held().await?;
        }
        if self.pipeline.is_empty() {
            match self.ports.log.end(&self.topic, self.place.me.shard).await {
                Ok(end) => {
                    if std::mem::take(&mut self.blind) {
                        self.place.health.recovered(&self.place.me, Source::Log);
                    }
                    if end > self.pipeline.fold().next_offset() {
                        self.catch_up().await?;
                    }
                }
                Err(e) if e.advice == crate::log::Advice::Stop => return Err(self.place.log_halt(e).into()),
                Err(e) => {
                    say!(warn, self, "the end of the log cannot be seen: {e}");
                    self.blind = true;
                    let what = format!("the end of its log cannot be seen: {e}");
                    self.place.health.trouble(&self.place.me, Source::Log, what);
                }
            }
        }
        Ok(())
    }
}
