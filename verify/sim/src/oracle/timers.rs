//! T1 by the broker's clock: where no clock is wrong, no firing is appended before its timer is due. A commit's own time
//! cannot show that, because it is never before the due time.

use std::collections::BTreeMap;

use palinode::Topic;
use palinode_verify::record::Cause;

use super::Truth;
use crate::{script::Wrong, world::World};

pub(super) fn judge(world: &World, truth: &Truth, wrong: &mut Vec<String>) {
    let clocks =
        |what: &Wrong| matches!(what, Wrong::Skew { .. } | Wrong::Strobe { .. } | Wrong::Freeze { .. });
    if world.script.faults.iter().any(|fault| clocks(&fault.what)) {
        return;
    }
    for ((service, shard), commits) in &truth.shards {
        let records = world.cluster.records(&Topic::events(service.as_str()), *shard);
        let mut due: BTreeMap<(String, String, u64), i64> = BTreeMap::new();
        for effective in commits {
            let Some(entity) = effective.entity().map(ToString::to_string) else { continue };
            if let Cause::Timer { node, serial } = &effective.commit.cause {
                let stamped = usize::try_from(effective.offset).ok().and_then(|n| records.get(n));
                let due = due.get(&(entity.clone(), node.clone(), *serial));
                if let (Some(record), Some(due)) = (stamped, due)
                    && record.wall.0 < *due
                {
                    let early = *due - record.wall.0;
                    wrong.push(format!("T1: timer {node} of {entity} was fired {early} us early"));
                }
            }
            for set in &effective.commit.timers.set {
                due.insert((entity.clone(), set.node.clone(), set.serial), set.due);
            }
        }
    }
}
