//! The tables of the read models once more, naively: from the raw events of the effective log, with JSON and numbers
//! only. Knows nothing of checkpoints.

use std::collections::{BTreeMap, BTreeSet};

use palinode_verify::Effective;
use serde_json::Value;

use super::Truth;
use crate::readers::ALL;

/// An event of an entity.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) offset: u64,
    pub(super) pseq: u64,
    pub(super) idx: u32,
    /// The entity's version after it.
    pub(super) version: u64,
    name: String,
    data: Value,
}

impl Event {
    pub(super) fn place(&self) -> (u64, u32) {
        (self.pseq, self.idx)
    }
}

/// The events of one entity, and the row of each projection after each of them.
#[derive(Debug, Default)]
pub(super) struct Entity {
    pub(super) id: String,
    pub(super) events: Vec<Event>,
    rows: BTreeMap<&'static str, Vec<String>>,
}

/// Entities by their names, for each shard of each service.
pub(super) type Shards = BTreeMap<(String, u32), BTreeMap<String, Entity>>;

pub(super) fn read(truth: &Truth) -> Shards {
    let mut shards = Shards::new();
    for (place, commits) in truth.shards.iter().filter(|((service, _), _)| service != "trip") {
        let entities = shards.entry(place.clone()).or_default();
        commits.iter().for_each(|effective| take(entities, effective));
    }
    for ((service, _), entities) in &mut shards {
        for entity in entities.values_mut() {
            for (projection, _) in ALL.iter().filter(|(_, of)| of == service) {
                let mut row = String::new();
                let rows = entity.events.iter().map(|event| {
                    row = next(projection, &row, event);
                    row.clone()
                });
                let rows = rows.collect();
                entity.rows.insert(*projection, rows);
            }
        }
    }
    shards
}

fn take(entities: &mut BTreeMap<String, Entity>, effective: &Effective) {
    let Some(of) = effective.entity() else { return };
    for (idx, event) in (0u32..).zip(&effective.commit.events) {
        let entity = entities.entry(format!("{}/{}", of.kind, of.id)).or_default();
        entity.id.clone_from(&of.id);
        entity.events.push(Event {
            offset: effective.offset,
            pseq: effective.commit.pseq,
            idx,
            version: of.version + u64::from(idx) + 1,
            name: event.name.clone(),
            data: serde_json::from_str(event.data.get()).unwrap_or(Value::Null),
        });
    }
}

impl Entity {
    /// The row up to and with this record, without some of the events.
    pub(super) fn row(&self, projection: &str, upto: u64, without: &BTreeSet<(u64, u32)>) -> String {
        let count = self.events.partition_point(|event| event.offset <= upto);
        if without.is_empty() {
            let rows = self.rows.get(projection);
            let last = count.checked_sub(1).and_then(|n| rows?.get(n).cloned());
            return last.unwrap_or_default();
        }
        let events = self.events.iter().take(count).filter(|event| !without.contains(&event.place()));
        events.fold(String::new(), |row, event| next(projection, &row, event))
    }
}

/// A row after an event.
fn next(projection: &str, row: &str, event: &Event) -> String {
    let number = || row.parse::<i64>().unwrap_or(0);
    let amount = event.data.as_i64().unwrap_or(0);
    let by = || event.data["by"].as_str().unwrap_or_default().to_owned();
    let holders = || row.split(' ').filter(|h| !h.is_empty()).map(str::to_owned).collect::<BTreeSet<_>>();
    let told = |holders: BTreeSet<String>| holders.into_iter().collect::<Vec<_>>().join(" ");
    match (projection, event.name.as_str()) {
        ("balances" | "turnover", "account.deposited") => (number() + amount).to_string(),
        ("balances", "account.withdrawn") => (number() - amount).to_string(),
        ("visits", "slot.held") => (number() + 1).to_string(),
        ("holders", "slot.held") => {
            let mut holders = holders();
            holders.insert(by());
            told(holders)
        }
        ("holders", "slot.released") => {
            let mut holders = holders();
            holders.remove(&by());
            told(holders)
        }
        _ => row.to_owned(),
    }
}
