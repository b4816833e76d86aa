//! The read models against the log: every table computed again from the records up to where its projection says it is,
//! and compared row by row. A read model may be late; it may never be wrong.

use std::collections::{BTreeMap, BTreeSet};

use palinode_verify::Source;

use super::{Audit, Sagas, Stock, stock::Standing};
use crate::place::Place;

/// What the read models said at one moment.
pub(super) struct ReadModels {
    /// The last commit in the tables, by projection and shard.
    checkpoints: BTreeMap<(String, u32), u64>,
    tables: BTreeMap<&'static str, Rows>,
}

/// A table: its key and the rest of the row, both as text.
type Rows = BTreeMap<String, String>;

/// Where the read models that readers see are.
const CHECKPOINTS: &str = "select projection, cast(shard as bigint) as shard, pseq from palinode_checkpoint natural join palinode_active";

/// Each table, with its projection and what is read of it: a key and the rest.
const TABLES: [(&str, &str, &str); 4] = [
    (
        "trip",
        "trips",
        "select id as key, concat_ws(' ', phase, coalesce(taken_back, '-'), coalesce(refused_at, '-'), began_us, \
         coalesce(cast(ended_us as text), '-')) as rest from trip",
    ),
    (
        "room_night",
        "room-nights",
        "select room || ' ' || night as key, cast(taken as text) as rest from room_night where taken <> 0",
    ),
    ("seat", "seats", "select flight as key, cast(taken as text) as rest from seat where taken <> 0"),
    ("rental", "cars", "select station as key, cast(taken as text) as rest from rental where taken <> 0"),
];

/// Reads all tables and where they stand, of one moment. To be called before the log is opened, so that the log is not
/// behind them.
///
/// # Errors
/// When they are there and cannot be read.
pub(super) async fn read(place: &Place) -> anyhow::Result<ReadModels> {
    let mut models = ReadModels { checkpoints: BTreeMap::new(), tables: BTreeMap::new() };
    let Some(tables) = place.tables().await? else { return Ok(models) };
    let mut moment = tables.moment().await?;
    let present: BTreeSet<String> = moment.names().await?.into_iter().collect();
    if !present.contains("palinode_active") {
        return Ok(models);
    }
    for row in moment.ask(CHECKPOINTS).await? {
        let (shard, pseq): (i64, i64) = (row.get("shard")?, row.get("pseq")?);
        models.checkpoints.insert((row.get("projection")?, shard.try_into()?), pseq.try_into()?);
    }
    for (table, _, sql) in TABLES.into_iter().filter(|(table, ..)| present.contains(*table)) {
        let rows = moment.ask(sql).await?;
        let rows = rows.iter().map(|row| anyhow::Ok((row.get("key")?, row.get("rest")?)));
        models.tables.insert(table, rows.collect::<anyhow::Result<_>>()?);
    }
    Ok(models)
}

/// Computes every table again and says where it differs.
///
/// # Errors
/// When the log cannot be read.
pub(super) fn compare(models: &ReadModels, log: &dyn Source, audit: &mut Audit) -> anyhow::Result<()> {
    for (table, projection, _) in TABLES {
        let Some(found) = models.tables.get(table) else { continue };
        let upto = |shard| models.checkpoints.get(&(projection.to_owned(), shard)).copied().unwrap_or(0);
        // What the events break is said by the fold of the whole log.
        let mut ignored = Audit::default();
        let expected = match table {
            "trip" => trips(&Sagas::read(log, upto)?),
            "room_night" => nights(&Stock::read(log, "hotel", upto, &mut ignored)?),
            "seat" => held(&Stock::read(log, "flight", upto, &mut ignored)?, |count| count),
            _ => held(&Stock::read(log, "car", upto, &mut ignored)?, |_| 1),
        };
        audit.read_models.insert(table, u64::try_from(found.len())?);
        for key in found.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
            let (is, should) = (found.get(key), expected.get(key));
            if is != should {
                let text =
                    |row: Option<&String>| row.map_or("not there".to_owned(), |row| format!("{row:?}"));
                audit.differs(format!(
                    "read model {table}, {key}: {}; the log says {}",
                    text(is),
                    text(should)
                ));
            }
        }
    }
    Ok(())
}

fn trips(sagas: &Sagas) -> Rows {
    let row = |saga: &super::sagas::SagaFold| {
        let (back, at) = match &saga.undone_because {
            None => ("-", "-"),
            Some(super::sagas::Because::Refused(node)) => ("refused", node.as_str()),
            Some(super::sagas::Because::Cancelled) => ("cancelled", "-"),
            Some(super::sagas::Because::Silent) => ("expired", "-"),
        };
        let ended = saga.ended_us.map_or("-".to_owned(), |us| us.to_string());
        format!("{} {back} {at} {} {ended}", saga.phase, saga.began_us)
    };
    sagas.0.iter().map(|(trip, saga)| (trip.to_string(), row(saga))).collect()
}

fn nights(stock: &Stock) -> Rows {
    let taken = stock.nights.iter().filter(|(_, taken)| **taken > 0);
    taken.map(|((room, night), taken)| (format!("{room} {night}"), taken.to_string())).collect()
}

fn held(stock: &Stock, count: impl Fn(u64) -> u64) -> Rows {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for hold in stock.holds.values().filter(|hold| hold.standing != Standing::Released) {
        *sums.entry(hold.at.clone()).or_default() += count(hold.count);
    }
    sums.into_iter().map(|(at, sum)| (at, sum.to_string())).collect()
}
