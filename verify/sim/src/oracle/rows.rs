//! P1, P2: the rows at every SQL commit are the naive fold of the effective log at its checkpoint. K1, K2: so is every
//! state that was ever saved as a snapshot.

use std::collections::BTreeMap;

use palinode::checkpoint::Key;
use serde_json::Value;

use super::model::History;
use crate::{store::Kept, world::World};

pub(super) fn judge(world: &World, history: &History, kept: &[Kept], wrong: &mut Vec<String>) {
    snapshots(kept, history, wrong);
    let mut rows: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut at: BTreeMap<Key, (u64, u64)> = BTreeMap::new();
    for commit in world.db.commits() {
        for (row, value) in commit.rows {
            match value {
                Some(value) => drop(rows.insert(row, value)),
                None => drop(rows.remove(&row)),
            }
        }
        let Some((key, from, to)) = commit.moved else { continue };
        if let Some((offset, epoch)) = at.insert(key.clone(), (to, commit.epoch))
            && (offset != from || epoch > commit.epoch)
        {
            wrong.push(format!("P2: {key} went from {from} to {to}; it stood at {offset}, epoch {epoch}"));
        }
        same(&key, to, &rows, history, wrong);
    }
    for (service, projection) in [("bank", "balances"), ("stock", "holders")] {
        for shard in 0..world.script.shards {
            let (projection, service) = (projection.into(), service.into());
            let key = Key { projection, version: 1, service, shard };
            // After the heal the whole log is in the rows.
            same(&key, u64::MAX, &rows, history, wrong);
        }
    }
}

fn same(
    key: &Key,
    upto: u64,
    rows: &BTreeMap<(String, String), String>,
    history: &History,
    wrong: &mut Vec<String>,
) {
    let Some(entities) = history.get(&(key.service.to_string(), key.shard)) else { return };
    for (entity, states) in entities {
        let id = entity.split_once('/').map_or("", |(_, id)| id);
        let state = states.iter().rev().find(|(offset, ..)| *offset <= upto).map(|(_, _, state)| state);
        let expected = state.map(row).unwrap_or_default();
        let found = rows.get(&(format!("{}_v1", key.projection), id.to_owned())).cloned().unwrap_or_default();
        let blank = |row: &str| row.is_empty() || row == "0";
        if found != expected && !(blank(&found) && blank(&expected)) {
            let at = if upto == u64::MAX { "at the end".to_owned() } else { format!("at record {upto}") };
            wrong.push(format!("P1: {key} {at}: the row of {id} is {found:?}, expected {expected:?}"));
        }
    }
}

/// A state as its row.
fn row(state: &Value) -> String {
    if let Some(balance) = state["balance"].as_i64() {
        return balance.to_string();
    }
    let holders = state["holders"].as_object().map(|o| o.keys().cloned().collect::<Vec<_>>());
    holders.unwrap_or_default().join(" ")
}

fn snapshots(all: &[Kept], history: &History, wrong: &mut Vec<String>) {
    for kept in all {
        let place = format!("{}/{}", kept.service, kept.shard);
        let entities = history.get(&(kept.service.clone(), kept.shard));
        for (entity, pseq, value) in &kept.rows {
            if *pseq > kept.pseq {
                wrong.push(format!("K2: the snapshot of {place} at {} holds {entity} of {pseq}", kept.pseq));
            }
            let Some(states) = entities.and_then(|all| all.get(entity)) else { continue };
            let state = states.iter().rev().find(|(offset, ..)| *offset <= kept.offset);
            let saved: Option<Value> = value.as_ref().and_then(|v| serde_json::from_slice(v).ok());
            let expected = state.map(|(_, _, state)| state);
            if saved.as_ref().map(|saved| &saved["state"]) != expected {
                let at = kept.pseq;
                wrong.push(format!(
                    "K1: the snapshot of {place} at {at}: {entity} {saved:?}, not {expected:?}"
                ));
            }
        }
    }
}
