//! What one call of the memory log does, under its lock: checks, draws what goes wrong, and never waits.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    chance::Chance,
    faults::Faults,
    group::Group,
    partitions::{Answer, Partitions, Place},
    plan::{Next, Plan},
};
use crate::{
    address::{Topic, check_name},
    codec::{self, Entry},
    commit::{FORMAT, Genesis},
    log::{Created, LogError, Stored},
    record::Record,
    time::Micros,
};

/// What the nodes of a cluster share.
pub(super) struct State {
    pub(super) partitions: Partitions,
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) scripts: BTreeMap<Arc<str>, VecDeque<Next>>,
    pub(super) chance: Chance,
    pub(super) faults: Faults,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            partitions: Partitions::default(),
            groups: BTreeMap::new(),
            scripts: BTreeMap::new(),
            chance: Chance::new(seed),
            faults: Faults::none(),
        }
    }

    pub(super) fn append(
        &mut self,
        member: &Arc<str>,
        place: &Place,
        records: Vec<Record>,
    ) -> Result<Answer, LogError> {
        self.check(place)?;
        if records.iter().any(|r| r.mark.is_none() || r.crc.is_none()) {
            let what = format!("{}/{}: a record bears no mark or no checksum", place.0, place.1);
            return Err(LogError::stop(format!("{what}: only records of ours can be appended")));
        }
        let script = self.scripts.get_mut(member).and_then(VecDeque::pop_front);
        let plan = match script {
            Some(next) => Plan::scripted(next, records.len()),
            None => Plan::draw(&mut self.chance, &self.faults, records.len()),
        };
        if let Some(Next::Hold | Next::Late) = script {
            return Ok(self.partitions.hold(member, place, records, plan.say));
        }
        Ok(self.partitions.append(member, place, records, &plan))
    }

    fn check(&mut self, place: &Place) -> Result<usize, LogError> {
        let (topic, partition) = place;
        self.partitions.get(place).map(Vec::len).ok_or_else(|| {
            LogError::stop(format!(
                "there is no {topic}/{partition}: create the service first, and use a partition it has"
            ))
        })
    }

    /// How far a member sees: what it saw once, it sees always.
    pub(super) fn sight(&mut self, member: &Arc<str>, place: &Place) -> Result<usize, LogError> {
        let there = self.check(place)?;
        if self.chance.hits(self.faults.read_failed) {
            return Err(LogError::retry(format!("{}/{} cannot be read now: try again", place.0, place.1)));
        }
        let seen = self.partitions.seen(member, place).min(there);
        if !self.chance.hits(self.faults.read_lagging) {
            return Ok(there);
        }
        let hidden = self.chance.below((there - seen) as u64 + 1);
        Ok(there - usize::try_from(hidden).unwrap_or(0))
    }

    pub(super) fn read(
        &mut self,
        member: &Arc<str>,
        place: &Place,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Stored>, LogError> {
        let end = self.sight(member, place)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(end);
        let mut count = limit.min(end - from);
        if self.chance.hits(self.faults.read_short) {
            count = usize::try_from(self.chance.below(count as u64 + 1)).unwrap_or(0);
        }
        let records = self.partitions.get(place).map_or(&[][..], Vec::as_slice);
        let page = records.iter().enumerate().skip(from).take(count);
        let page =
            page.map(|(offset, record)| Stored { offset: offset as u64, record: record.clone() }).collect();
        self.partitions.saw(member, place, from + count);
        Ok(page)
    }

    pub(super) fn create(&mut self, service: &str, partitions: u32, log_id: Uuid) -> Created {
        let refuse = |what: String| Created::Refused(LogError::stop(what));
        if let Err(bad) = check_name("service", service) {
            return refuse(bad.to_string());
        }
        if !(1..=1_024).contains(&partitions) {
            return refuse(format!("service {service:?}: {partitions} partitions: use 1 to 1024"));
        }
        let topic = Topic::events(service);
        let there = self.partitions.count(&topic);
        let first = self.partitions.get(&(topic.clone(), 0)).map(|records| records.first().cloned());
        if let Some(first) = first {
            let decoded = first.map(|record| codec::decode(&record));
            let Some(Ok(Some(Entry::Genesis(genesis)))) = decoded else {
                return refuse(format!(
                    "{topic}/0 does not begin with genesis: restore it, or use another name"
                ));
            };
            if usize::try_from(partitions) != Ok(there) {
                let what = format!("service {service:?} has {there} partitions for ever");
                return refuse(format!("{what}, {partitions} were asked for: ask for {there}"));
            }
            return Created::Ready { genesis, fresh: false };
        }
        let genesis = Genesis { log_id, service: service.into(), partitions, format: FORMAT };
        let record = match codec::genesis_record(&genesis, Micros::default()) {
            Ok(record) => record,
            Err(e) => return refuse(format!("genesis cannot be written: {e}")),
        };
        self.partitions.add(topic, &[record], partitions);
        self.partitions.add(Topic::inbox(service), &[], partitions);
        self.partitions.add(Topic::replies(service), &[], partitions);
        self.groups.insert(service.into(), Group::new(partitions));
        if self.chance.hits(self.faults.create_unknown) {
            let what = format!("the answer to creating {service:?} was lost: ask again");
            return Created::Unknown(LogError::retry(what));
        }
        Created::Ready { genesis, fresh: true }
    }

    pub(super) fn stall(&mut self) -> Option<Instant> {
        let stalls = self.chance.hits(self.faults.read_stalled);
        stalls.then(|| Instant::now() + self.chance.within(self.faults.stall))
    }
}
