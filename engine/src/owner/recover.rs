//! A shard's state again: snapshot, position compared, the log from there. Ends at what can be read; the claim makes
//! sure that this was the end.

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;

use super::ports::{Limits, Place, Ports};
use crate::{
    address::{EntityKey, Topic},
    codec::Unreadable,
    commit::Claim,
    log::LogError,
    machine::{
        Machine,
        apply::Misfit,
        fold::{Expected, Fold, Verdict, Violation, What, matches},
    },
    position::Position,
    snapshots::Row,
};

/// How many records are read at once.
const PAGE: usize = 512;

/// Why a shard cannot be served.
#[derive(Debug, Clone, Error)]
pub enum Halt {
    /// The log contains what a log that only grows cannot.
    #[error("{0}")]
    Violation(#[from] Box<Violation>),
    /// A commit does not follow the state before it.
    #[error("{service}.events/{shard}: {misfit}")]
    Misfit {
        /// The service.
        service: Arc<str>,
        /// The shard.
        shard: u32,
        /// What does not fit.
        misfit: Misfit,
    },
    /// The log cannot be read or written.
    #[error("log of {service}/{shard}: {error}")]
    Log {
        /// The service.
        service: Arc<str>,
        /// The shard.
        shard: u32,
        /// What it said.
        error: LogError,
    },
    /// The snapshot store cannot be read or written.
    #[error("snapshots of {service}/{shard}: {error}")]
    Store {
        /// The service.
        service: Arc<str>,
        /// The shard.
        shard: u32,
        /// What it said.
        error: LogError,
    },
    /// What is kept outside the log does not belong to this log.
    #[error("{service}/{shard}: {what}")]
    Refused {
        /// The service.
        service: Arc<str>,
        /// The shard.
        shard: u32,
        /// What differs, and what to do.
        what: String,
    },
}

impl Halt {
    /// Which promise is broken, when one is: what a log of this engine, alone on its topic, never shows.
    pub(crate) fn violates(&self) -> Option<&'static str> {
        match self {
            _ if self.is_for_others() => None,
            Self::Violation(_) => Some("fold"),
            Self::Misfit { .. } => Some("state"),
            Self::Refused { .. } => Some("history"),
            Self::Log { .. } | Self::Store { .. } => None,
        }
    }

    /// Whether somebody else may do better, and whoever cannot will notice as well: the reason stands in the log, in a record
    /// that this build cannot read or an entity that this process does not know. That a log was cut or replaced is known
    /// perhaps to this process alone.
    pub(crate) fn is_for_others(&self) -> bool {
        match self {
            Self::Violation(met) => matches!(met.what, What::Unreadable(Unreadable::Newer { .. })),
            Self::Misfit { misfit, .. } => misfit.unknown_kind,
            Self::Log { .. } | Self::Store { .. } | Self::Refused { .. } => false,
        }
    }
}

/// A shard as far as it could be read.
pub(crate) struct Recovered {
    pub(crate) machine: Machine,
    pub(crate) fold: Fold,
    pub(crate) base: Option<Position>,
}

impl Place {
    pub(crate) fn log_halt(&self, error: LogError) -> Halt {
        Halt::Log { service: Arc::clone(&self.me.service), shard: self.me.shard, error }
    }

    pub(crate) fn store_halt(&self, error: LogError) -> Halt {
        Halt::Store { service: Arc::clone(&self.me.service), shard: self.me.shard, error }
    }

    pub(crate) fn refused(&self, what: String) -> Halt {
        Halt::Refused { service: Arc::clone(&self.me.service), shard: self.me.shard, what }
    }

    fn expected(&self) -> Expected {
        let partitions = self.directory.get(&self.me.service).map(|(_, n)| n);
        Expected { service: Arc::clone(&self.me.service), log_id: Some(self.me.log_id), partitions }
    }
}

/// Reads the shard from its snapshot, or from genesis, to the end.
pub(crate) async fn recover(place: &Place, ports: &Ports, limits: &Limits) -> Result<Recovered, Halt> {
    let snapshot = ports.store.load(&place.me.service, place.me.shard).await;
    let snapshot = snapshot.map_err(|e| place.store_halt(e))?;
    let mut machine = Machine::new(
        place.me.clone(),
        place.kinds.clone(),
        Arc::clone(&place.directory),
        limits.ids,
        crate::digest::Digest::ZERO,
    );
    let told = &ports.telemetry;
    machine.observed(told.is_on(), told.ratio(), told.segment_after());
    let (fold, base) = match snapshot {
        None => (Fold::start(place.me.shard, place.expected()), None),
        Some((head, rows)) => {
            if !shown(place, ports, &head.position, "its snapshot").await? {
                begins(place, ports).await?;
                let at = head.position.offset;
                let what = format!("its snapshot stands at record {at}, which the log does not show (yet)");
                return Err(place.log_halt(LogError::retry(what)));
            }
            let unreadable = |e| {
                place.refused(format!(
                    "its snapshot cannot be read: {e}; delete the snapshots to fold the log again"
                ))
            };
            machine.restore(&head, &rows).map_err(unreadable)?;
            let fold = Fold::resume(place.me.shard, place.expected(), head.position.clone());
            (fold, Some(head.position))
        }
    };
    let mut recovered = Recovered { machine, fold, base };
    recovered.read_on(place, ports).await?;
    Ok(recovered)
}

/// The record of a position is read again and compared before the position is used. False when the log does not show it:
/// a short read may just be late, it is no proof that the log was cut.
pub(crate) async fn shown(place: &Place, ports: &Ports, at: &Position, what: &str) -> Result<bool, Halt> {
    let refused = |why: String| {
        place.refused(format!(
            "{what}: {why}; the log was restored, truncated or replaced: bring the right log back, or delete what is \
             derived from it"
        ))
    };
    if at.log_id != place.me.log_id {
        return Err(refused(format!("it is of log {}, this is log {}", at.log_id, place.me.log_id)));
    }
    let topic = Topic::events(Arc::clone(&place.me.service));
    let records =
        ports.log.read(&topic, place.me.shard, at.offset, 1).await.map_err(|e| place.log_halt(e))?;
    match records.first().filter(|r| r.offset == at.offset) {
        None => Ok(false),
        Some(_) if zoo!("position-not-compared") => Ok(true),
        Some(stored) => matches(at, &stored.record).map(|()| true).map_err(refused),
    }
}

/// A log that does not show what it must may be another one: then it begins with another genesis.
async fn begins(place: &Place, ports: &Ports) -> Result<(), Halt> {
    let topic = Topic::events(Arc::clone(&place.me.service));
    let records = ports.log.read(&topic, place.me.shard, 0, 1).await.map_err(|e| place.log_halt(e))?;
    if let Some(first) = records.first() {
        let mut fold = Fold::start(place.me.shard, place.expected());
        fold.take(first.offset, &first.record).map_err(Box::new)?;
    }
    Ok(())
}

impl Recovered {
    /// Reads what there is beyond the fold; every claim that counted is returned, in order.
    pub(crate) async fn read_on(&mut self, place: &Place, ports: &Ports) -> Result<Vec<Claim>, Halt> {
        let topic = Topic::events(Arc::clone(&place.me.service));
        let mut claims = Vec::new();
        let mut from = self.fold.next_offset();
        loop {
            let records = ports.log.read(&topic, place.me.shard, from, PAGE).await;
            let records = records.map_err(|e| place.log_halt(e))?;
            place.pulse.turned();
            let Some(last) = records.last() else { return Ok(claims) };
            from = last.offset.saturating_add(1);
            let mut counted = Vec::new();
            for stored in &records {
                match self.fold.take(stored.offset, &stored.record).map_err(Box::new)? {
                    Verdict::Genesis(_) => {
                        self.machine.begun(crate::digest::Digest::of(&stored.record.value))
                    }
                    Verdict::Claim(claim) => claims.push(claim),
                    Verdict::Commit(commit) => {
                        let digest = self.fold.position().map_or(crate::digest::Digest::ZERO, |p| p.digest);
                        counted.push((stored.offset, digest, commit));
                    }
                    Verdict::Dead(why) => ports.dead(&place.me, why),
                }
            }
            let needed = counted.iter().filter_map(|(_, _, commit)| self.machine.needs(commit));
            let needed: BTreeMap<EntityKey, ()> = needed.map(|key| (key, ())).collect();
            self.load(place, ports, needed.into_keys().collect()).await?;
            for (offset, digest, commit) in counted {
                let misfit = |misfit| Halt::Misfit {
                    service: Arc::clone(&place.me.service),
                    shard: place.me.shard,
                    misfit,
                };
                self.machine.replay(&commit, digest, offset).map_err(misfit)?;
            }
        }
    }

    async fn load(&mut self, place: &Place, ports: &Ports, keys: Vec<EntityKey>) -> Result<(), Halt> {
        load(&mut self.machine, place, ports, &[self.base.as_ref()], &keys).await
    }
}

/// Takes these entities into memory: from the snapshot those that may be there, blank the others.
pub(crate) async fn load(
    machine: &mut Machine,
    place: &Place,
    ports: &Ports,
    bases: &[Option<&Position>],
    keys: &[EntityKey],
) -> Result<(), Halt> {
    let (saved, blank): (Vec<&EntityKey>, Vec<&EntityKey>) =
        keys.iter().partition(|key| machine.may_be_saved(key));
    let rows = rows(place, ports, bases, &saved).await?;
    for (key, row) in saved.into_iter().zip(rows).chain(blank.into_iter().map(|key| (key, None))) {
        machine.load(key, row.as_ref()).map_err(|e| place.refused(e.to_string()))?;
    }
    Ok(())
}

/// The snapshot rows of these entities. The base they belong to must be one of those the owner knows.
async fn rows(
    place: &Place,
    ports: &Ports,
    bases: &[Option<&Position>],
    keys: &[&EntityKey],
) -> Result<Vec<Option<Row>>, Halt> {
    if keys.is_empty() || bases.iter().all(Option::is_none) {
        return Ok(vec![None; keys.len()]);
    }
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let loaded = ports.store.entities(&place.me.service, place.me.shard, &names).await;
    let (found, rows) = loaded.map_err(|e| place.store_halt(e))?;
    if bases.contains(&found.as_ref()) || zoo!("loaded-without-base") {
        return Ok(rows);
    }
    sometimes!("load met another snapshot");
    let error = LogError::retry(
        "the snapshot is another one than this owner's: the database went back, or somebody else saved",
    );
    Err(place.store_halt(error))
}
