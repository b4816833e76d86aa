//! Answers to clients, and to those who wait for an entity's end.

use super::*;
use crate::{
    codec::{Entry, decode},
    machine::Quiet,
    receipt::Invalid,
    remote::for_ever,
};

/// A commit as the answer to the client that caused it.
pub(super) fn told(me: &Peer, commit: &Commit) -> Told {
    let events = commit.events.len() as u64;
    let version = commit.entity.as_ref().map_or(0, |e| e.version.saturating_add(events));
    let token =
        Token { service: Arc::clone(&me.service), log_id: me.log_id, shard: me.shard, pseq: commit.pseq };
    let answer = commit.answer.clone().unwrap_or_else(|| RawValue::NULL.to_owned());
    Told::Recorded {
        outcome: commit.outcome,
        answer,
        receipt: Receipt { reply: (), version, token, time: commit.time },
    }
}

impl Owner<'_> {
    /// An input that made no commit.
    pub(super) fn quiet(&mut self, quiet: Quiet, waiter: Option<Waiter>) {
        match quiet {
            Quiet::Told(told) => {
                let waiter = match waiter {
                    Some(Waiter::Away(away)) if !for_ever(&told) => return self.refuse_away(away, told),
                    Some(waiter) => waiter,
                    None => return,
                };
                // What is said of an id or an entity holds only if everything in flight does.
                let of_state =
                    matches!(told, Told::Expired | Told::Parked(_) | Told::Invalid(Invalid::IdReused { .. }));
                if matches!(told, Told::Expired) {
                    sometimes!("id expired");
                }
                match self.pipeline.last().filter(|_| of_state && !zoo!("expired-by-what-dies")) {
                    Some(flight) => flight.behind.push((waiter, told)),
                    None => waiter.tell(told),
                }
            }
            Quiet::Again { pseq, offset } => {
                let Some(waiter) = waiter else { return };
                sometimes!("repeated id");
                match (self.pipeline.find(pseq), offset) {
                    (Some(flight), _) if zoo!("answered-from-flight") => {
                        waiter.tell(told(&self.place.me, &flight.stepped.commit));
                    }
                    (Some(flight), _) => flight.waiters.push(waiter),
                    (None, Some(offset)) => self.answer_from_log(offset, waiter),
                    (None, None) => waiter.tell(Told::Unknown),
                }
            }
            Quiet::Old { from } => {
                sometimes!("relayed again, dropped as old");
                self.acknowledge(from);
            }
            Quiet::Early { from, missing } => {
                sometimes!("message held back");
                self.ask_once(from, missing);
            }
            Quiet::Ahead { from } => {
                sometimes!("message from ahead of the clock held back");
                say!(
                    warn,
                    self,
                    ?from,
                    "a message from more than a minute ahead is held back: check the clocks"
                );
            }
            Quiet::Stray { from, missing } => {
                self.fact(|| Fact::Violated { invariant: "channel" });
                say!(
                    error,
                    self,
                    ?from,
                    missing,
                    "a message bears the next number of its channel and does not follow the last one: it is forged, or one \
                     side was restored; it is dropped and asked for again"
                );
                self.ask_once(from, missing);
            }
            Quiet::Late => {}
        }
    }

    /// The answer of an effective commit, read back from the log.
    fn answer_from_log(&self, offset: u64, waiter: Waiter) {
        let (log, topic, me) = (Arc::clone(&self.ports.log), self.topic.clone(), self.place.me.clone());
        tokio::spawn(async move {
            let records = log.read(&topic, me.shard, offset, 1).await.unwrap_or_default();
            let entry = records.first().and_then(|stored| decode(&stored.record).ok().flatten());
            let answer = match entry {
                Some(Entry::Commit(commit)) => told(&me, &commit),
                _ => Told::Unknown,
            };
            waiter.tell(answer);
        });
    }

    /// A client of another process is told this once no later owner takes its record again.
    pub(super) fn refuse_away(&mut self, away: Box<Away>, told: Told) {
        self.refusals.keep(away, told);
    }

    /// Commits the low mark when a refusal waits for it and nothing else says it.
    pub(super) async fn mark_refusals(&mut self) -> Result<(), Exit> {
        if self.refusals.any_in(self.machine.inbox_from(), self.machine.inbox_low()) {
            sometimes!("low mark committed for a refusal");
            self.take(vec![(Input::Barrier, None)]).await?;
        }
        Ok(())
    }

    /// Answers now if the entity has come to its end, and that is effective; else when it does.
    pub(super) async fn watch(&mut self, entity: EntityKey, watcher: Watcher) -> Result<(), Exit> {
        let probe = Input::Timer(crate::machine::timers::TimerId {
            entity: entity.clone(),
            node: Arc::from(""),
            serial: 0,
        });
        self.load_for(&[&probe]).await?;
        let proven = self.pipeline.fold().position().map_or(0, |p| p.pseq);
        match self.machine.ended(&entity) {
            Some((pseq, end)) if pseq <= proven => watcher.tell(end),
            _ => {
                let now = self.ports.clock.now();
                let waiting = self.watchers.entry(entity).or_default();
                waiting.retain(|w| w.waits(now) && !w.is(&watcher));
                waiting.push(watcher);
            }
        }
        Ok(())
    }

    /// Those who do not wait any more.
    pub(super) fn forget_watchers(&mut self) {
        let now = self.ports.clock.now();
        self.watchers.retain(|_, waiting| {
            waiting.retain(|w| w.waits(now));
            !waiting.is_empty()
        });
    }

    pub(super) fn tell_watchers(&mut self, key: &EntityKey) {
        let Some(waiting) = self.watchers.remove(key) else { return };
        if let Some((_, end)) = self.machine.ended(key) {
            waiting.into_iter().for_each(|w| w.tell(end.clone()));
        }
    }
}
