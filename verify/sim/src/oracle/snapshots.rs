//! K1, K2: every state that was ever saved as a snapshot is the log's at that place.

use serde_json::Value;

use super::model::History;
use crate::store::Kept;

pub(super) fn judge(all: &[Kept], history: &History, wrong: &mut Vec<String>) {
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
