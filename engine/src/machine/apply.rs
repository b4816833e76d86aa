//! A commit folded into the shard's state: the same function for one just decided and for one read from the log.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{
    Encoded, Machine, Sent, channels::receiver, ids::Used, input::run_id, runs::RunId, timers::TimerId,
};
use crate::{
    address::EntityKey,
    commit::{Cause, Commit, Outcome},
    digest::Digest,
    message::Refusal,
};

/// A recorded commit that does not fit the state before it: a broken guarantee, never read past.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("commit {pseq}: {what}")]
pub struct Misfit {
    /// The commit.
    pub pseq: u64,
    /// What does not fit.
    pub what: String,
    /// Only a kind is unknown here: a process that knows it can go on.
    pub unknown_kind: bool,
}

impl Machine {
    /// The entity that must be in memory before [`Machine::replay`] takes this commit.
    #[must_use]
    pub fn needs(&self, commit: &Commit) -> Option<EntityKey> {
        let entity = commit.entity.as_ref()?;
        let key = EntityKey { kind: Arc::clone(&entity.kind), id: Arc::clone(&entity.id) };
        (!self.entities.has(&key) && self.kinds.get(&key.kind).is_some()).then_some(key)
    }

    /// Takes a commit that was read from the log and counts.
    ///
    /// # Errors
    /// [`Misfit`] when the commit cannot follow this state: the shard must stop.
    pub fn replay(&mut self, commit: &Commit, digest: Digest, offset: u64) -> Result<(), Misfit> {
        let misfit = |what: String| Misfit { pseq: commit.pseq, what, unknown_kind: false };
        if commit.time <= self.head.time {
            let text = format!("its time {} is not after the last one's {}", commit.time.0, self.head.time.0);
            return Err(misfit(text));
        }
        if let Some(entity) = &commit.entity {
            let key = EntityKey { kind: Arc::clone(&entity.kind), id: Arc::clone(&entity.id) };
            let home = key.shard(self.partitions);
            if home != self.me.shard {
                return Err(misfit(format!("{key} lives on shard {home}, not {}", self.me.shard)));
            }
            // Passed over, its events would be missing in the next snapshot, and whoever knows the kind would decide without.
            if self.kinds.get(&key.kind).is_none() && !self.kinds.is_retired(&key.kind) {
                let what = format!("{key}: {}", self.kinds.unknown(&key.kind));
                return Err(Misfit { unknown_kind: true, ..misfit(what) });
            }
            if let Some(slot) = self.entities.get(&key) {
                if slot.version != entity.version {
                    let text =
                        format!("{key} has version {}, the commit follows {}", slot.version, entity.version);
                    return Err(misfit(text));
                }
                if commit.outcome != Outcome::Parked {
                    self.entities.was_set_free(&key, commit.pseq);
                }
                self.entities.fold(&key, entity.version, commit);
                if zoo!("overlay-applied-twice") {
                    self.entities.fold(&key, entity.version, commit);
                }
            }
        }
        let sends: Result<Vec<_>, _> = commit.sends.iter().map(sent).collect();
        let sends = sends.map_err(|e| misfit(format!("a message in it: {e}")))?;
        self.fold(commit, sends, digest, Some(offset));
        Ok(())
    }

    /// Everything a commit changes but the state of its entity.
    pub(super) fn fold(&mut self, commit: &Commit, sends: Vec<Sent>, digest: Digest, offset: Option<u64>) {
        let pseq = commit.pseq;
        let entity = commit.entity.as_ref();
        let key = entity.map(|e| EntityKey { kind: Arc::clone(&e.kind), id: Arc::clone(&e.id) });
        let mut used = None;
        match &commit.cause {
            Cause::Client { .. }
                if zoo!("refusals-not-remembered") && commit.outcome != Outcome::Accepted => {}
            Cause::Client { id, digest } => used = Some((*id, Used { digest: *digest, pseq, offset })),
            Cause::Channel { from, seq, digest } => self.channels.accepted(from, *seq, *digest),
            Cause::Timer { node, serial } => {
                if let Some(entity) = key.clone() {
                    let id = TimerId { entity, node: Arc::clone(node), serial: *serial };
                    self.timers.clear(id, pseq);
                }
            }
            Cause::Activity { key: effect, round, attempt } => {
                if let Some(entity) = key.clone() {
                    let id = RunId { entity, key: Arc::clone(effect), round: *round, attempt: *attempt };
                    self.runs.close(id, pseq);
                }
            }
            Cause::Control { .. } => {}
        }
        self.ids.fold(commit.time, used);
        if let Some(low) = commit.low {
            self.low.recorded = self.low.recorded.max(low);
            self.low.next = self.low.next.max(low);
        }
        for closed in &commit.closed {
            self.channels.close(&closed.to, closed.seq);
        }
        for sent in sends {
            self.channels.sent(sent, pseq);
        }
        if let Some(entity) = key {
            for timer in &commit.timers.clear {
                let id =
                    TimerId { entity: entity.clone(), node: Arc::clone(&timer.node), serial: timer.serial };
                self.timers.clear(id, pseq);
            }
            for timer in &commit.timers.set {
                let id =
                    TimerId { entity: entity.clone(), node: Arc::clone(&timer.node), serial: timer.serial };
                self.timers.set(id, timer.due, pseq);
            }
            for run in &commit.runs {
                self.runs.open(run_id(&entity, run), pseq);
            }
            if commit.ended {
                self.entities.over(&entity);
            }
            // Without an event of its own it is the engine that set the entity aside.
            if commit.outcome == Outcome::Parked && commit.events.is_empty() {
                self.entities.park(&entity, why_parked(commit), commit.parked.clone(), pseq);
            }
        }
        self.head.time = commit.time;
        self.head.pseq = pseq;
        self.head.digest = digest;
    }
}

fn why_parked(commit: &Commit) -> Arc<str> {
    let refusal = commit.answer.as_ref().and_then(|raw| serde_json::from_str::<Refusal>(raw.get()).ok());
    refusal.map_or_else(|| "an input of it was stored unapplied".into(), |refusal| refusal.text)
}

fn sent(raw: &Arc<RawValue>) -> Result<Sent, serde_json::Error> {
    let message = Encoded::decode(Arc::clone(raw))?;
    Ok(Sent { to: receiver(message.message()), message })
}
