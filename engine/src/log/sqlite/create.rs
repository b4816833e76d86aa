//! Creating a service: its lanes, and genesis on each partition of `events`, in one transaction; or telling what is
//! there.

use std::sync::Arc;

use rusqlite::Connection;
use uuid::Uuid;

use super::{
    Shared,
    lane::{Lane, Lanes, MAX_LANES},
    queue::NewService,
    reader,
    row::{Ours, insert},
    transaction::transact,
};
use crate::{
    address::{Topic, check_name},
    codec::{self, Entry},
    commit::{FORMAT, Genesis},
    log::{Created, LogError},
    record::Record,
};

/// Creates it, answers, and makes its lanes known.
pub(super) fn create(db: &Connection, shared: &Shared, new: NewService) {
    let NewService { service, partitions, log_id, answer } = new;
    let created = refused(&service, partitions)
        .or_else(|| existing(db, &shared.lanes(), &service, partitions))
        .unwrap_or_else(|| fresh(db, shared, &service, partitions, log_id));
    // Nobody may be waiting any more: the service exists all the same.
    drop(answer.send(created));
}

fn refused(service: &str, partitions: u32) -> Option<Created> {
    let refuse = |what: String| Some(Created::Refused(LogError::stop(what)));
    if let Err(bad) = check_name("service", service) {
        return refuse(bad.to_string());
    }
    if !(1..=1_024).contains(&partitions) {
        return refuse(format!("service {service:?}: {partitions} partitions: use 1 to 1024"));
    }
    None
}

/// The answer for a service that is there.
fn existing(db: &Connection, lanes: &Lanes, service: &str, partitions: u32) -> Option<Created> {
    let topic = Topic::events(service);
    let lane = lanes.get(&topic, 0)?;
    let (genesis, there) = match first(db, lane) {
        Ok(genesis) => (genesis, lanes.partitions(&topic)),
        Err(error) => return Some(Created::Refused(error)),
    };
    if genesis.partitions != there {
        let what = format!("{topic}: genesis says {} partitions and there are {there}", genesis.partitions);
        return Some(Created::Refused(LogError::stop(format!("{what}: restore log.db from a backup"))));
    }
    if there != partitions {
        let what =
            format!("service {service:?} has {there} partitions for ever, {partitions} were asked for");
        return Some(Created::Refused(LogError::stop(format!("{what}: ask for {there}"))));
    }
    Some(Created::Ready { genesis, fresh: false })
}

fn first(db: &Connection, lane: &Lane) -> Result<Genesis, LogError> {
    let stop = |what: &str| LogError::stop(format!("{lane}, record 0: {what}: restore log.db from a backup"));
    let stored = reader::range(db, lane, 0, 1)?.pop().ok_or_else(|| stop("genesis is missing"))?;
    match codec::decode(&stored.record) {
        Ok(Some(Entry::Genesis(genesis))) => Ok(genesis),
        Ok(_) => Err(stop("it is no genesis")),
        Err(e) => Err(stop(&e.to_string())),
    }
}

fn fresh(db: &Connection, shared: &Shared, service: &Arc<str>, partitions: u32, log_id: Uuid) -> Created {
    let first = shared.lanes().next_number();
    if first.saturating_add(partitions.saturating_mul(2)) > MAX_LANES {
        return Created::Refused(LogError::stop(format!("{}: no room for more services", shared.name)));
    }
    let genesis = Genesis { log_id, service: Arc::clone(service), partitions, format: FORMAT };
    let record = match codec::genesis_record(&genesis, shared.clock.now()) {
        Ok(record) => record,
        Err(e) => return Created::Refused(LogError::stop(format!("genesis cannot be written: {e}"))),
    };
    let (events, inbox) = (Topic::events(Arc::clone(service)), Topic::inbox(Arc::clone(service)));
    let lanes = |topic: &Topic, from: u32, end| -> Vec<Arc<Lane>> {
        (0..partitions).map(|n| Arc::new(Lane::new(from + n, topic, n, end))).collect()
    };
    let (of_events, of_inbox) = (lanes(&events, first, 1), lanes(&inbox, first + partitions, 0));
    let written = transact(db, &shared.name, || {
        register(db, &events, first, partitions)?;
        register(db, &inbox, first + partitions, partitions)?;
        of_events.iter().chain(&of_inbox).try_for_each(|lane| lane.make(db))?;
        write_genesis(db, &of_events, &record)
    });
    match written.map_err(|failure| shared.failed(failure)) {
        Ok(()) => {
            shared.add_lanes([(events, of_events), (inbox, of_inbox)]);
            Created::Ready { genesis, fresh: true }
        }
        Err((error, false)) => Created::Refused(error),
        Err((error, true)) => Created::Unknown(error),
    }
}

fn register(db: &Connection, topic: &Topic, first: u32, partitions: u32) -> rusqlite::Result<()> {
    let mut lane =
        db.prepare_cached("insert into palinode_lane (lane, topic, partition) values (?1, ?2, ?3)")?;
    (0..partitions).try_for_each(|n| lane.execute((first + n, topic.to_string(), n)).map(|_| ()))
}

fn write_genesis(db: &Connection, lanes: &[Arc<Lane>], record: &Record) -> rusqlite::Result<()> {
    let ours = Ours::of(record).ok_or(rusqlite::Error::InvalidQuery)?;
    lanes.iter().try_for_each(|lane| {
        let mut one = insert(db, lane, 1)?;
        ours.bind(&mut one, 0, lane.id(0))?;
        one.raw_execute().map(|_| ())
    })
}
