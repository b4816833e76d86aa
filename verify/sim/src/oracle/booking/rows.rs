//! P1 for the booking: at every SQL commit the rows of its read models are the naive fold of the effective log at the
//! checkpoint. Rooms by night, seats and cars from the naive states; how each trip stands from its journal's names.

use std::collections::{BTreeMap, BTreeSet};

use ::booking::saga::BOOK_TRIP;
use palinode_verify::Effective;
use serde_json::{Value, json};

use super::holds;
use crate::{
    booking::rows::ALL,
    oracle::{Truth, model::History},
    world::World,
};

/// The rows of each entity of a shard after which record, oldest first.
type Expected = BTreeMap<String, Vec<(u64, BTreeMap<String, String>)>>;
type Rows = BTreeMap<(String, String), String>;

pub(super) fn judge(world: &World, truth: &Truth, history: &History, wrong: &mut Vec<String>) {
    let mut expected: BTreeMap<(&str, u32), Expected> = BTreeMap::new();
    for (service, ..) in ALL {
        for shard in 0..world.script.shards {
            let place = (service.to_owned(), shard);
            let of = match history.get(&place) {
                Some(states) if service != "trip" => stock(states),
                _ => truth.shards.get(&place).map(|commits| trips(commits)).unwrap_or_default(),
            };
            expected.insert((service, shard), of);
        }
    }
    let mut rows = Rows::new();
    for commit in world.db.commits() {
        rows.extend(commit.rows.into_iter().map(|(row, value)| (row, value.unwrap_or_default())));
        for (key, at) in commit.at {
            let known = ALL.iter().find(|(_, projection, _)| *projection == &*key.projection);
            let (Some((service, _, table)), Some(at)) = (known, at) else { continue };
            if let Some(expected) = expected.get(&(service, key.shard)) {
                same(table, at.offset, &rows, expected, wrong);
            }
        }
    }
    // After the heal the whole log is in the rows, and no row is of nobody.
    for (service, _, table) in ALL {
        let of = |shard| expected.get(&(service, shard));
        let shards: Vec<&Expected> = (0..world.script.shards).filter_map(of).collect();
        shards.iter().for_each(|expected| same(table, u64::MAX, &rows, expected, wrong));
        let owned = |row: &str| shards.iter().any(|of| of.keys().any(|entity| row.starts_with(entity)));
        let stray =
            |(at, row): &(&(String, String), &String)| at.0 == table && !row.is_empty() && !owned(&at.1);
        if let Some(stray) = rows.iter().find(stray) {
            wrong.push(format!("P1: the row {stray:?} is of nobody"));
        }
    }
}

fn same(table: &str, upto: u64, rows: &Rows, expected: &Expected, wrong: &mut Vec<String>) {
    let none = BTreeMap::new();
    for (entity, states) in expected {
        let state = states.iter().rev().find(|(offset, _)| *offset <= upto).map_or(&none, |(_, rows)| rows);
        let from = (table.to_owned(), entity.clone());
        let found = rows.range(from..).take_while(|((t, row), _)| t == table && row.starts_with(entity));
        let found: BTreeMap<&str, &str> =
            found.map(|((_, row), value)| (row.as_str(), value.as_str())).collect();
        let all: BTreeSet<&str> = found.keys().copied().chain(state.keys().map(String::as_str)).collect();
        for row in all {
            let (is, should) =
                (found.get(row).copied().unwrap_or(""), state.get(row).map_or("", String::as_str));
            let blank = |row: &str| row.is_empty() || row == "0";
            if is != should && !(blank(is) && blank(should)) {
                wrong.push(format!("P1: {table} at record {upto}: {row} is {is:?}, expected {should:?}"));
            }
        }
    }
}

/// What is taken, from the states of the naive model.
fn stock(states: &BTreeMap<String, Vec<(u64, u64, Value)>>) -> Expected {
    let mut all = Expected::new();
    for (entity, states) in states {
        let Some((kind, id)) = entity.split_once('/') else { continue };
        let rows = |state: &Value| {
            let holds = holds(kind, state);
            let what = holds.held.values().chain(holds.confirmed.values());
            match kind {
                "room-type" => {
                    let taken = holds.taken().into_iter();
                    taken.map(|(night, n)| (format!("{id}/{night}"), n.to_string())).collect()
                }
                "flight" => {
                    let seats: u64 = what.filter_map(|hold| hold[0].as_u64()).sum();
                    BTreeMap::from([(id.to_owned(), seats.to_string())])
                }
                _ => BTreeMap::from([(id.to_owned(), what.count().to_string())]),
            }
        };
        let of = states.iter().map(|(offset, _, state)| (*offset, rows(state))).collect();
        all.insert(id.to_owned(), of);
    }
    all
}

/// How each trip stands, from the names of what its journal says.
fn trips(commits: &[Effective]) -> Expected {
    let mut all = Expected::new();
    let mut rows: BTreeMap<String, Value> = BTreeMap::new();
    for effective in commits {
        let Some(entity) = effective.entity().filter(|entity| entity.kind == BOOK_TRIP) else { continue };
        for event in &effective.commit.events {
            let nothing =
                json!({ "phase": "", "taken_back": null, "refused_at": null, "began": null, "ended": null });
            let mut row = rows.get(&entity.id).cloned().unwrap_or(nothing);
            let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
            let phase = match event.name.as_str() {
                "saga.started" | "saga.wait_done" => "running",
                "saga.wait_began" => "waiting",
                "saga.undo_began" => "undoing",
                "saga.stuck" => "stuck",
                "saga.parked" => "parked",
                "saga.completed" => "completed",
                "saga.compensated" => "compensated",
                "saga.killed" => "killed",
                _ => continue,
            };
            row["phase"] = json!(phase);
            let time = json!(effective.commit.time);
            match phase {
                "completed" | "compensated" | "killed" => row["ended"] = time,
                _ if event.name == "saga.started" => row["began"] = time,
                _ => {}
            }
            if phase == "undoing" {
                let why = &data["why"];
                let (taken_back, at) = match why["cause"].as_str() {
                    Some("cancelled") => ("cancelled", &Value::Null),
                    Some("timed_out") => ("expired", &Value::Null),
                    _ => ("refused", &why["node"]),
                };
                (row["taken_back"], row["refused_at"]) = (json!(taken_back), at.clone());
            }
            let told = BTreeMap::from([(entity.id.clone(), row.to_string())]);
            all.entry(entity.id.clone()).or_default().push((effective.offset, told));
            rows.insert(entity.id.clone(), row);
        }
    }
    all
}
