//! The auditor: computes from the log's records, and from nothing else, what must be true, and compares it with the
//! bank's book and the read models. It shares no line with the engine and none with the aggregates: records are read by
//! `palinode-verify`, events by the plain structs of this room.

use std::collections::{BTreeMap, BTreeSet};

use palinode_verify::{Effective, Report, Source, Stop, commits};

use crate::{domain::TripId, place::Place};

mod compare;
mod money;
mod read_models;
mod sagas;
mod stock;

use read_models::ReadModels;
use sagas::{End, Sagas};
use stock::Stock;

/// Differences kept for people; the rest is only counted.
const KEPT: usize = 50;

/// What the auditor found.
#[derive(Default)]
pub(crate) struct Audit {
    /// What the log itself says: its records, numbers, channels, timers.
    pub(crate) log: Report,
    /// What differs, in words; at most [`KEPT`].
    pub(crate) differences: Vec<String>,
    /// How many there are.
    pub(crate) difference_count: u64,
    /// Trips by how they ended.
    pub(crate) trips: BTreeMap<&'static str, u64>,
    /// Trips that have ended.
    pub(crate) ended: BTreeSet<TripId>,
    /// Trips that have not ended.
    pub(crate) unfinished: Vec<TripId>,
    /// Nights that rooms are taken for, all added.
    pub(crate) room_nights: u64,
    /// Charges in the bank's ledger.
    pub(crate) charges: u64,
    /// Their sum in cents.
    pub(crate) charged_cents: u64,
    /// The read models that were compared, with the number of rows of each.
    pub(crate) read_models: BTreeMap<&'static str, u64>,
}

impl Audit {
    /// Nothing differs and nothing is unfinished.
    pub(crate) fn is_clean(&self) -> bool {
        self.log.is_clean() && self.difference_count == 0 && self.unfinished.is_empty()
    }

    fn differs(&mut self, what: impl Into<String>) {
        self.difference_count += 1;
        if self.differences.len() < KEPT {
            self.differences.push(what.into());
        }
    }
}

/// Audits what lies in a place, as it is at this moment.
///
/// # Errors
/// When something cannot be read at all; what is wrong in it is a difference.
pub(crate) async fn audit(place: &Place) -> anyhow::Result<Audit> {
    // Before the log, so that this is not behind them.
    let models = read_models::read(place).await?;
    let log = place.clone();
    let folded = tokio::task::spawn_blocking(move || of_log(&*log.log_at_rest()?, &models));
    let (mut audit, sagas, stocks) = folded.await??;
    money::compare(place.ledger().await?, &sagas, &stocks, &mut audit);
    Ok(audit)
}

/// What the log says, and the read models against it.
fn of_log(log: &dyn Source, models: &ReadModels) -> anyhow::Result<(Audit, Sagas, [Stock; 3])> {
    let mut audit = Audit { log: palinode_verify::check(log)?, ..Audit::default() };
    let all = |_| u64::MAX;
    let sagas = Sagas::read(log, all)?;
    let hotel = Stock::read(log, "hotel", all, &mut audit)?;
    let flight = Stock::read(log, "flight", all, &mut audit)?;
    let car = Stock::read(log, "car", all, &mut audit)?;
    compare::trips(&sagas, [&hotel, &flight, &car], &mut audit);
    audit.room_nights = hotel.nights_taken();
    read_models::compare(models, log, &mut audit)?;
    Ok((audit, sagas, [hotel, flight, car]))
}

/// The effective commits of a service, shard by shard, each shard up to the commit of this number. An impossible record
/// ends its shard: the report of the log names it, and what lies before it is compared all the same.
fn commits_of(
    log: &dyn Source,
    service: &str,
    upto: impl Fn(u32) -> u64,
) -> impl Iterator<Item = Result<Effective, Stop>> {
    let shards = log.partitions().into_iter().filter(move |p| &*p.service == service).map(|p| p.shard);
    shards.flat_map(move |shard| {
        let last = upto(shard);
        let counts = move |at: &Result<Effective, Stop>| match at {
            Ok(at) => at.commit.pseq <= last,
            Err(stop) => !matches!(stop, Stop::Impossible(_)),
        };
        commits(log, service, shard).take_while(counts)
    })
}
