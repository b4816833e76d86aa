//! The read models against the log: every table computed again from the records up to where its projection says it is,
//! and compared row by row. A read model may be late; it may never be wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use palinode_verify::Log;
use rusqlite::Connection;

use super::{Audit, Sagas, Stock, stock::Standing};
use crate::read;

/// What the read models said at one moment.
pub(super) struct ReadModels {
    /// The last commit in the tables, by projection and shard.
    checkpoints: BTreeMap<(String, u32), u64>,
    tables: BTreeMap<&'static str, Rows>,
}

/// A table: its key and the rest of the row, both as text.
type Rows = BTreeMap<String, String>;

/// Each table, with its projection and what is read of it: a key and the rest.
const TABLES: [(&str, &str, &str); 4] = [
    (
        "trip",
        "trips",
        "select id, concat_ws(' ', phase, ifnull(taken_back, '-'), ifnull(refused_at, '-'), began_us, ifnull(ended_us, '-')) from trip",
    ),
    ("room_night", "room-nights", "select room || ' ' || night, taken from room_night where taken <> 0"),
    ("seat", "seats", "select flight, taken from seat where taken <> 0"),
    ("rental", "cars", "select station, taken from rental where taken <> 0"),
];

/// Reads all tables and where they stand, of one moment. To be called before the log is opened, so that the log is not
/// behind them.
///
/// # Errors
/// When `read.db` is there and cannot be read.
pub(super) fn read(folder: &Path) -> anyhow::Result<ReadModels> {
    let mut models = ReadModels { checkpoints: BTreeMap::new(), tables: BTreeMap::new() };
    if !folder.join("read.db").exists() {
        return Ok(models);
    }
    let mut db = read::open(folder)?;
    let moment = db.transaction()?;
    let present = names(&moment)?;
    if !present.contains("palinode_active") {
        return Ok(models);
    }
    let mut rows = moment
        .prepare("select projection, shard, pseq from palinode_checkpoint natural join palinode_active")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let pseq = u64::try_from(row.get::<_, i64>(2)?)?;
        models.checkpoints.insert((row.get(0)?, row.get(1)?), pseq);
    }
    for (table, _, sql) in TABLES.into_iter().filter(|(table, ..)| present.contains(*table)) {
        let text = |value: rusqlite::types::Value| match value {
            rusqlite::types::Value::Integer(n) => n.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        let mut query = moment.prepare(sql)?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, text(row.get(1)?))))?;
        models.tables.insert(table, rows.collect::<rusqlite::Result<_>>()?);
    }
    Ok(models)
}

fn names(db: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut query = db.prepare("select name from sqlite_schema where type in ('table', 'view')")?;
    query.query_map([], |row| row.get(0))?.collect()
}

/// Computes every table again and says where it differs.
///
/// # Errors
/// When the log cannot be read.
pub(super) fn compare(models: &ReadModels, log: &Log, audit: &mut Audit) -> anyhow::Result<()> {
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
