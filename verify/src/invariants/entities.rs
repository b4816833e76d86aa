//! A1: an entity's versions follow each other without gap. A5: what is refused has no events. Placement: an entity lives
//! on the shard of its hash and nowhere else.

use std::collections::BTreeMap;

use super::{Logs, broken, count, len};
use crate::{
    hash::{Digest, shard_of},
    reader::Effective,
    record::{Cause, Outcome},
    report::{Report, Rule},
};

#[derive(Debug, Default)]
pub(super) struct Entities {
    /// Events of each entity so far, by the digest of its name.
    versions: BTreeMap<Digest, u64>,
}

impl Entities {
    pub(super) fn take(&mut self, at: &Effective, logs: &Logs<'_>, report: &mut Report) {
        let commit = &at.commit;
        let events = len(&commit.events);
        if events > 0 && !matches!(commit.outcome, Outcome::Accepted | Outcome::Parked) {
            let found = format!("{:?} with {events} events", commit.outcome);
            broken(report, at, Rule::Refusals, found, "no events".into());
        }
        let Some(entity) = &commit.entity else {
            return Self::nobody(at, events, report);
        };
        let partitions = logs.partitions(&at.at.service, at.at.log_id);
        let home = partitions.map_or(at.at.shard, |n| shard_of(&entity.kind, &entity.id, n));
        if home != at.at.shard {
            broken(report, at, Rule::Placement, format!("{entity} on this shard"), format!("shard {home}"));
        }
        let version = self.versions.entry(Digest::of(entity.to_string().as_bytes())).or_default();
        if entity.version != *version {
            let found = format!("{entity} at version {}", entity.version);
            broken(report, at, Rule::Versions, found, format!("version {version}"));
        }
        *version = entity.version.saturating_add(events);
    }

    /// A commit about nobody changes nobody; only the engine's acts and messages for nobody make one.
    fn nobody(at: &Effective, events: u64, report: &mut Report) {
        if events > 0 {
            let found = format!("{events} events of no entity");
            broken(report, at, Rule::Versions, found, "an entity whose events they are".into());
        }
        if matches!(at.commit.cause, Cause::Timer { .. } | Cause::Activity(_)) {
            let found = format!("{:?} of no entity", at.commit.cause);
            broken(report, at, Rule::Versions, found, "the entity it belongs to".into());
        }
    }

    pub(super) fn count(&self) -> u64 {
        count(&self.versions)
    }
}
