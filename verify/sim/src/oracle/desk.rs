//! What people do to the read models stands in the audit trail once, under their name, if it was done and only then.

use std::collections::BTreeMap;

use crate::{
    desk::{Asked, What},
    world::World,
};

pub(super) fn judge(world: &World, wrong: &mut Vec<String>) {
    let mut entries: BTreeMap<String, u32> = BTreeMap::new();
    for act in world.db.commits().iter().flat_map(|commit| &commit.acts) {
        *entries.entry(act.said.by.clone()).or_default() += 1;
    }
    for Asked { by, what, answer } in world.readers.asked() {
        let found = entries.remove(&by).unwrap_or_default();
        let (least, most) = match (what, &answer) {
            (What::RetryCause(_), Some(Ok(keys))) => (u32::from(*keys > 0), world.script.shards),
            (What::RetryCause(_), _) => (0, world.script.shards),
            // Done again, it changes nothing.
            (What::Swap(_), Some(Ok(_))) | (_, None) => (0, 1),
            (_, Some(Ok(keys))) => (u32::from(*keys > 0), u32::from(*keys > 0)),
            (_, Some(Err(_))) => (0, 0),
        };
        if found < least || found > most {
            wrong.push(format!("audit: {by} did {what:?}, was told {answer:?}, and {found} entries say so"));
        }
    }
    for by in entries.into_keys() {
        wrong.push(format!("audit: {by} did something, and asked for nothing"));
    }
}
